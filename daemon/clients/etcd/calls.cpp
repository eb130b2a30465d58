#include "daemon/clients/etcd/calls.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::clients::etcd {

std::size_t message_bytes_max(const session_options& o) {
  constexpr std::size_t overhead = std::size_t{512} * 1024; // what a message may have beyond keys and values
  return o.request_bytes_max + overhead;
}

calls::~calls() {
  for (auto& [id, c] : calls_) count_end(c, counts_of(c), grpc_code::canceled);
  asks().memory().requests.give(body_bytes_);
}

call_head& calls::begin(std::int32_t id) {
  call& c = calls_[id];
  c.since = asks().read_at();
  return c.head;
}

call_head* calls::find(std::int32_t id) {
  const auto found = calls_.find(id);
  return found != calls_.end() ? &found->second.head : nullptr;
}

void calls::data(std::int32_t id, std::span<const std::byte> bytes) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  call& c = found->second;
  if (c.over || (c.asked && !goes_on(c.head.what))) return; // it was answered before it was whole
  const std::size_t most = message_bytes_max(asks().options()) + prefix_bytes;
  if (c.body.size() + bytes.size() > most) {
    drop_body(c);
    finish(id, {grpc_code::resource_exhausted, "grpc: received message larger than max (" +
                                                   std::to_string(c.body.size() + bytes.size()) + " vs. " +
                                                   std::to_string(most - prefix_bytes) + ")"});
    return;
  }
  // What is not whole is bounded for each client and for all of them together.
  if (body_bytes_ + bytes.size() > asks().options().queue_bytes_max / 2 + most ||
      bytes.size() > asks().memory().requests.left()) {
    drop_body(c);
    finish(id, {grpc_code::resource_exhausted, "etcdserver: too many requests are begun and not whole"});
    return;
  }
  c.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  body_bytes_ += bytes.size();
  asks().memory().requests.take(bytes.size());
  if (!goes_on(c.head.what)) return;
  c.since = asks().read_at();
  take_messages(id, c);
}

void calls::drop_body(call& c) {
  body_bytes_ -= c.body.size();
  asks().memory().requests.give(c.body.size());
  c.body.clear();
}

void calls::whole(std::int32_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  call& c = found->second;
  c.whole = true;
  if (goes_on(c.head.what)) return take_messages(id, c);
  if (c.asked) return;
  if (!waiting_.empty() || !asks().may_ask()) return wait(id, c);
  take_call(id, c);
}

void calls::wait(std::int32_t id, call& c) {
  if (!std::exchange(c.waits, true)) waiting_.push_back(id);
}

void calls::take_left() {
  while (!waiting_.empty() && asks().may_ask()) {
    const auto found = calls_.find(waiting_.front());
    waiting_.pop_front();
    if (found == calls_.end()) continue;
    call& c = found->second;
    c.waits = false;
    if (goes_on(c.head.what))
      take_messages(found->first, c);
    else
      take_call(found->first, c);
  }
  end_of_read();
}

void calls::count_start(call& c) {
  if (std::exchange(c.counted, true)) return;
  ++counts_of(c).started;
}

void calls::count_sent(std::int32_t id) {
  if (const auto found = calls_.find(id); found != calls_.end()) ++counts_of(found->second).sent;
}

void calls::count_end(std::int32_t id, grpc_code code) {
  if (const auto found = calls_.find(id); found != calls_.end())
    count_end(found->second, counts_of(found->second), code);
}

void calls::count_end(call& c, call_counts::of_method& counts, grpc_code code) {
  if (!std::exchange(c.counted, false)) return;
  ++counts.ended[std::min(static_cast<std::size_t>(code), call_counts::codes - 1)];
}

void calls::closed(std::int32_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  count_end(found->second, counts_of(found->second), grpc_code::canceled); // unless it had ended
  drop_body(found->second);
  drop_pages(found->second);
  if (found->second.watches) found->second.watches->close();
  if (found->second.steps) found->second.steps->cancel();
  calls_.erase(found);
}

void calls::drop() {
  waiting_.clear(); // nobody would hear of them
  for (auto& [id, c] : calls_) drop_pages(c);
}

std::vector<std::int32_t> calls::late(coro::time_point now, coro::duration patience) const {
  std::vector<std::int32_t> all;
  for (const auto& [id, c] : calls_)
    if (!c.whole && !c.waits && (!c.asked || !c.body.empty()) && now - c.since >= patience) all.push_back(id);
  return all;
}

void calls::take_call(std::int32_t id, call& c) {
  c.asked = true;
  answer_or_ask(id, c);
  drop_body(c); // nothing closes a stream meanwhile
}

/// Whether nothing is done for it, whatever its message says: it is answered then.
bool calls::refuse_call(std::int32_t id, const call& c) {
  if (asks().options().only_health && c.head.what != method::health_check && c.head.what != method::status) {
    carrier_.no_place();
    finish(id, {grpc_code::unavailable, std::string("etcdserver: ") + too_many_clients});
    return true;
  }
  if (!c.head.encoding.empty()) {
    finish(id, {grpc_code::unimplemented,
                "grpc: Decompressor is not installed for grpc-encoding \"" + c.head.encoding + "\""});
    return true;
  }
  if (c.head.what != method::none) return false;
  finish(id, {grpc_code::unimplemented, unknown_call(c.head.path)});
  return true;
}

void calls::answer_or_ask(std::int32_t id, call& c) {
  if (refuse_call(id, c)) return;
  count_start(c);
  ++counts_of(c).received;
  if (c.body.size() < prefix_bytes) return finish(id, {grpc_code::internal, "grpc: the call ended without a message"});
  if (c.body[0] != 0)
    return finish(id, {grpc_code::internal, "grpc: compressed flag set with identity or empty encoding"});
  const std::string_view message = std::string_view(c.body).substr(prefix_bytes);
  if (message_length(c.body) != message.size())
    return finish(id, {grpc_code::internal, "grpc: the message is not as long as it says"});
  dispatch(id, c, message);
}

void calls::finish(std::int32_t id, const grpc_status& s) {
  if (const auto found = calls_.find(id); found != calls_.end()) found->second.asked = found->second.over = true;
  carrier_.end(id, s);
}

void calls::refuse(std::uint64_t id, node::request_errc why, std::string_view text) {
  refuse_with(static_cast<std::int32_t>(id), status_of(why, text));
}

void calls::refuse(std::uint64_t id, const kv::error& why) {
  refuse_with(static_cast<std::int32_t>(id), status_of(why));
}

void calls::refuse_with(std::int32_t id, const grpc_status& s) {
  const auto found = calls_.find(id);
  if (found != calls_.end() && found->second.steps) return found->second.steps->refused(s);
  finish(id, s);
}

void calls::look(coro::time_point now) {
  for (const auto& [id, c] : calls_)
    if (c.steps) c.steps->look(now);
}

/// Answers that came become messages of their calls.
std::size_t calls::take_from(service& s, std::size_t& bytes) {
  came_.clear();
  const std::size_t answered = s.take(came_);
  bytes = came_.size();
  for (std::span<const std::byte> rest = came_.bytes(); !rest.empty();) {
    const staged next = next_staged(rest);
    if (!carrier_.is_open(next.stream)) continue; // it was given up
    if (const auto found = calls_.find(next.stream); found != calls_.end() && found->second.steps) {
      found->second.steps->take(next);
      continue;
    }
    if (next.kind == staged_kind::page) {
      take_page(next);
      continue;
    }
    if (next.kind == staged_kind::end) {
      if (begin_pages_anew(next)) continue;
      finish(next.stream,
             {next.code, std::string(reinterpret_cast<const char*>(next.content.data()), next.content.size())});
      continue;
    }
    if (!finish_pages(next)) carrier_.answer(next.stream, next.content);
    if (next.kind == staged_kind::answer || last_answer(next.stream)) carrier_.end(next.stream, {});
  }
  came_.clear();
  return answered;
}

void calls::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) {
  if (!r) return stage_end(out, to.id, status_of(r.error()));
  const method what = method_in(to.slot);
  const auto* lease = std::get_if<kv::lease_answer>(&r->body);
  if (lease != nullptr && lease->more) return stage_end(out, to.id, lease_too_large());
  const response_header h = header_now(asks().node());
  const staged_kind kind = goes_on(what) ? staged_kind::part : staged_kind::answer;
  stage_message(out, kind, to.id, [&](wire::byte_buffer& b) { return responses_.append(b, h, *r, what); });
}

void calls::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (method_in(to.slot) == method::health_check)
    return stage_message(out, staged_kind::answer, to.id, [](wire::byte_buffer& b) { return write_serving(b, true); });
  if (!r) return stage_end(out, to.id, status_of(r.error()));
  // A client that asked for all takes what it gets for all: it is not to have a part.
  const std::uint32_t limit = limit_in(to.slot);
  if (r->more && (limit == 0 || r->kvs.size() < limit)) {
    if (method_in(to.slot) == method::range_in_pages) return stage_page(out, to.id, *r);
    return stage_end(out, to.id, range_too_large());
  }
  const response_header h = header_now(asks().node());
  stage_message(out, staged_kind::answer, to.id, [&](wire::byte_buffer& b) { return responses_.append(b, h, *r); });
}

void calls::encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text) {
  if (method_in(to.slot) == method::health_check)
    return stage_message(out, staged_kind::answer, to.id, [](wire::byte_buffer& b) { return write_serving(b, false); });
  stage_end(out, to.id, status_of(why, text));
}

} // namespace quorumd::clients::etcd
