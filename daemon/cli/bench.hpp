#pragma once

#include "metrics/histogram.hpp"

#include <cstdint>
#include <string>

namespace quorumd::cli {

enum class bench_op : std::uint8_t { put, get, mixed };

struct bench_options {
  bench_op op = bench_op::put;
  std::uint64_t clients = 64;
  std::uint64_t connections = 1;
  std::uint64_t total = 100'000;
  std::uint64_t value_size = 256;
  std::uint64_t key_space = 10'000;
  std::uint64_t warmup = 0; ///< operations before the first that counts
  std::uint64_t rate = 0;   ///< operations a second, over all connections; 0: closed loop
  std::uint64_t seed = 1;
};

struct bench_result {
  metrics::fine_histogram latency_ns; ///< of successes, from the intended start
  std::uint64_t errors = 0;
  double seconds = 0; ///< from the first operation that counts to the end of the last

  [[nodiscard]] double ops_per_second() const {
    return seconds > 0 ? static_cast<double>(latency_ns.count()) / seconds : 0;
  }
};

[[nodiscard]] const char* name_of(bench_op op);
[[nodiscard]] std::string bench_text(const bench_options& o, const bench_result& r);
[[nodiscard]] std::string bench_json(const bench_options& o, const bench_result& r);

/// Which operations there are to start, and when each was meant to: in a closed loop whenever a client is free, in an
/// open loop at fixed times, late or not. The operations of one run are numbered from 0.
class bench_schedule {
 public:
  struct start {
    std::uint64_t number = 0;
    std::uint64_t intended_ns = 0; ///< since the run's beginning
  };

  /// The share of connection `index`: in an open loop every connections-th operation, in a closed one whatever is left
  /// in `shared`, which outlives this.
  bench_schedule(const bench_options& o, std::uint64_t count, std::uint64_t index, std::uint64_t& shared)
      : count_(count)
      , step_(o.connections)
      , rate_(o.rate)
      , next_(index)
      , shared_(shared) {}

  /// Takes the next operation that is to start by now; false if there is none now.
  [[nodiscard]] bool take(std::uint64_t now_ns, start& out);
  /// Whether every operation was taken.
  [[nodiscard]] bool exhausted() const { return (rate_ == 0 ? shared_ : next_) >= count_; }
  /// Open loop: when the next one is meant to start.
  [[nodiscard]] std::uint64_t next_ns() const { return intended(next_); }

 private:
  [[nodiscard]] std::uint64_t intended(std::uint64_t number) const {
    return static_cast<std::uint64_t>(static_cast<double>(number) * 1e9 / static_cast<double>(rate_));
  }

  std::uint64_t count_;
  std::uint64_t step_;
  std::uint64_t rate_;
  std::uint64_t next_;
  std::uint64_t& shared_;
};

} // namespace quorumd::cli
