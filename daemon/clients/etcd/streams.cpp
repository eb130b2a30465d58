#include "daemon/clients/etcd/calls.hpp"

#include "rpc.pb.h"

#include <algorithm>
#include <utility>

/// Calls whose requests go on.
namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;

/// What a stream holds besides its watches.
constexpr std::size_t stream_bytes = 1024;

watch_create create_of(const pb::WatchCreateRequest& r) {
  watch_create w{.key = r.key(),
                 .range_end = r.range_end(),
                 .start_revision = r.start_revision(),
                 .id = r.watch_id(),
                 .progress_notify = r.progress_notify(),
                 .prev_kv = r.prev_kv(),
                 .fragment = r.fragment()};
  for (const int f : r.filters()) {
    w.no_put |= f == pb::WatchCreateRequest::NOPUT;
    w.no_delete |= f == pb::WatchCreateRequest::NODELETE;
  }
  return w;
}

} // namespace

/// Those that are whole, as far as there is room for what they ask.
void calls::take_messages(std::int32_t id, call& c) {
  if (c.waits) return;
  if (!c.asked) begin_stream(id, c);
  std::string_view rest = c.body;
  while (!c.over && rest.size() >= prefix_bytes && rest.size() - prefix_bytes >= message_length(rest)) {
    if (!asks().may_ask() || !waiting_.empty()) {
      wait(id, c);
      break;
    }
    const std::string_view message = rest.substr(prefix_bytes, message_length(rest));
    if (rest[0] != 0) {
      finish(id, {grpc_code::internal, "grpc: compressed flag set with identity or empty encoding"});
      return drop_body(c);
    }
    take_message(id, c, message);
    rest.remove_prefix(prefix_bytes + message.size());
  }
  if (c.over) return drop_body(c);
  const std::size_t taken = c.body.size() - rest.size();
  c.body.erase(0, taken);
  body_bytes_ -= taken;
  asks().memory().requests.give(taken);
  if (c.head.what == method::lease_keep_alive && c.whole && c.body.empty() && c.unanswered == 0) finish(id, {});
}

void calls::begin_stream(std::int32_t id, call& c) {
  c.asked = true;
  if (refuse_call(id, c)) {
    c.over = true;
    return;
  }
  count_start(c);
  if (c.head.what == method::watch) begin_watches(id, c);
}

void calls::begin_watches(std::int32_t id, call& c) {
  const auto place = asks().hold_place(static_cast<std::uint64_t>(id), stream_bytes);
  if (!place) return;
  const watch_stream::options o{.progress_interval = asks().options().progress_interval,
                                .number = static_cast<unsigned>(id) / 2,
                                .joined_bytes_max = asks().options().queue_bytes_max / 2,
                                .needs_leader = c.head.needs_leader};
  c.watches = std::make_shared<watch_stream>(asks(), id, *place, events_, o);
  asks().node().call([w = c.watches](node::group&) { w->begin(); });
}

void calls::take_message(std::int32_t id, call& c, std::string_view message) {
  ++counts_of(c).received;
  if (c.head.what == method::watch)
    take_watch_message(id, c, message);
  else
    take_renewal(id, c, message);
}

void calls::take_renewal(std::int32_t id, call& c, std::string_view message) {
  parse<pb::LeaseKeepAliveRequest>(id, message, [&](const pb::LeaseKeepAliveRequest& r) {
    ++c.unanswered;
    asks().write(static_cast<std::uint64_t>(id), slot_of(c.head.what), asks().limits({}),
                 kv::lease_question{.what = kv::lease_question::kind::renew,
                                    .id = lease_id(static_cast<std::uint64_t>(r.id()))});
  });
}

/// One more is answered; whether none is left, and none comes.
bool calls::last_answer(std::int32_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || found->second.head.what != method::lease_keep_alive) return false;
  call& c = found->second;
  --c.unanswered;
  return c.whole && c.body.empty() && c.unanswered == 0;
}

void calls::take_watch_message(std::int32_t id, call& c, std::string_view message) {
  parse<pb::WatchRequest>(id, message, [&](const pb::WatchRequest& r) {
    switch (r.request_union_case()) {
    case pb::WatchRequest::kCreateRequest: {
      watch_create w = create_of(r.create_request());
      const std::size_t held = w.key.size() + w.range_end.size();
      return ask_watches(id, c, held, [w = std::move(w)](watch_stream& s) { s.create(w); });
    }
    case pb::WatchRequest::kCancelRequest:
      return ask_watches(id, c, 0, [which = r.cancel_request().watch_id()](watch_stream& s) { s.cancel(which); });
    case pb::WatchRequest::kProgressRequest:
      return ask_watches(id, c, 0, [](watch_stream& s) { s.ask_progress(); });
    case pb::WatchRequest::REQUEST_UNION_NOT_SET: // as etcd does
      return;
    }
  });
}

template <class Do>
void calls::ask_watches(std::int32_t id, call& c, std::size_t held, Do act) {
  asks().call(static_cast<std::uint64_t>(id), 0, held, false,
              [this, w = c.watches, act = std::move(act)](node::group& g, const node::reply_to& to) {
                act(*w);
                asks().release(g, to);
              });
}

void calls::reply_room_came() {
  for (auto& [id, c] : calls_)
    if (c.watches) c.watches->room_came();
}

void calls::left(std::int32_t id, std::size_t bytes) {
  const auto found = calls_.find(id);
  if (found != calls_.end() && found->second.watches) found->second.watches->left(bytes);
}

void calls::stop() {
  for (auto& [id, c] : calls_) {
    if (c.steps) c.steps->fail({grpc_code::unavailable, "etcdserver: server stopped"});
    if (c.watches)
      asks().node().call([w = c.watches](node::group&) {
        w->end({grpc_code::unavailable, "etcdserver: server stopped"});
      });
  }
}

void calls::close_streams() {
  for (auto& [id, c] : calls_) {
    if (c.watches) c.watches->close();
    if (c.steps) c.steps->cancel();
  }
}

} // namespace quorumd::clients::etcd
