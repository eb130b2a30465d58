#include "daemon/clients/session.hpp"

#include "daemon/kv/validate.hpp"
#include "wire/command_codec.hpp"

#include <cstring>
#include <string>
#include <utility>

// What a session makes of commands and ranges before it hands them on.
namespace quorumd::clients {
namespace {

std::string_view copy_into(std::byte*& at, std::string_view text) {
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  const std::string_view copy(reinterpret_cast<const char*>(at), text.size());
  at += text.size();
  return copy;
}

} // namespace

void session::take_command(std::uint64_t id, time_limits until, const kv::command& c, const kv::session_call& call) {
  if (kv::is_leaders_own(c)) {
    refuse_request(id, wire::request_errc::invalid, "only a leader proposes this command");
    return;
  }
  if (auto numbers = kv::validate(call); !numbers) {
    reply_at_once(id, kv::result<kv::reply>(numbers.error()));
    return;
  }
  if (auto valid = kv::validate(c, options_.request_bytes_max); !valid) {
    if (valid.error().code() == kv::errc::request_too_large)
      refuse_request(id, wire::request_errc::too_large,
                     "the request's keys and values take more than limits.request_bytes_max, here " +
                         std::to_string(options_.request_bytes_max) + " bytes");
    else
      reply_at_once(id, kv::result<kv::reply>(valid.error()));
    return;
  }
  if (!admit(id)) return;
  proposal command = wire::encode_command(arena_, c, call);
  const std::size_t bytes = std::as_const(command).payload().size();
  if (const auto* t = std::get_if<kv::txn>(&c); t != nullptr && kv::only_reads(*t)) {
    read_transaction(id, until, command);
    return;
  }
  writes_.push_back({.to = answer(id, asked::plain, bytes),
                     .deadline = until.deadline,
                     .leader_by = until.leader_by,
                     .command = std::move(command),
                     .grows = node::may_grow(c),
                     .answers = node::answers_much(c),
                     .bulk = bulk_,
                     .sessions = kv::needs_sessions(c, call)});
}

/// It never comes into the log: any node answers it from its own state, as of a moment after it was asked.
void session::read_transaction(std::uint64_t id, time_limits until, const proposal& encoded) {
  node::read_request read;
  read.to = answer(id, asked::plain, encoded.payload().size());
  read.deadline = until.deadline;
  read.leader_by = until.leader_by;
  read.hold = encoded.chunk();
  read.transaction = encoded.payload();
  read.bulk = bulk_;
  reads_.push_back(std::move(read));
}

void session::take_range(std::uint64_t id, time_limits until, const wire::range_read& r, asked what) {
  if (auto valid = kv::validate(r.request); !valid) {
    reply_at_once(id, kv::result<kv::range_reply>(valid.error()));
    return;
  }
  if (!admit(id, what == asked::health)) return;
  const std::size_t bytes = r.request.key.size() + r.request.range_end.size() + 1;
  node::read_request read{.to = answer(id, what, bytes),
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
  read.needs_data = what != asked::health;
  read.hold = std::move(piece.chunk);
  if (read.range.page_bytes_max == 0 || read.range.page_bytes_max > kv::reply_bytes_max)
    read.range.page_bytes_max = kv::reply_bytes_max;
  reads_.push_back(std::move(read));
}

} // namespace quorumd::clients
