#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

namespace quorumd::telemetry {

class service_manager;

/// Feeds the service manager's watchdog while every loop still runs what is posted to it. A disk that hangs does not
/// stop a loop, so it does not trip it.
class watchdog {
 public:
  watchdog(service_manager& manager, std::vector<coro::loop*> loops);
  /// Endless; on the first of the loops. Cancelled to end.
  [[nodiscard]] coro::task<void> run_feeding(std::chrono::microseconds interval);

 private:
  service_manager& manager_;
  std::vector<coro::loop*> loops_;
  /// What each loop answered last; shared with what is posted, which may outlive this object.
  std::shared_ptr<std::vector<std::atomic<std::uint64_t>>> answered_;
};

} // namespace quorumd::telemetry
