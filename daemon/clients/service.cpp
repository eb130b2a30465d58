#include "daemon/clients/service.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/validate.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace quorumd::clients {
namespace {

/// What a request under way takes besides its keys and values: its record, its places in tables and queues.
constexpr std::size_t request_overhead = 256;
/// What each client may ask whatever the others hold: enough for health and status.
constexpr std::size_t least_asked = 1024;

std::string_view copy_into(std::byte*& at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  const std::string_view copy(reinterpret_cast<const char*>(at), text.size());
  at += text.size();
  return copy;
}

} // namespace

service::service(const parts& p, const session_options& o, protocol& by)
    : loop_(p.loop)
    , node_(p.node)
    , admission_(p.admission)
    , memory_(p.memory)
    , metrics_(p.measured)
    , options_(o)
    , protocol_(by)
    , channel_(p.loop, [this] { protocol_.replies_came(); }) {}

service::time_limits service::limits(std::chrono::milliseconds remaining, std::chrono::milliseconds leader_wait) const {
  if (remaining.count() <= 0) remaining = options_.timeout_default;
  remaining = std::min(remaining, options_.timeout_max);
  const auto wait = leader_wait.count() > 0 ? std::min(leader_wait, remaining) : remaining;
  return {.deadline = read_at_ + remaining, .leader_by = read_at_ + wait};
}

void service::write(std::uint64_t id, std::uint32_t slot, time_limits until, const kv::command& c,
                    const kv::session_call& call) {
  if (kv::is_leaders_own(c))
    return protocol_.refuse(id, node::request_errc::invalid, "only a leader proposes this command");
  if (auto numbers = kv::validate(call); !numbers) return protocol_.refuse(id, numbers.error());
  if (auto valid = kv::validate(c, options_.request_bytes_max); !valid) {
    if (valid.error().code() != kv::errc::request_too_large) return protocol_.refuse(id, valid.error());
    return protocol_.refuse(id, node::request_errc::too_large,
                            "the request's keys and values take more than limits.request_bytes_max, here " +
                                std::to_string(options_.request_bytes_max) + " bytes");
  }
  if (!admit(id)) return;
  proposal command = kv::encode_command(arena_, c, call);
  const std::size_t bytes = std::as_const(command).payload().size();
  if (const auto* t = std::get_if<kv::txn>(&c); t != nullptr && kv::only_reads(*t))
    return read_transaction(id, slot, until, command);
  writes_.push_back({.to = answer(id, slot, bytes),
                     .deadline = until.deadline,
                     .leader_by = until.leader_by,
                     .command = std::move(command),
                     .grows = node::may_grow(c),
                     .answers = node::answers_much(c),
                     .bulk = bulk_,
                     .question = std::holds_alternative<kv::lease_question>(c),
                     .level = kv::needed_level(c, call)});
}

void service::write_for_nobody(const kv::command& c) {
  submit(); // before what it follows
  read_at_ = loop_.now();
  const time_limits until = limits({});
  writes_.push_back({.to = {},
                     .deadline = until.deadline,
                     .leader_by = until.leader_by,
                     .command = kv::encode_command(arena_, c, {}),
                     .grows = node::may_grow(c),
                     .level = kv::needed_level(c, {})});
  for (node::write_request& w : writes_) w.arrival = {.received = read_at_, .handed = read_at_};
  node_.submit(writes_);
}

/// It never comes into the log: any node answers it from its own state, as of a moment after it was asked.
void service::read_transaction(std::uint64_t id, std::uint32_t slot, time_limits until, const proposal& encoded) {
  node::read_request read;
  read.to = answer(id, slot, encoded.payload().size());
  read.deadline = until.deadline;
  read.leader_by = until.leader_by;
  read.hold = encoded.chunk();
  read.transaction = encoded.payload();
  read.bulk = bulk_;
  reads_.push_back(std::move(read));
}

void service::range(std::uint64_t id, std::uint32_t slot, time_limits until, const client::range_read& r, bool urgent) {
  if (auto valid = kv::validate(r.request); !valid) return protocol_.refuse(id, valid.error());
  if (!admit(id, urgent)) return;
  const std::size_t bytes = r.request.key.size() + r.request.range_end.size() + 1;
  node::read_request read{.to = answer(id, slot, bytes),
                          .deadline = until.deadline,
                          .leader_by = until.leader_by,
                          .hold = {},
                          .range = r.request,
                          .keep = r.keep,
                          .max_age = r.max_age,
                          .stale = r.serializable && r.max_age.count() == 0,
                          .bulk = bulk_};
  chunk_arena::piece piece = arena_.allocate(bytes);
  std::byte* at = piece.data;
  read.range.key = copy_into(at, r.request.key);
  read.range.range_end = copy_into(at, r.request.range_end);
  read.needs_data = !urgent;
  read.hold = std::move(piece.chunk);
  if (read.range.page_bytes_max == 0 || read.range.page_bytes_max > kv::reply_bytes_max)
    read.range.page_bytes_max = kv::reply_bytes_max;
  reads_.push_back(std::move(read));
}

bool service::call(std::uint64_t id, std::uint32_t slot, std::size_t held, bool urgent, question ask) {
  if (!admit(id, urgent)) return false;
  ++inflight_;
  const node::reply_to to = answer(id, slot, held);
  node_.call([to, ask = std::move(ask)](node::group& g) { ask(g, to); });
  return true;
}

std::optional<node::reply_to> service::hold_place(std::uint64_t id, std::size_t held) {
  if (!admit(id)) return std::nullopt;
  ++inflight_;
  return answer(id, 0, held);
}

bool service::take_place(std::uint64_t id) {
  if (!admit(id)) return false;
  ++inflight_;
  return true;
}

void service::leave_place() {
  --inflight_;
  admission_.leave(1);
  protocol_.room_came();
}

void service::submit() {
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

bool service::may_ask() const {
  return request_bytes_ < std::max(share(memory_.requests), least_asked) &&
         reply_bytes_.load() < std::max(share(memory_.replies), least_asked);
}

std::size_t service::share(const shared_pool& pool) const {
  return std::min(options_.queue_bytes_max / 2, pool.left());
}

bool service::admit(std::uint64_t id, bool urgent) {
  if (inflight_ + writes_.size() + reads_.size() < options_.inflight_max && admission_.enter(urgent)) return true;
  protocol_.refuse(id, node::request_errc::overloaded, node::describe(node::request_errc::overloaded));
  return false;
}

/// The request's bytes count from now on until it is answered; the answer brings their number back.
node::reply_to service::answer(std::uint64_t id, std::uint32_t slot, std::size_t request_bytes) {
  const std::size_t held = request_bytes + request_overhead;
  request_bytes_ += held;
  memory_.requests.take(held);
  return {.sink = this, .slot = slot, .generation = static_cast<std::uint32_t>(held), .id = id};
}

std::size_t service::take(wire::byte_buffer& out) {
  const answered came = channel_.take(out);
  inflight_ -= came.requests;
  request_bytes_ -= came.request_bytes;
  memory_.requests.give(came.request_bytes);
  admission_.leave(came.requests);
  return came.requests;
}

void service::holds(std::size_t reply_bytes) {
  reply_bytes_ += reply_bytes;
  memory_.replies.take(reply_bytes);
}

void service::left(std::size_t reply_bytes) {
  memory_.replies.give(reply_bytes);
  const std::size_t held = reply_bytes_.fetch_sub(reply_bytes) - reply_bytes;
  // At half of what it may hold, so that a reply is worth the word.
  if (room_wanted_.load() && held <= share(memory_.replies) / 2 && room_wanted_.exchange(false)) {
    node_.room_returned();
    protocol_.reply_room_came();
  }
  protocol_.room_came();
}

void service::wrote(const node::reply_to& to, const kv::result<kv::reply>& r) {
  if (!gone_) protocol_.encode(staged_, to, r);
  answer_made(to);
}

void service::ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (!gone_) protocol_.encode(staged_, to, r);
  answer_made(to);
}

void service::failed(const node::reply_to& to, node::request_errc why, std::string_view detail) {
  const std::string_view text = detail.empty() ? node::describe(why) : detail;
  const bool elsewhere = why == node::request_errc::not_leader;
  const std::string_view leader = elsewhere ? node_.the_group().leader_address() : std::string_view();
  if (!gone_) protocol_.encode(staged_, to, why, text, leader);
  answer_made(to);
}

/// For each request once, whether there was anybody to answer or not.
void service::answer_made(const node::reply_to& to) {
  reserved_bytes_ -= to.reserved;
  ++staged_answers_.requests;
  staged_answers_.request_bytes += to.generation;
}

void service::flush() {
  reply_bytes_ += staged_.size();
  memory_.replies.take(staged_.size());
  channel_.push(staged_, std::exchange(staged_answers_, {}));
}

bool service::has_room(const node::reply_to&) const {
  const auto room = [this] { return reply_bytes_.load() + staged_.size() + reserved_bytes_ < share(memory_.replies); };
  if (room()) return true;
  room_wanted_ = true;
  return room(); // or its word that there is room may have come just before
}

void service::reserve(const node::reply_to& to) {
  reserved_bytes_ += to.reserved;
}

void service::unreserve(const node::reply_to& to) {
  reserved_bytes_ -= to.reserved;
}

bool service::gone(const node::reply_to&) const {
  return gone_;
}

} // namespace quorumd::clients
