#include "daemon/node/forward_replies.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/codec/command_codec.hpp"

#include <utility>

namespace quorumd::node {

reply_to forward_replies::answer_to(node_id peer, std::uint64_t id) {
  stream& s = streams_[peer];
  if (s.slot == 0) {
    peers_.push_back(peer);
    s.slot = static_cast<std::uint32_t>(peers_.size());
  }
  return {.sink = this, .slot = s.slot, .generation = s.generation, .id = id};
}

void forward_replies::wrote(const reply_to& to, const kv::result<kv::reply>& r) {
  queue(to, {.id = to.id, .error = request_errc::none, .text = {}, .result = kv::encode_result(arena_, r)});
}

void forward_replies::ranged(const reply_to&, const kv::result<kv::range_reply>&) {
  QUORUMD_INVARIANT(false, "reads are not forwarded: a follower serves them itself");
}

void forward_replies::failed(const reply_to& to, request_errc why, std::string_view detail) {
  if (why == request_errc::corrupt) why = request_errc::no_quorum; // this node's state, and not the asker's
  queue(to, {.id = to.id, .error = why, .text = std::string(detail), .result = {}});
}

bool forward_replies::has_room(const reply_to& to) const {
  const node_id peer = peers_[to.slot - 1];
  const stream& s = streams_.at(peer);
  // Half of it: appends and snapshots go the same way.
  return s.reserved_bytes + s.staged_bytes < transport_.room(peer) / 2;
}

bool forward_replies::gone(const reply_to& to) const {
  const node_id peer = peers_[to.slot - 1];
  return streams_.at(peer).generation != to.generation || !transport_.connected(peer);
}

void forward_replies::reserve(const reply_to& to) {
  streams_[peers_[to.slot - 1]].reserved_bytes += to.reserved;
}

void forward_replies::unreserve(const reply_to& to) {
  streams_[peers_[to.slot - 1]].reserved_bytes -= to.reserved;
}

void forward_replies::flush() {
  for (const wire::peer_outgoing& m : outgoing_) streams_[m.to].staged_bytes = 0;
  transport_.send(outgoing_);
}

void forward_replies::queue(const reply_to& to, wire::forward_reply reply) {
  const node_id peer = peers_[to.slot - 1];
  stream& s = streams_[peer];
  s.reserved_bytes -= to.reserved;
  if (s.generation != to.generation) return;
  s.staged_bytes += reply.result.bytes.size();
  outgoing_.push_back({peer, std::move(reply)});
}

} // namespace quorumd::node
