#include "daemon/telemetry/watchdog.hpp"

#include "daemon/telemetry/service_manager.hpp"

#include <algorithm>

namespace quorumd::telemetry {

watchdog::watchdog(service_manager& manager, std::vector<coro::loop*> loops)
    : manager_(manager)
    , loops_(std::move(loops))
    , answered_(std::make_shared<std::vector<std::atomic<std::uint64_t>>>(loops_.size())) {}

coro::task<void> watchdog::run_feeding(std::chrono::microseconds interval) {
  for (std::uint64_t round = 1;; ++round) {
    for (std::size_t i = 0; i < loops_.size(); ++i)
      loops_[i]->post([answered = answered_, i, round] { (*answered)[i].store(round); });
    co_await loops_.front()->timers().sleep_for(interval / 3);
    const bool all =
        std::all_of(answered_->begin(), answered_->end(), [round](const auto& a) { return a.load() == round; });
    if (all) manager_.alive();
  }
}

} // namespace quorumd::telemetry
