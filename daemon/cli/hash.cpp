#include "daemon/cli/hash.hpp"

#include "config/exit_codes.hpp"
#include "consensus/types/hex.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr auto hash_at_most = std::chrono::seconds(2); // until all members are at one revision
constexpr auto hash_interval = std::chrono::milliseconds(100);
constexpr int disagree_code = 1;

/// By hash.
using holders_of = std::map<std::uint64_t, std::vector<std::string>>;

std::size_t count_of(const holders_of& holders) {
  std::size_t n = 0;
  for (const auto& [hash, names] : holders) n += names.size();
  return n;
}

/// Nothing: no more than half of them have the same.
const std::vector<std::string>* most_of(const holders_of& holders) {
  for (const auto& [hash, names] : holders)
    if (2 * names.size() > count_of(holders)) return &names;
  return nullptr;
}

int show_hashes(const session& s, std::span<const client::status_row> rows, const hash_comparison& c) {
  const std::string text = comparison_text(c);
  const int code = print(s.json ? hash_json(rows, c) : hash_table(rows) + text + "\n");
  if (code != config::exit_code::ok || c.whole()) return code;
  if (c.differ.empty()) return complain(error(config::exit_code::unavailable, text));
  return complain(error(disagree_code, text + ": keep the data directories, and see 'quorumd status --verify'"));
}

coro::task<int> ask_hashes(session* s) {
  for (const coro::time_point until = s->loop.now() + hash_at_most;;) {
    const auto rows = co_await ask_members(s);
    if (rows.has_error()) co_return complain(rows.error());
    const hash_comparison c = compare_hashes(*rows);
    if (c.whole() || !c.differ.empty() || s->loop.now() >= until) co_return show_hashes(*s, *rows, c);
    co_await s->loop.timers().sleep_for(hash_interval);
  }
}

int run_hash(const invocation& in) {
  return run_client(in, [](session& s) { return ask_hashes(&s); });
}

} // namespace

hash_comparison compare_hashes(std::span<const client::status_row> rows) {
  hash_comparison c;
  std::map<std::pair<revision, revision>, holders_of> at;
  for (const client::status_row& r : rows) {
    if (r.error.empty() && r.witness) continue;
    if (r.error.empty() && r.keys_hash != 0)
      at[{r.revision, r.compacted}][r.keys_hash].push_back(r.name);
    else
      c.missing.push_back(r.name);
  }
  if (at.empty()) return c;
  const auto widest = std::max_element(
      at.begin(), at.end(), [](const auto& a, const auto& b) { return count_of(a.second) < count_of(b.second); });
  for (const auto& [where, holders] : at) {
    const std::vector<std::string>* const most = most_of(holders);
    const bool compared = where == widest->first;
    for (const auto& [hash, names] : holders) {
      auto& to = &names != most ? c.differ : compared ? c.agree : c.missing;
      to.insert(to.end(), names.begin(), names.end());
    }
  }
  return c;
}

std::string comparison_text(const hash_comparison& c) {
  if (!c.differ.empty() && c.agree.empty()) return "the keys of " + listed(c.differ) + " differ";
  if (!c.differ.empty()) return "the keys of " + listed(c.differ) + " differ from those of " + listed(c.agree);
  if (c.agree.empty()) return "not compared: " + listed(c.missing);
  std::string out =
      c.agree.size() == 1 ? listed(c.agree) + " stands alone" : "the keys of " + listed(c.agree) + " are equal";
  if (!c.missing.empty()) out += "; not compared: " + listed(c.missing);
  return out;
}

std::string hash_table(std::span<const client::status_row> rows) {
  std::vector<std::vector<std::string>> lines{{"id", "name", "revision", "compacted", "hash"}};
  for (const client::status_row& r : rows) {
    std::string name;
    append_escaped(name, r.name);
    std::vector<std::string> line{hex64(r.id.value()), name};
    if (!r.error.empty() || r.keys_hash == 0) {
      line.resize(lines.front().size(), "-");
      std::string why;
      append_escaped(why, r.witness ? "a witness holds no keys" : r.error.empty() ? "an earlier version" : r.error);
      line.push_back(why);
    } else {
      line.insert(line.end(),
                  {std::to_string(r.revision.value()), std::to_string(r.compacted.value()), hex64(r.keys_hash)});
    }
    lines.push_back(std::move(line));
  }
  return in_columns(lines);
}

std::string hash_json(std::span<const client::status_row> rows, const hash_comparison& c) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("members").begin_array();
  for (const client::status_row& r : rows) {
    w.begin_object().key("id").text(hex64(r.id.value())).key("name").text(r.name);
    if (r.error.empty() && r.keys_hash != 0) {
      w.key("revision").number(r.revision.value()).key("compacted").number(r.compacted.value());
      w.key("hash").text(hex64(r.keys_hash));
    } else {
      w.key("revision").null().key("compacted").null().key("hash").null();
      if (!r.error.empty()) w.key("error").text(r.error);
    }
    w.end_object();
  }
  w.end_array();
  const auto names = [&w](std::string_view key, const std::vector<std::string>& list) {
    w.key(key).begin_array();
    for (const std::string& name : list) w.text(name);
    w.end_array();
  };
  names("agree", c.agree);
  names("differ", c.differ);
  names("not_compared", c.missing);
  w.end_object();
  return out + "\n";
}

command_spec hash_command() {
  return {.name = "hash",
          .summary = "compare the members' keys",
          .details =
              "A row for each member with a hash of its keys and their history, at its revision and from the one\n"
              "at which it was compacted, and whether those that are at the same agree. Members that are behind\n"
              "are waited for, two seconds at most; while writes go on without a pause, 'quorumd status --verify'\n"
              "compares earlier states instead. Code 1: some differ; 2: some could not be compared.",
          .examples = {"quorumd hash", "quorumd hash --output json"},
          .run = run_hash};
}

} // namespace quorumd::cli
