#include "daemon/clients/native/session.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace quorumd::clients {
namespace {

constexpr std::size_t read_bytes = std::size_t{64} * 1024;
/// What a request for the status table holds, for each member's row.
constexpr std::size_t status_row_bytes = std::size_t{2} * 1024;
/// So long a client may pause within a request whose memory others want.
constexpr auto stall_when_full = std::chrono::seconds(1);

} // namespace

session::session(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                 const helpers& h, std::span<const std::byte> begun)
    : connection(p, std::move(s), o, watcher)
    , helpers_(h)
    , waits_(std::make_shared<watch_waits>(asks()))
    , reader_(client::client_request_frame_max, read_bytes)
    , listens_since_(since())
    , more_frames_(!begun.empty()) {
  if (begun.empty()) return;
  const std::span<std::byte> into = reader_.prepare();
  std::memcpy(into.data(), begun.data(), begun.size());
  reader_.commit(begun.size());
  asks().read_at(since());
}

session::~session() {
  asks().memory().requests.give(frame_bytes_);
}

coro::task<void> session::turn_away(std::unique_ptr<coro::stream> s, wire::request_errc code, std::string text) {
  wire::byte_buffer out;
  client::encode_reply(out, 0, client::client_error{.code = code, .text = text, .leader = {}, .store = {}});
  if (auto written = s->write_some(out.bytes()); !written) co_return; // it is gone already
  s->close();
}

coro::task<bool> session::read_once() {
  if (!asks().may_ask()) {
    co_await resumed();
    co_return true;
  }
  if (more_frames_) {
    const bool all_good = take_frames();
    asks().submit();
    if (!out().empty()) wake_writer();
    co_return all_good;
  }
  if (!make_room_for_frame()) {
    co_await resumed();
    co_return true;
  }
  auto reading = read_into(reader_.prepare());
  const auto n = co_await std::move(reading);
  if (!n) co_return false;
  if (*n == 0) co_return true;
  reader_.commit(*n);
  const bool good = take_frames();
  auto turn = end_turn();
  co_await std::move(turn);
  co_return good;
}

/// A frame beyond an ordinary read takes memory of its own, which all clients share: it waits for that in the socket.
bool session::make_room_for_frame() {
  const std::size_t wanted = reader_.wanted();
  if (wanted <= read_bytes || frame_bytes_ != 0) return true;
  if (wanted > asks().memory().requests.left()) return false;
  frame_bytes_ = wanted;
  asks().memory().requests.take(wanted);
  return true;
}

bool session::take_frames() {
  more_frames_ = false;
  for (;;) {
    if (!asks().may_ask()) {
      more_frames_ = true;
      return true;
    }
    const auto frame = reader_.next();
    if (!frame && frame.error().code() == wire::codec_errc::frame_too_large) {
      if (reader_.front().size() < wire::frame_reader::front_bytes) return true; // its id is still to come
      if (refuse_too_large(frame.error().what())) continue;
    }
    if (!frame) {
      bad(frame.error().what());
      return false;
    }
    if (!*frame) return true;
    heard();
    if (frame_bytes_ != 0) asks().memory().requests.give(std::exchange(frame_bytes_, 0));
    take(**frame);
    if (refused_) return false;
  }
}

/// False if it is beyond all measure, or not a request.
bool session::refuse_too_large(const std::string& why) {
  const auto id = client::request_id_at_front(reader_.front());
  if (!reader_.skip(client::client_request_skip_max)) return false;
  refuse(id.value_or(0), wire::request_errc::too_large, why);
  return true;
}

void session::take(std::span<const std::byte> frame) {
  const auto request = client::decode_request(frame);
  if (request) {
    if (has_place(*request)) take(*request);
    return;
  }
  const auto id = client::request_id(frame);
  refuse(id.value_or(0), wire::request_errc::invalid, request.error().what());
}

bool session::has_place(const client::client_request& r) {
  const bool costs_a_place =
      std::holds_alternative<kv::command>(r.body) || std::holds_alternative<client::range_read>(r.body) ||
      std::holds_alternative<client::watch_request>(r.body) || std::holds_alternative<client::snapshot_request>(r.body);
  if (!asks().options().only_health || !costs_a_place) return true;
  watcher().too_many(remote());
  refuse(r.id, wire::request_errc::overloaded, too_many_clients);
  refused_ = true;
  return false;
}

void session::take(const client::client_request& r) {
  const service::time_limits until = asks().limits(r.limits.remaining, r.limits.leader_wait);
  constexpr auto plain = static_cast<std::uint32_t>(asked::plain);
  if (const auto* c = std::get_if<kv::command>(&r.body)) {
    asks().write(r.id, plain, until, *c, r.call);
  } else if (const auto* read = std::get_if<client::range_read>(&r.body)) {
    asks().range(r.id, plain, until, *read);
  } else if (const auto* s = std::get_if<client::status_request>(&r.body)) {
    take_status(r.id, s->all);
  } else if (std::holds_alternative<client::metrics_request>(r.body)) {
    take_metrics(r.id);
  } else if (take_members(r, until)) {
    return;
  } else if (const auto* p = std::get_if<client::profile_request>(&r.body)) {
    take_profile(r.id, *p);
  } else if (const auto* copy = std::get_if<client::snapshot_request>(&r.body)) {
    take_snapshot(r.id, *copy);
  } else if (const auto* w = std::get_if<client::watch_request>(&r.body)) {
    take_watch(r.id, *w);
  } else if (std::holds_alternative<client::health_request>(r.body)) {
    const client::range_read any{.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true},
                                 .serializable = false};
    asks().range(r.id, static_cast<std::uint32_t>(asked::health), until, any, true);
  } else {
    const auto& h = std::get<client::client_hello>(r.body);
    if (h.version_min > client::client_version_max || h.version_max < client::client_version_min)
      return refuse(r.id, wire::request_errc::invalid, "the client speaks versions that this node does not");
    asks().yields(h.bulk);
    const wire::local_identity& self = asks().node().self();
    reply_at_once(r.id, client::hello_reply{.version = std::min(h.version_max, client::client_version_max),
                                            .software = self.software,
                                            .node_name = self.name,
                                            .cluster_name = self.cluster_name});
  }
}

void session::take_status(std::uint64_t id, bool all) {
  const std::size_t held = asks().node().members().size() * status_row_bytes;
  asks().call(id, 0, held, true, [this, all](node::group& g, const node::reply_to& to) {
    const auto reply = [this, to, &g](const std::vector<client::status_row>& rows) {
      asks().reply(g, to,
                   [&](wire::byte_buffer& b) { client::encode_reply(b, to.id, client::status_reply{.rows = rows}); });
    };
    if (all)
      g.status().collect(g.now(), reply);
    else
      reply({g.status().own_row()});
  });
}

/// How long it may pause within a request whose memory others may want.
coro::duration session::frame_patience() {
  const bool wanted = asks().memory().requests.left() < client::client_request_frame_max;
  return wanted ? coro::duration(stall_when_full) : coro::duration(asks().options().handshake_timeout);
}

std::string session::complaint(coro::time_point now) {
  if (frame_bytes_ == 0 || !asks().may_ask()) listens_since_ = now; // it is not for the client to go on
  if (frame_bytes_ != 0 && now - std::max(asks().read_at(), listens_since_) >= frame_patience())
    return "it does not go on with a large request that it began";
  return connection::complaint(now);
}

void session::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) {
  client::encode_reply(out, to.id, r);
}

void session::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (static_cast<asked>(to.slot) == asked::health)
    client::encode_reply(out, to.id, client::health_reply{.serving = true, .reason = {}});
  else
    client::encode_reply(out, to.id, r);
}

void session::encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
                     std::string_view leader) {
  if (static_cast<asked>(to.slot) == asked::health)
    client::encode_reply(out, to.id, client::health_reply{.serving = false, .reason = text});
  else
    client::encode_reply(out, to.id, client::client_error{.code = why, .text = text, .leader = leader, .store = {}});
}

void session::refuse(std::uint64_t id, node::request_errc why, std::string_view text) {
  reply_at_once(id, client::client_error{.code = why, .text = text, .leader = {}, .store = {}});
}

void session::refuse(std::uint64_t id, const kv::error& why) {
  reply_at_once(id, kv::result<kv::reply>(why));
}

void session::bad(const std::string& why) {
  watcher().bad_client(remote(), why);
  refuse(0, wire::request_errc::invalid, why);
}

} // namespace quorumd::clients
