#pragma once

#include "coro/worker.hpp"
#include "tests/sim/scheduler.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

namespace quorumd::sim {

/// How long blocking work takes.
struct worker_options {
  coro::duration least = std::chrono::microseconds(50);
  coro::duration most = std::chrono::microseconds(400);
  std::uint64_t stall_per_mille = 0; ///< of the jobs take up to stall_most
  coro::duration stall_most = std::chrono::seconds(1);
  coro::duration per_mib{}; ///< read and written by the job, on top
};

/// A worker thread on virtual time: jobs one after the other, in order. A job runs whole at one moment of its
/// duration, so that a crash may come before it or between its end and the loop's hearing of it (and, through the
/// simulated disk, between any two of its effects).
class sim_worker final : public coro::worker {
 public:
  sim_worker(scheduler& s, std::uint64_t owner, worker_options o, prng p);
  ~sim_worker() override;

  void submit(job& j, coro::loop& back) override;

  /// The node crashed and its disk is frozen: what is queued runs at once, against a disk that refuses everything, so
  /// that whoever waits for it can end.
  void abandon();
  void set_options(worker_options o);
  /// How the bytes that a job moves are known: `bytes` counts all that its node's disk was asked for.
  void count(std::function<std::uint64_t()> bytes);
  /// The most that one job moved.
  [[nodiscard]] std::uint64_t most_bytes() const;

 private:
  struct item {
    job* what;
    coro::loop* back;
  };
  struct state;
  std::shared_ptr<state> state_;
};

} // namespace quorumd::sim
