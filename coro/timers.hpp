#pragma once

#include "coro/clock.hpp"
#include "coro/task.hpp"
#include "metrics/histogram.hpp"

#include <boost/asio/async_result.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::coro {

/// The deadlines of one loop in one queue. Production arms a single Asio timer for the earliest; the simulator pops it.
class timers {
 public:
  /// Told when the earliest deadline moved forward, and when a cancellation took the last one.
  class driver {
   public:
    virtual ~driver() = default;
    virtual void arm(time_point earliest) = 0;
    virtual void idle() {}
  };

  timers(const clock& c, executor e)
      : clock_(c)
      , executor_(e) {}
  timers(const timers&) = delete;
  timers& operator=(const timers&) = delete;
  ~timers();

  [[nodiscard]] time_point now() const { return clock_.now(); }
  [[nodiscard]] const clock& the_clock() const { return clock_; }
  /// Returns at the deadline (at once, through the loop, if it is past); throws operation_aborted when cancelled.
  [[nodiscard]] task<void> sleep_until(time_point deadline);
  [[nodiscard]] task<void> sleep_for(duration d) { return sleep_until(after(d)); }

  /// How late sleepers went on, in nanoseconds: behind the loop's other work, or because it stood still.
  [[nodiscard]] const metrics::histogram& lag() const { return lag_; }

  // --- for whoever drives the loop ---
  void set_driver(driver* d) { driver_ = d; }
  [[nodiscard]] std::optional<time_point> earliest() const;
  /// Posts everything that is due; returns how many.
  std::size_t fire_due();

 private:
  using handler = boost::asio::async_result<use_task_t, void(boost::system::error_code)>::handler_type;
  /// A deadline, and a number that orders equal deadlines and names the sleeper.
  using key = std::pair<time_point, std::uint64_t>;
  using sleepers = std::map<key, std::optional<handler>>;
  [[nodiscard]] time_point after(duration d) const;
  void add(time_point deadline, handler wake);
  void cancel(key k);
  void complete(sleepers::iterator sleeper, boost::system::error_code why);
  void wake(handler& w, time_point deadline, boost::system::error_code why);

  const clock& clock_;
  executor executor_;
  driver* driver_ = nullptr;
  metrics::histogram lag_;
  std::uint64_t next_number_ = 0;
  sleepers sleepers_;
  std::vector<sleepers::node_type> spare_; // as many as slept at once: a sleep allocates nothing after warm-up
};

} // namespace quorumd::coro
