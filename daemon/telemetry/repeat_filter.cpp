#include "daemon/telemetry/repeat_filter.hpp"

#include <utility>

namespace quorumd::telemetry {

std::optional<std::uint64_t> repeat_filter::admit(std::string_view kind, std::string_view subject, time_point now) {
  const std::lock_guard lock(mutex_);
  auto found = kinds_.find(kind);
  if (found == kinds_.end()) found = kinds_.emplace(kind, lines_of_kind{}).first;
  lines_of_kind& k = found->second;
  std::erase_if(k.last, [&](const auto& entry) { return now - entry.second >= interval; });
  if (k.last.contains(subject) || k.last.size() >= subjects_max) {
    ++k.left_out;
    return std::nullopt;
  }
  k.last.emplace(subject, now);
  return std::exchange(k.left_out, 0);
}

} // namespace quorumd::telemetry
