#pragma once

#include "daemon/kv/watch_hub.hpp"
#include "tests/daemon/kv/text.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {

inline constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

// Events as text: a put as its version, with "was [...]" behind it; a deletion as -b m3. A delivery: its events, "..."
// if more of the revision follows, and up to where the watchers have everything: a=1 c2 m2 v1; -b m3 | 3
[[nodiscard]] inline std::string text(const event& e) {
  std::string out =
      e.deletion() ? "-" + std::string(e.kv.key) + " m" + std::to_string(e.kv.mod_revision.value()) : text(e.kv);
  if (e.prev) out += " was [" + text(*e.prev) + "]";
  return out;
}
[[nodiscard]] inline std::string text(const delivery& d) {
  std::string out;
  for (const event& e : d.events) out += (out.empty() ? "" : "; ") + text(e);
  return out + (d.more ? " ..." : "") + " | " + std::to_string(d.through.value());
}

/// Writes down what each watcher gets.
struct recorder : watch_sink {
  bool has_room(std::uint64_t tag, std::size_t /*bytes*/) override {
    ++asked;
    return !full.contains(tag);
  }
  void deliver(const delivery& d, std::span<const std::uint64_t> tags) override {
    ++calls;
    numbers.insert(d.number);
    for (const std::uint64_t tag : tags) got[tag].push_back(text(d));
  }
  void cancelled(std::uint64_t tag, revision floor) override {
    got[tag].push_back("cancelled " + std::to_string(floor.value()));
  }
  /// What the watcher got since this was asked last.
  std::vector<std::string> take(std::uint64_t tag = 0) { return std::exchange(got[tag], {}); }

  std::map<std::uint64_t, std::vector<std::string>> got;
  std::set<std::uint64_t> full;
  std::set<std::uint64_t> numbers;
  int calls = 0;
  int asked = 0;
};

/// A store whose watchers are told of each command at once.
struct watched : machine {
  explicit watched(const watch_hub_options& o = {})
      : hub(s, o) {}

  std::string operator()(const command& c) {
    std::string done = machine::operator()(c);
    (void)hub.advance(no_bound);
    return done;
  }
  watch_id add(const watch_options& o, std::uint64_t tag = 0) {
    const result<watch_id> id = hub.add(o, sink, tag);
    return id ? *id : watch_id();
  }
  std::string refused(const watch_options& o) {
    const result<watch_id> id = hub.add(o, sink, 0);
    return id ? "added" : id.error().message();
  }
  void catch_up() {
    while (!hub.catch_up(no_bound)) {
    }
  }

  watch_hub hub;
  recorder sink;
};

using lines = std::vector<std::string>;

} // namespace quorumd::kv::test
