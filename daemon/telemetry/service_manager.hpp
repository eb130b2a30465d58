#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace quorumd::telemetry {

/// What systemd is told (sd_notify(3)); nothing happens where it does not listen.
class service_manager {
 public:
  void ready(const std::string& status);
  /// The configuration is being read again; ready() ends it.
  void reloading();
  void status(const std::string& text);
  /// The start takes this much longer: asked for again and again while the log replays.
  void extend_start(std::chrono::microseconds by);
  /// And may take so long.
  void stopping(std::chrono::microseconds at_most);
  void alive();
  /// How often alive() is expected, if the unit has a watchdog.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const;
};

} // namespace quorumd::telemetry
