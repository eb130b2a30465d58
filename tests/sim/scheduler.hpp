#pragma once

#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "tests/sim/prng.hpp"
#include "tests/sim/trace.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

namespace quorumd::sim {

/// Virtual time, and everything that runs on it: the loops of all nodes (driven by hand, the seed picks whose next
/// handler runs) and an agenda of what the simulated network, disks and faults will do. Time passes only when nothing
/// is ready, but for what each handler is said to cost; what it works takes time on its own loop alone.
class scheduler final : public coro::clock {
 public:
  /// `step_cost` is the time that each handler takes.
  scheduler(std::uint64_t seed, bool print, coro::duration step_cost);
  ~scheduler() override;

  [[nodiscard]] coro::time_point now() const override { return now_ + worked_; }
  /// The clock of whoever's handler runs: its own beginning, and its own pace.
  [[nodiscard]] std::uint64_t boot_us() const override;
  /// The owner's clock runs that much faster than time, in thousandths.
  void drift(std::uint64_t owner, std::int64_t per_mille) { drifts_[owner] = per_mille; }
  /// The handler that runs takes that much longer, and its loop runs no other one meanwhile.
  void worked(std::size_t visits) const override { worked_ += visit_cost_ * static_cast<std::int64_t>(visits); }
  /// The time that a visited record takes.
  void set_visit_cost(coro::duration d) { visit_cost_ = d; }
  [[nodiscard]] coro::duration elapsed() const { return now_ - start_; }
  [[nodiscard]] const prng& random() const { return random_; }
  [[nodiscard]] sim::trace& trace() { return trace_; }
  /// An event of the trace at this moment.
  void record(const char* what, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    trace_.event(now_, what, a, b, c);
  }

  /// A loop of this simulation, until release(); `owner` names its node in the trace.
  [[nodiscard]] std::unique_ptr<coro::loop> make_loop(std::string name, std::uint64_t owner);
  void release(const coro::loop& l);
  /// No handler and no timer of the owner's loops runs until resumed.
  void pause(std::uint64_t owner, bool paused);

  /// Calls f at that time (or as soon as possible), after whatever is due earlier or was asked for earlier.
  void at(coro::time_point when, std::function<void()> f);
  void after(coro::duration d, std::function<void()> f) { at(now() + d, std::move(f)); }

  /// One handler, or one thing of the agenda, or time moves on, not beyond the limit. False: nothing is left to do
  /// before the limit, which is now the time.
  bool step(coro::time_point limit);
  /// Runs the owner's handlers alone, without time passing, until none is ready or so many ran.
  std::size_t drain(std::uint64_t owner, std::size_t handlers_max);
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  /// The longest that one handler worked.
  [[nodiscard]] coro::duration longest_work() const { return longest_work_; }
  /// Whose handler the last step ran; 0: nobody's.
  [[nodiscard]] std::uint64_t last_owner() const { return last_owner_; }

 private:
  struct runner {
    coro::loop* loop;
    std::uint64_t owner;
    bool paused = false;
    coro::time_point busy_until{};
  };
  struct item {
    coro::time_point when;
    std::uint64_t number; // orders what is due at the same time
    std::function<void()> f;
    friend bool operator<(const item& a, const item& b) {
      return a.when != b.when ? a.when > b.when : a.number > b.number;
    }
  };

  bool run_ready();
  void note_work(runner& r);
  bool run_agenda();
  void fire_timers();
  [[nodiscard]] coro::time_point next_deadline() const;

  coro::time_point start_;
  coro::time_point now_;
  prng random_;
  prng picks_;
  coro::duration step_cost_;
  coro::duration visit_cost_{};
  mutable coro::duration worked_{}; ///< by the handler that runs
  sim::trace trace_;
  std::vector<runner> runners_;
  std::priority_queue<item> agenda_;
  std::uint64_t next_number_ = 0;
  coro::duration longest_work_{};
  std::uint64_t steps_ = 0;
  std::uint64_t last_owner_ = 0;
  std::uint64_t running_ = 0; ///< whose handler it is
  std::map<std::uint64_t, std::int64_t> drifts_;
  std::uint64_t steps_at_this_time_ = 0;
};

} // namespace quorumd::sim
