#include "tests/sim/checkers/lease_checker.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace quorumd::sim {
namespace {

std::string name_of_lease(std::uint64_t lease) {
  return "lease " + std::to_string(lease);
}

std::string in_ms(coro::duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

} // namespace

void lease_checker::asked(std::uint64_t lease, coro::duration ttl, coro::time_point now) {
  struct lease l;
  l.ttl = ttl;
  l.not_before = now + ttl;
  all_.emplace(lease, l);
}

complaint lease_checker::granted(std::uint64_t lease) {
  const auto at = all_.find(lease);
  if (at == all_.end()) return name_of_lease(lease) + " was granted, and nobody had asked for it";
  if (std::exchange(at->second.granted, true)) return name_of_lease(lease) + " was granted twice";
  ++standing_;
  return {};
}

complaint lease_checker::ended(std::uint64_t lease, bool by_time, coro::time_point now) {
  if (!stands(lease)) return name_of_lease(lease) + " ended, and did not stand";
  struct lease& l = all_[lease];
  l.ended_at = now;
  l.by_time = by_time;
  --standing_;
  if (!by_time || now >= l.not_before) return {};
  return name_of_lease(lease) + " ended " + in_ms(l.not_before - now) + " before its time";
}

complaint lease_checker::renewed(std::uint64_t lease, coro::time_point asked_at) {
  const auto at = all_.find(lease);
  if (at == all_.end() || !at->second.granted) return name_of_lease(lease) + " was renewed, and never granted";
  struct lease& l = at->second;
  l.not_before = std::max(l.not_before, asked_at + l.ttl);
  if (!l.ended_at) return {};
  if (*l.ended_at < asked_at)
    return name_of_lease(lease) + " was renewed " + in_ms(asked_at - *l.ended_at) + " after it had ended";
  if (l.by_time && *l.ended_at < asked_at + l.ttl)
    return name_of_lease(lease) + " was renewed, and had ended " + in_ms(asked_at + l.ttl - *l.ended_at) +
           " before its time";
  return {};
}

complaint lease_checker::said_to_be_gone(std::uint64_t lease) const {
  return stands(lease) ? name_of_lease(lease) + " is said to be gone, and stands" : complaint();
}

bool lease_checker::stands(std::uint64_t lease) const {
  const auto at = all_.find(lease);
  return at != all_.end() && at->second.granted && !at->second.ended_at;
}

std::uint64_t lease_checker::first_standing(coro::duration ttl_most) const {
  for (const auto& [id, l] : all_)
    if (l.ttl <= ttl_most && l.granted && !l.ended_at) return id;
  return 0;
}

} // namespace quorumd::sim
