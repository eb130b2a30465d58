#include "wire/outbound_queue.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::wire {
namespace {

bool out_of_date(const raft::heartbeat&, const raft::heartbeat&) {
  return false;
}

/// The answer to an older term's message must not hide the round that waits with the same term.
bool out_of_date(const raft::heartbeat_response& next, const raft::heartbeat_response& waiting) {
  return next.term == waiting.term && next.round < waiting.round;
}

/// The latest heartbeat of a group takes the place of the one that waits.
template <class Beat, class Body>
void merge(std::vector<Beat>& waiting, group_id group, const Body& body) {
  const auto at =
      std::lower_bound(waiting.begin(), waiting.end(), group, [](const Beat& b, group_id g) { return b.group < g; });
  if (at == waiting.end() || at->group != group)
    waiting.insert(at, Beat{group, body});
  else if (!out_of_date(body, at->body))
    at->body = body;
}

} // namespace

void outbound_queue::push(const peer_message& m) {
  if (const auto* r = std::get_if<raft_message>(&m)) {
    push(r->group, r->body);
    return;
  }
  push(traffic_of(m), [&](byte_buffer& out) { encode_peer(out, m); });
}

void outbound_queue::push(group_id group, const raft::message& m) {
  if (const auto* beat = std::get_if<raft::heartbeat>(&m))
    merge(heartbeats_, group, *beat);
  else if (const auto* response = std::get_if<raft::heartbeat_response>(&m))
    merge(heartbeat_responses_, group, *response);
  else
    push(traffic_of(m), [&](byte_buffer& out) { encode_peer(out, group, m); });
}

std::size_t outbound_queue::bytes() const {
  return queued_bytes_ + heartbeats_.size() * sizeof(group_heartbeat) +
         heartbeat_responses_.size() * sizeof(group_heartbeat_response);
}

bool outbound_queue::full() {
  const std::size_t now = bytes();
  full_ = full_ ? now > options_.pause_bytes / 2 : now >= options_.pause_bytes;
  return full_;
}

void outbound_queue::encode_heartbeats_waiting() {
  if (!heartbeats_.empty())
    push(traffic::control, [&](byte_buffer& out) { encode_heartbeats(out, std::span(std::as_const(heartbeats_))); });
  if (!heartbeat_responses_.empty())
    push(traffic::control,
         [&](byte_buffer& out) { encode_heartbeats(out, std::span(std::as_const(heartbeat_responses_))); });
  heartbeats_.clear();
  heartbeat_responses_.clear();
}

/// Takes whole frames at the lane's front: at least one, then as many as stay within the bound.
void outbound_queue::choose_lane(traffic t, std::size_t bytes_max) {
  current_ = t;
  std::span<const std::byte> rest = lane(t).bytes();
  do {
    const std::size_t frame = frame_bytes(rest);
    if (block_left_ != 0 && block_left_ + frame > bytes_max) return;
    block_left_ += frame;
    rest = rest.subspan(frame);
  } while (!rest.empty());
}

void outbound_queue::choose() {
  encode_heartbeats_waiting();
  if (queued_bytes_ == 0) return;
  byte_buffer& control = lane(traffic::control);
  byte_buffer& log = lane(traffic::log);
  byte_buffer& bulk = lane(traffic::bulk);
  const bool several = !control.empty() + !log.empty() + !bulk.empty() > 1;
  if (options_.bulk_first && !bulk.empty()) {
    choose_lane(traffic::bulk, options_.block_bytes);
  } else if (several && queued_bytes_ <= options_.coalesce_bytes) { // copying so little costs less than another write
    control.append(log.bytes());
    log.clear();
    control.append(bulk.bytes());
    bulk.clear();
    current_ = traffic::control;
    block_left_ = control.size();
  } else if (!control.empty()) {
    choose_lane(traffic::control, options_.block_bytes);
  } else if (!bulk.empty() && (log.empty() || log_bytes_since_bulk_ >= options_.bulk_credit_bytes)) {
    log_bytes_since_bulk_ = 0;
    choose_lane(traffic::bulk, 1);
  } else {
    choose_lane(traffic::log, options_.block_bytes);
    log_bytes_since_bulk_ += block_left_;
  }
}

std::span<const std::byte> outbound_queue::next() {
  if (block_left_ == 0) choose();
  return lane(current_).bytes().first(block_left_);
}

void outbound_queue::written(std::size_t n) {
  QUORUMD_INVARIANT(n <= block_left_, "no more was written than there was");
  lane(current_).consume(n);
  block_left_ -= n;
  queued_bytes_ -= n;
  begun_ = block_left_ != 0;
}

} // namespace quorumd::wire
