#include "daemon/clients/session.hpp"

#include "daemon/kv/validate.hpp"
#include "wire/command_codec.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace quorumd::clients {
namespace {

constexpr std::size_t read_bytes = std::size_t{64} * 1024;
/// Written in one turn of the loop.
constexpr std::size_t write_bytes = std::size_t{256} * 1024;
constexpr std::size_t first_bytes_kept = 8;
/// What a request under way takes besides its keys and values: its record, its places in tables and queues.
constexpr std::size_t request_overhead = 256;
/// The same of a request for the status table, for each member's row.
constexpr std::size_t status_row_bytes = std::size_t{2} * 1024;
/// What each client may ask whatever the others hold: enough for health and status.
constexpr std::size_t least_asked = 1024;
/// Replies to commands cannot wait once these are applied. Beyond so many more bytes than it may hold, a client whose
/// socket takes nothing is let go.
constexpr std::size_t reply_slack = wire::client_reply_frame_max / 2;
/// So long a client may take none of its replies while all clients' memory is nearly full.
constexpr auto stall_when_full = std::chrono::seconds(1);
/// So long a connection that has no place of its own may ask for health.
constexpr auto health_only_for = std::chrono::seconds(10);

bool looks_like_http(std::string_view first) {
  return first.starts_with("PRI ") || first.starts_with("GET ") || first.starts_with("POST") ||
         first.starts_with("PUT ");
}

} // namespace

session::session(coro::loop& l, std::unique_ptr<coro::stream> s, node::node& n, admission& a, shared_memory& m,
                 const session_options& o, observer& watcher, session_metrics& measured, reporter* reports,
                 profiler* profiles)
    : loop_(l)
    , node_(n)
    , admission_(a)
    , memory_(m)
    , options_(o)
    , observer_(watcher)
    , reporter_(reports)
    , profiler_(profiles)
    , metrics_(measured)
    , stream_(std::move(s))
    , reading_(l)
    , writing_(l)
    , wake_(l)
    , settled_(l)
    , resume_(l)
    , reader_(wire::client_request_frame_max, read_bytes)
    , since_(l.now())
    , channel_(l, [this] { take_replies(); }) {}

session::~session() {
  memory_.requests.give(frame_bytes_);
}

coro::task<void> session::refuse(std::unique_ptr<coro::stream> s, wire::request_errc code, std::string text) {
  wire::byte_buffer out;
  wire::encode_reply(out, 0, wire::client_error{.code = code, .text = text, .leader = {}, .store = {}});
  if (auto written = s->write_some(out.bytes()); !written) co_return; // it is gone already
  s->close();
}

coro::task<void> session::serve() {
  stream_->heed_abort(); // a client that has given its requests up may have asked another node since
  reading_.spawn(run_reader());
  writing_.spawn(run_writer());
  co_await reading_.join();
  if (profiler_ != nullptr) profiler_->cancel(this); // nobody is there to read it
  // The session stays until its requests are answered: the answers refer to it.
  while (!settled()) co_await settled_.wait();
  writing_.cancel();
  co_await writing_.join();
  stream_->close();
}

void session::stop_reading() {
  reading_.cancel();
}

coro::task<void> session::run_reader() {
  for (bool open = true; open;) {
    const bool goes_on = co_await read_once();
    open = goes_on;
  }
}

coro::task<bool> session::read_once() {
  if (!may_ask()) {
    co_await resume_.wait();
    co_return true;
  }
  if (more_frames_) {
    const bool all_good = take_frames();
    submit();
    if (!out_.empty()) wake_.set();
    co_return all_good;
  }
  if (!make_room_for_frame()) {
    co_await resume_.wait();
    co_return true;
  }
  const std::span<std::byte> into = reader_.prepare();
  const auto n = stream_->read_some(into);
  if (!n) {
    if (n.error() == boost::asio::error::eof) co_return false; // it may still read
    if (n.error() != boost::asio::error::would_block) {
      break_off();
      co_return false;
    }
    co_await stream_->readable();
    co_return true;
  }
  if (first_bytes_.size() < first_bytes_kept) {
    const std::size_t keep = std::min(*n, first_bytes_kept - first_bytes_.size());
    first_bytes_.append(reinterpret_cast<const char*>(into.data()), keep);
  }
  reader_.commit(*n);
  read_at_ = loop_.now();
  const bool good = take_frames();
  submit();
  if (!out_.empty()) wake_.set();
  // A client that sends as fast as it is read has no more than its turn of the loop.
  auto turn = boost::asio::post(loop_.get_executor(), coro::use_task);
  co_await std::move(turn);
  co_return good;
}

bool session::may_ask() const {
  return request_bytes_ < std::max(share(memory_.requests), least_asked) &&
         reply_bytes_.load() < std::max(share(memory_.replies), least_asked);
}

std::size_t session::share(const shared_pool& pool) const {
  return std::min(options_.queue_bytes_max / 2, pool.left());
}

/// A frame beyond an ordinary read takes memory of its own, which all clients share: it waits for that in the socket.
bool session::make_room_for_frame() {
  const std::size_t wanted = reader_.wanted();
  if (wanted <= read_bytes || frame_bytes_ != 0) return true;
  if (wanted > memory_.requests.left()) return false;
  frame_bytes_ = wanted;
  memory_.requests.take(wanted);
  return true;
}

bool session::take_frames() {
  more_frames_ = false;
  for (;;) {
    if (!may_ask()) {
      more_frames_ = true;
      return true;
    }
    const auto frame = reader_.next();
    if (!frame && frame.error().code() == wire::codec_errc::frame_too_large) {
      if (reader_.front().size() < wire::frame_reader::front_bytes) return true; // its id is still to come
      if (refuse_too_large(frame.error().what())) continue;
    }
    if (!frame) {
      bad(looks_like_http(first_bytes_) ? "it speaks HTTP, which this port does not" : frame.error().what());
      return false;
    }
    if (!*frame) return true;
    heard_ = true;
    if (frame_bytes_ != 0) memory_.requests.give(std::exchange(frame_bytes_, 0));
    take(**frame);
    if (refused_) return false;
  }
}

/// False if it is beyond all measure, or not a request.
bool session::refuse_too_large(const std::string& why) {
  if (looks_like_http(first_bytes_)) return false;
  const auto id = wire::request_id_at_front(reader_.front());
  if (!reader_.skip(wire::client_request_skip_max)) return false;
  refuse_request(id.value_or(0), wire::request_errc::too_large, why);
  return true;
}

void session::take(std::span<const std::byte> frame) {
  const auto request = wire::decode_request(frame);
  if (request) {
    if (has_place(*request)) take(*request);
    return;
  }
  const auto id = wire::request_id(frame);
  refuse_request(id.value_or(0), wire::request_errc::invalid, request.error().what());
}

bool session::has_place(const wire::client_request& r) {
  const bool costs_a_place = std::holds_alternative<kv::command>(r.body) ||
                             std::holds_alternative<wire::range_read>(r.body) ||
                             std::holds_alternative<wire::snapshot_request>(r.body);
  if (!options_.only_health || !costs_a_place) return true;
  observer_.too_many(stream_->remote());
  refuse_request(r.id, wire::request_errc::overloaded, too_many_clients);
  refused_ = true;
  return false;
}

void session::take(const wire::client_request& r) {
  auto remaining = r.limits.remaining.count() > 0 ? r.limits.remaining : options_.timeout_default;
  remaining = std::min(remaining, options_.timeout_max);
  const auto wait = r.limits.leader_wait.count() > 0 ? std::min(r.limits.leader_wait, remaining) : remaining;
  const time_limits until{.deadline = read_at_ + remaining, .leader_by = read_at_ + wait};
  if (const auto* c = std::get_if<kv::command>(&r.body)) {
    take_command(r.id, until, *c, r.call);
  } else if (const auto* read = std::get_if<wire::range_read>(&r.body)) {
    take_range(r.id, until, *read, asked::plain);
  } else if (const auto* s = std::get_if<wire::status_request>(&r.body)) {
    take_status(r.id, s->all);
  } else if (std::holds_alternative<wire::metrics_request>(r.body)) {
    take_metrics(r.id);
  } else if (take_members(r.id, until, r)) {
    return;
  } else if (const auto* p = std::get_if<wire::profile_request>(&r.body)) {
    take_profile(r.id, *p);
  } else if (const auto* copy = std::get_if<wire::snapshot_request>(&r.body)) {
    take_snapshot(r.id, *copy);
  } else if (std::holds_alternative<wire::health_request>(r.body)) {
    const wire::range_read any{.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true},
                               .serializable = false};
    take_range(r.id, until, any, asked::health);
  } else {
    const auto& h = std::get<wire::client_hello>(r.body);
    if (h.version_min > wire::client_version_max || h.version_max < wire::client_version_min) {
      refuse_request(r.id, wire::request_errc::invalid, "the client speaks versions that this node does not");
      return;
    }
    bulk_ = h.bulk;
    reply_at_once(r.id, wire::hello_reply{.version = std::min(h.version_max, wire::client_version_max),
                                          .software = node_.self().software,
                                          .node_name = node_.self().name,
                                          .cluster_name = node_.self().cluster_name});
  }
}

void session::take_status(std::uint64_t id, bool all) {
  if (!admit(id, true)) return;
  ++inflight_;
  const node::reply_to to = answer(id, asked::plain, node_.members().size() * status_row_bytes);
  node_.call([this, to, all](node::group& g) {
    const auto reply = [this, to, &g](const std::vector<wire::status_row>& rows) {
      if (!gone_) wire::encode_reply(staged_, to.id, wire::status_reply{.rows = rows});
      answer_made(to);
      g.flush_later(*this);
    };
    if (all)
      g.status().collect(g.now(), reply);
    else
      reply({g.status().own_row()});
  });
}

void session::submit() {
  const std::size_t batch = writes_.size() + reads_.size();
  if (batch == 0) return;
  const node::arrival came{.received = read_at_, .handed = loop_.now()};
  for (node::write_request& w : writes_) w.arrival = came;
  for (node::read_request& r : reads_) r.arrival = came;
  metrics_.receive.record(came.handed - came.received, batch);
  metrics_.batch.record(batch);
  inflight_ += batch;
  if (!writes_.empty()) node_.submit(writes_);
  if (!reads_.empty()) node_.submit(reads_);
}

bool session::admit(std::uint64_t id, bool urgent) {
  if (inflight_ + writes_.size() + reads_.size() < options_.inflight_max && admission_.enter(urgent)) return true;
  refuse_request(id, wire::request_errc::overloaded, node::describe(wire::request_errc::overloaded));
  return false;
}

/// The request's bytes count from now on until it is answered; the answer brings their number back.
node::reply_to session::answer(std::uint64_t id, asked what, std::size_t request_bytes) {
  const std::size_t held = request_bytes + request_overhead;
  request_bytes_ += held;
  memory_.requests.take(held);
  return {
      .sink = this, .slot = static_cast<std::uint32_t>(what), .generation = static_cast<std::uint32_t>(held), .id = id};
}

void session::refuse_request(std::uint64_t id, wire::request_errc code, std::string_view text) {
  reply_at_once(id, wire::client_error{.code = code, .text = text, .leader = {}, .store = {}});
}

/// So many bytes of replies are held no longer.
void session::left(std::size_t reply_bytes) {
  memory_.replies.give(reply_bytes);
  const std::size_t held = reply_bytes_.fetch_sub(reply_bytes) - reply_bytes;
  // At half of what it may hold, so that a reply is worth the word.
  if (room_wanted_.load() && held <= share(memory_.replies) / 2 && room_wanted_.exchange(false)) node_.room_returned();
  resume_.set();
}

void session::discard_replies() {
  left(out_.size());
  out_.clear();
}

void session::take_replies() {
  if (replies_unwritten_ == 0) replies_since_ = channel_.since();
  const answered came = channel_.take(out_);
  inflight_ -= came.requests;
  replies_unwritten_ += came.requests;
  request_bytes_ -= came.request_bytes;
  memory_.requests.give(came.request_bytes);
  admission_.leave(came.requests);
  resume_.set();
  if (broken_) discard_replies();
  if (too_slow()) give_up_slow();
  if (settled()) settled_.set();
  if (!out_.empty()) wake_.set();
}

coro::task<void> session::run_writer() {
  for (;;) {
    co_await wake_.wait();
    co_await write_out();
    if (settled()) settled_.set();
  }
}

coro::task<void> session::write_out() {
  std::size_t written = 0; // since the others of the loop had their turn
  while (!out_.empty()) {
    if (written >= write_bytes) { // a client that reads as fast as it is written to has no more than its turn
      written = 0;
      auto turn = boost::asio::post(loop_.get_executor(), coro::use_task);
      co_await std::move(turn);
      continue;
    }
    const auto n = stream_->write_some(out_.bytes().first(std::min(out_.size(), write_bytes)));
    if (n) {
      written += *n;
      out_.consume(*n);
      left(*n);
      stalled_ = false;
      continue;
    }
    if (n.error() != boost::asio::error::would_block) {
      break_off();
      co_return;
    }
    if (!std::exchange(stalled_, true)) stalled_since_ = loop_.now();
    if (too_slow()) {
      give_up_slow();
      co_return;
    }
    co_await stream_->writable();
  }
  if (std::size_t n = std::exchange(replies_unwritten_, 0)) metrics_.reply.record(loop_.now() - replies_since_, n);
}

bool session::too_slow() const {
  return stalled_ && reply_bytes_.load() > options_.queue_bytes_max + reply_slack;
}

void session::give_up_slow() {
  observer_.slow_client(stream_->remote(), reply_bytes_.load());
  break_off();
}

/// How long it may pause within a request whose memory others may want.
coro::duration session::frame_patience() const {
  const bool wanted = memory_.requests.left() < wire::client_request_frame_max;
  return wanted ? coro::duration(stall_when_full) : coro::duration(options_.handshake_timeout);
}

void session::look_after(coro::time_point now) {
  if (broken_) return;
  if (frame_bytes_ == 0 || !may_ask()) listens_since_ = now; // it is not for the client to go on
  if (!heard_ && now - since_ >= options_.handshake_timeout) {
    observer_.bad_client(stream_->remote(), "it said nothing whole within limits.handshake_timeout");
    break_off();
  } else if (stalled_ && memory_.replies.nearly_full() && now - stalled_since_ >= stall_when_full) {
    give_up_slow(); // there is no room for the others while it stays
  } else if (frame_bytes_ != 0 && now - std::max(read_at_, listens_since_) >= frame_patience()) {
    observer_.bad_client(stream_->remote(), "it does not go on with a large request that it began");
    break_off();
  } else if (options_.only_health && now - since_ >= health_only_for) {
    break_off();
  }
  resume_.set(); // what all clients hold may have become less
}

void session::break_off() {
  broken_ = true;
  gone_ = true;
  discard_replies();
  reading_.cancel();
  if (settled()) settled_.set();
}

void session::wrote(const node::reply_to& to, const kv::result<kv::reply>& r) {
  if (!gone_) wire::encode_reply(staged_, to.id, r);
  answer_made(to);
}

void session::ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (!gone_ && static_cast<asked>(to.slot) == asked::health)
    wire::encode_reply(staged_, to.id, wire::health_reply{.serving = true, .reason = {}});
  else if (!gone_)
    wire::encode_reply(staged_, to.id, r);
  answer_made(to);
}

void session::failed(const node::reply_to& to, node::request_errc why, std::string_view detail) {
  const std::string_view text = detail.empty() ? node::describe(why) : detail;
  const bool elsewhere = why == wire::request_errc::not_leader;
  const std::string_view leader = elsewhere ? node_.the_group().leader_address() : std::string_view();
  if (!gone_ && static_cast<asked>(to.slot) == asked::health)
    wire::encode_reply(staged_, to.id, wire::health_reply{.serving = false, .reason = text});
  else if (!gone_)
    wire::encode_reply(staged_, to.id, wire::client_error{.code = why, .text = text, .leader = leader, .store = {}});
  answer_made(to);
}

/// For each request once, whether there was anybody to answer or not.
void session::answer_made(const node::reply_to& to) {
  reserved_bytes_ -= to.reserved;
  ++staged_answers_.requests;
  staged_answers_.request_bytes += to.generation;
}

void session::flush() {
  reply_bytes_ += staged_.size();
  memory_.replies.take(staged_.size());
  channel_.push(staged_, std::exchange(staged_answers_, {}));
}

bool session::has_room(const node::reply_to&) const {
  const auto room = [this] { return reply_bytes_.load() + staged_.size() + reserved_bytes_ < share(memory_.replies); };
  if (room()) return true;
  room_wanted_ = true;
  return room(); // or its word that there is room may have come just before
}

void session::reserve(const node::reply_to& to) {
  reserved_bytes_ += to.reserved;
}

void session::unreserve(const node::reply_to& to) {
  reserved_bytes_ -= to.reserved;
}

bool session::gone(const node::reply_to&) const {
  return gone_;
}

void session::bad(const std::string& why) {
  observer_.bad_client(stream_->remote(), why);
  refuse_request(0, wire::request_errc::invalid, why);
}

} // namespace quorumd::clients
