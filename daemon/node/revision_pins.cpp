#include "daemon/node/revision_pins.hpp"

#include <algorithm>

namespace quorumd::node {

namespace {
std::uint64_t history_of(const kv::store& s) {
  return s.held_bytes() - std::min(s.held_bytes(), s.bytes());
}
} // namespace

void revision_pins::keep(kv::store& s, revision r, coro::time_point now, coro::duration how_long) {
  const coro::time_point until = now + std::min(how_long, options_.keep_max);
  const auto found = std::find_if(pins_.begin(), pins_.end(), [r](const pin& p) { return p.at == r; });
  if (found != pins_.end()) {
    found->until = std::max(found->until, until);
    return;
  }
  if (pins_.size() >= options_.pins_max || !s.readable(r)) return;
  s.pin(r);
  pins_.push_back({r, until, history_of(s)});
}

bool revision_pins::holds(revision r) const {
  return std::any_of(pins_.begin(), pins_.end(), [r](const pin& p) { return p.at == r; });
}

void revision_pins::expire(kv::store& s, coro::time_point now) {
  const std::uint64_t history = history_of(s);
  std::erase_if(pins_, [&](const pin& p) {
    const bool costs_too_much = history > p.history_bytes && history - p.history_bytes > options_.history_bytes_max;
    if (p.until > now && !costs_too_much) return false;
    s.unpin(p.at);
    return true;
  });
}

void revision_pins::clear(kv::store& s) {
  for (const pin& p : pins_) s.unpin(p.at);
  pins_.clear();
}

} // namespace quorumd::node
