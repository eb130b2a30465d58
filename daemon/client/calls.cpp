#include "daemon/client/calls.hpp"

#include "consensus/types/invariant.hpp"

namespace quorumd::client {

client_call& client_calls::open(coro::time_point deadline) {
  if (free_.empty()) {
    QUORUMD_INVARIANT(slots_.size() < std::size_t{1} << slot_bits, "a client has fewer than 2^24 calls at a time");
    slots_.push_back(std::make_unique<client_call>());
    slots_.back()->slot = static_cast<std::uint32_t>(slots_.size() - 1);
    free_.reserve(slots_.size());
    free_.push_back(slots_.back()->slot);
  }
  client_call& c = *slots_[free_.back()];
  free_.pop_back();
  c.deadline = deadline;
  c.command = false;
  c.once = false;
  renew(c);
  return c;
}

client_call* client_calls::find(std::uint64_t id) {
  const std::uint64_t slot = id & ((std::uint64_t{1} << slot_bits) - 1);
  if (id == 0 || slot >= slots_.size() || slots_[slot]->id != id) return nullptr;
  return slots_[slot].get();
}

void client_calls::close(client_call& c) {
  QUORUMD_INVARIANT(c.id != 0, "a call is closed once");
  c.id = 0;
  c.reply.reset();
  c.bytes = chunk_ref();
  c.done.reset();
  free_.push_back(c.slot);
}

void client_calls::renew(client_call& c) {
  c.id = ++uses_ << slot_bits | c.slot;
  c.encoded = false;
  c.direct = false;
  c.sent = false;
  c.leave_at = coro::time_point::max();
  c.end = call_end::none;
  c.code = request_errc::none;
  c.reply.reset();
  c.bytes = chunk_ref();
  c.done.reset();
}

} // namespace quorumd::client
