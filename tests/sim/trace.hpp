#pragma once

#include "coro/clock.hpp"
#include "tests/sim/prng.hpp"
#include "tests/sim/told.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

namespace quorumd::sim {

/// What happened in a run, folded into one number that is the same for the same seed in every process: no address and
/// no hash order may come in here. Printed as well if asked for.
class trace {
 public:
  explicit trace(bool print)
      : print_(print) {}

  void event(coro::time_point at, const char* what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    const auto nanoseconds = static_cast<std::uint64_t>(at.time_since_epoch().count());
    hash_ = mix(hash_ ^ nanoseconds);
    hash_ = mix(hash_ ^ name_hash(what));
    hash_ = mix(hash_ ^ a);
    hash_ = mix(hash_ ^ mix(b) ^ mix(mix(c)));
    ++events_;
    if (print_)
      std::printf("%12.6f %-18s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", static_cast<double>(nanoseconds) * 1e-9, what,
                  a, b, c);
  }
  /// For the reader only: nothing of it reaches the hash.
  void note(coro::time_point at, std::string_view text) const {
    if (!print_) return;
    std::printf("%12.6f -- %.*s\n", static_cast<double>(at.time_since_epoch().count()) * 1e-9,
                static_cast<int>(text.size()), text.data());
  }
  /// As note(), and whoever wants the story of the run is told.
  void tell(coro::time_point at, told t) const {
    if (!t.text.empty()) note(at, (t.of == told::topic::wrong ? "WRONG: " : "") + t.text);
    t.fault = because_of_;
    if (told_to_) told_to_(at, t);
  }
  void set_told_to(told_to f) { told_to_ = std::move(f); }
  /// What is told from now on comes of the fault of that number; 0: of none.
  void set_because_of(std::uint64_t fault) { because_of_ = fault; }
  /// Whether anybody reads what is noted and told.
  [[nodiscard]] bool heeded() const { return print_ || told_to_; }
  /// Whether every event is printed.
  [[nodiscard]] bool printing() const { return print_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  static constexpr std::uint64_t name_hash(std::string_view name) {
    std::uint64_t h = 0xcbf29ce484222325U;
    for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return h;
  }

  bool print_;
  told_to told_to_;
  std::uint64_t because_of_ = 0;
  std::uint64_t hash_ = 0;
  std::uint64_t events_ = 0;
};

} // namespace quorumd::sim
