#include "daemon/telemetry/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace quorumd::telemetry {

void service_manager::ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void service_manager::reloading() {
  sd_notify(0, "RELOADING=1");
}

void service_manager::status(const std::string& text) {
  sd_notify(0, ("STATUS=" + text).c_str());
}

void service_manager::extend_start(std::chrono::microseconds by) {
  sd_notify(0, ("EXTEND_TIMEOUT_USEC=" + std::to_string(by.count())).c_str());
}

void service_manager::stopping(std::chrono::microseconds at_most) {
  sd_notify(0, ("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(at_most.count())).c_str());
}

void service_manager::alive() {
  sd_notify(0, "WATCHDOG=1");
}

std::optional<std::chrono::microseconds> service_manager::watchdog_interval() const {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return std::chrono::microseconds(microseconds);
}

} // namespace quorumd::telemetry
