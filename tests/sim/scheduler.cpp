#include "tests/sim/scheduler.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

/// Handlers that run without time passing: beyond, somebody spins.
constexpr std::uint64_t steps_at_once_max = 2'000'000;

} // namespace

scheduler::scheduler(std::uint64_t seed, bool print, coro::duration step_cost)
    : start_(coro::time_point(1h))
    , now_(start_)
    , random_(seed)
    , picks_(random_.fork(1))
    , step_cost_(step_cost)
    , trace_(print) {}

scheduler::~scheduler() = default;

std::unique_ptr<coro::loop> scheduler::make_loop(std::string name, std::uint64_t owner) {
  auto l = std::make_unique<coro::loop>(std::move(name), *this, coro::loop::drive::manual);
  runners_.push_back({l.get(), owner});
  return l;
}

void scheduler::release(const coro::loop& l) {
  std::erase_if(runners_, [&](const runner& r) { return r.loop == &l; });
}

void scheduler::pause(std::uint64_t owner, bool paused) {
  for (runner& r : runners_)
    if (r.owner == owner) r.paused = paused;
}

void scheduler::at(coro::time_point when, std::function<void()> f) {
  agenda_.push({std::max(when, now_), next_number_++, std::move(f)});
}

std::uint64_t scheduler::boot_us() const {
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now() - start_).count();
  const auto drift = drifts_.find(running_);
  const std::int64_t pace = 1000 + (drift == drifts_.end() ? 0 : drift->second);
  return (running_ + 1) * 1'000'000'000 + static_cast<std::uint64_t>(passed * pace / 1000);
}

bool scheduler::step(coro::time_point limit) {
  ++steps_;
  last_owner_ = 0;
  QUORUMD_INVARIANT(++steps_at_this_time_ < steps_at_once_max, "handlers run on and on while no time passes");
  if (run_agenda()) return true;
  fire_timers();
  if (run_ready()) {
    if (step_cost_ != coro::duration::zero()) {
      now_ += step_cost_;
      steps_at_this_time_ = 0;
    }
    return true;
  }
  const coro::time_point next = next_deadline();
  if (now_ < std::min(next, limit)) steps_at_this_time_ = 0;
  now_ = std::max(now_, std::min(next, limit));
  return next <= limit;
}

bool scheduler::run_agenda() {
  if (agenda_.empty() || agenda_.top().when > now_) return false;
  std::function<void()> f = std::move(const_cast<item&>(agenda_.top()).f); // popped before anything compares it again
  agenda_.pop();
  f();
  return true;
}

void scheduler::fire_timers() {
  for (const runner& r : runners_) {
    if (r.paused) continue;
    const auto earliest = r.loop->timers().earliest();
    if (!earliest || *earliest > now_) continue;
    const std::size_t fired = r.loop->timers().fire_due();
    trace_.event(now_, "timers", r.owner, fired);
  }
}

bool scheduler::run_ready() {
  if (runners_.empty()) return false;
  const std::size_t first = picks_.below(runners_.size());
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    const std::size_t at = (first + i) % runners_.size();
    if (runners_[at].paused || runners_[at].busy_until > now_) continue;
    const std::uint64_t owner = runners_[at].owner;
    running_ = owner;
    const bool ran = runners_[at].loop->run_one_ready();
    note_work(runners_[at]);
    if (!ran) continue;
    last_owner_ = owner;
    trace_.event(now_, "run", owner, at);
    return true;
  }
  return false;
}

void scheduler::note_work(runner& r) {
  if (worked_ == coro::duration::zero()) return;
  longest_work_ = std::max(longest_work_, worked_);
  r.busy_until = now_ + std::exchange(worked_, coro::duration::zero());
}

coro::time_point scheduler::next_deadline() const {
  coro::time_point next = agenda_.empty() ? coro::time_point::max() : agenda_.top().when;
  for (const runner& r : runners_) {
    if (r.paused) continue;
    if (r.busy_until > now_) next = std::min(next, r.busy_until);
    if (const auto earliest = r.loop->timers().earliest()) next = std::min(next, *earliest);
  }
  return next;
}

std::size_t scheduler::drain(std::uint64_t owner, std::size_t handlers_max) {
  std::size_t ran = 0;
  for (bool any = true; any && ran < handlers_max;) {
    any = false;
    for (std::size_t i = 0; i < runners_.size(); ++i) {
      if (runners_[i].owner != owner) continue;
      running_ = owner;
      while (ran < handlers_max && runners_[i].loop->run_one_ready()) {
        note_work(runners_[i]);
        any = true;
        ++ran;
      }
    }
  }
  trace_.event(now_, "drained", owner, ran);
  return ran;
}

} // namespace quorumd::sim
