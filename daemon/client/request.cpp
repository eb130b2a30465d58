#include "daemon/client/protocol.hpp"

#include "daemon/client/members_schema.hpp"
#include "daemon/client/schema/client.capnp.h"
#include "daemon/client/watch_schema.hpp"
#include "daemon/kv/codec/schema.hpp"

#include <algorithm>
#include <cstring>

namespace quorumd::client {

using namespace detail;
using std::chrono::milliseconds;

namespace {

std::uint32_t count_of(milliseconds m) {
  return static_cast<std::uint32_t>(std::clamp<milliseconds::rep>(m.count(), 0, UINT32_MAX));
}

void fill_head(schema::Request::Builder to, std::uint64_t id, request_limits limits) {
  to.setId(id);
  to.setRemainingMs(count_of(limits.remaining));
  to.setLeaderWaitMs(count_of(limits.leader_wait));
}

template <class Fill>
void append_request(byte_buffer& out, std::uint64_t id, request_limits limits, std::size_t words_behind_root,
                    Fill fill_body) {
  append_frame<schema::Request>(out, root_words<schema::Request> + words_behind_root, [&](schema::Request::Builder to) {
    fill_head(to, id, limits);
    fill_body(to);
  });
}

client_hello read_hello(schema::ClientHello::Reader from) {
  return {.version_min = from.getVersionMin(),
          .version_max = from.getVersionMax(),
          .software = text(from.getSoftware()),
          .bulk = from.getBulk()};
}

void take(kv::logged_command c, client_request& r) {
  r.call = c.call;
  r.body = std::move(c.what);
}

range_read read_range(schema::RangeRead::Reader from) {
  return {.request = read(from.getRequest()),
          .serializable = from.getSerializable(),
          .max_age = milliseconds(from.getMaxAgeMs()),
          .keep = milliseconds(from.getKeepMs())};
}

} // namespace

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const client_hello& h) {
  const std::size_t words = struct_words<schema::ClientHello> + text_words(h.software.size());
  append_request(out, id, limits, words, [&](schema::Request::Builder to) {
    schema::ClientHello::Builder hello = to.initHello();
    hello.setVersionMin(h.version_min);
    hello.setVersionMax(h.version_max);
    hello.setBulk(h.bulk);
    copy_text(h.software, [&](unsigned n) { return hello.initSoftware(n); });
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const kv::command& c,
                    const kv::session_call& call) {
  append_request(out, id, limits, struct_words<kv::schema::Command> + words_behind(c, call),
                 [&](schema::Request::Builder to) { fill(to.initCommand(), c, call); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const range_read& r) {
  const std::size_t words = struct_words<schema::RangeRead> + struct_words<kv::schema::Range> + words_behind(r.request);
  append_request(out, id, limits, words, [&](schema::Request::Builder to) {
    schema::RangeRead::Builder range = to.initRange();
    range.setSerializable(r.serializable);
    range.setKeepMs(count_of(r.keep));
    range.setMaxAgeMs(count_of(r.max_age));
    fill(range.initRequest(), r.request);
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const status_request& s) {
  append_request(out, id, limits, 0, [&](schema::Request::Builder to) { to.setStatus(s.all); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const health_request&) {
  append_request(out, id, limits, 0, [](schema::Request::Builder to) { to.setHealth(); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const metrics_request&) {
  append_request(out, id, limits, 0, [](schema::Request::Builder to) { to.setMetrics(); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const profile_request& p) {
  append_request(out, id, limits, struct_words<schema::ProfileRequest>, [&](schema::Request::Builder to) {
    schema::ProfileRequest::Builder profile = to.initProfile();
    profile.setKind(static_cast<std::uint8_t>(p.kind));
    profile.setSeconds(
        static_cast<std::uint32_t>(std::clamp<std::chrono::seconds::rep>(p.length.count(), 0, UINT32_MAX)));
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const members_request&) {
  append_request(out, id, limits, 0, [](schema::Request::Builder to) { to.setMembers(); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const member_change& c) {
  append_request(out, id, limits, struct_words<schema::MemberChange> + words_behind(c),
                 [&](schema::Request::Builder to) { fill(to.initMemberChange(), c); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const leader_transfer& t) {
  append_request(out, id, limits, text_words(t.to.size()), [&](schema::Request::Builder to) {
    if (t.to.empty()) to.initLeaderTransfer(0);
    copy_text(t.to, [&](unsigned n) { return to.initLeaderTransfer(n); });
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const join_request& j) {
  append_request(out, id, limits, struct_words<schema::JoinRequest> + words_behind(j),
                 [&](schema::Request::Builder to) { fill(to.initJoin(), j); });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const snapshot_request& s) {
  append_request(out, id, limits, struct_words<schema::SnapshotRequest>, [&](schema::Request::Builder to) {
    schema::SnapshotRequest::Builder snapshot = to.initSnapshot();
    snapshot.setHandle(s.handle);
    snapshot.setOffset(s.offset);
    snapshot.setAtLeast(s.at_least.value());
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const watch_request& w) {
  append_request(out, id, limits, struct_words<schema::WatchRequest> + words_behind(w),
                 [&](schema::Request::Builder to) { fill(to.initWatch(), w); });
}

void encode_request(byte_buffer& out, const client_request& r) {
  if (const auto* c = std::get_if<kv::command>(&r.body))
    encode_request(out, r.id, r.limits, *c, r.call);
  else
    std::visit([&](const auto& body) { encode_request(out, r.id, r.limits, body); }, r.body);
}

decoded<client_request> decode_request(std::span<const std::byte> frame) {
  return decode_segment<schema::Request>(frame, command_nesting_max, [](schema::Request::Reader from) {
    client_request r;
    r.id = from.getId();
    r.limits = {milliseconds(from.getRemainingMs()), milliseconds(from.getLeaderWaitMs())};
    switch (from.which()) {
    case schema::Request::HELLO:
      r.body = read_hello(from.getHello());
      return r;
    case schema::Request::COMMAND:
      take(read(from.getCommand()), r);
      return r;
    case schema::Request::RANGE:
      r.body = read_range(from.getRange());
      return r;
    case schema::Request::STATUS:
      r.body = status_request{from.getStatus()};
      return r;
    case schema::Request::HEALTH:
      r.body = health_request{};
      return r;
    case schema::Request::METRICS:
      r.body = metrics_request{};
      return r;
    case schema::Request::PROFILE:
      r.body = profile_request{.kind = enumerator(from.getProfile().getKind(), profile_kind::heap),
                               .length = std::chrono::seconds(from.getProfile().getSeconds())};
      return r;
    case schema::Request::MEMBERS:
      r.body = members_request{};
      return r;
    case schema::Request::MEMBER_CHANGE:
      r.body = read(from.getMemberChange());
      return r;
    case schema::Request::LEADER_TRANSFER:
      r.body = leader_transfer{read_member_name(from.getLeaderTransfer())};
      return r;
    case schema::Request::JOIN:
      r.body = read(from.getJoin());
      return r;
    case schema::Request::SNAPSHOT:
      r.body = snapshot_request{.handle = from.getSnapshot().getHandle(),
                                .offset = from.getSnapshot().getOffset(),
                                .at_least = log_index(from.getSnapshot().getAtLeast())};
      return r;
    case schema::Request::WATCH:
      r.body = read(from.getWatch());
      return r;
    }
    refuse(codec_errc::unknown_kind, "the request is of a kind that this version does not know");
  });
}

std::optional<std::uint64_t> request_id(std::span<const std::byte> frame) {
  const decoded<std::uint64_t> id =
      decode_segment<schema::Request>(frame, nesting_max, [](schema::Request::Reader from) { return from.getId(); });
  if (!id) return std::nullopt;
  return *id;
}

// The segment begins with the pointer to its root, behind which the root's data stands: the id is its first word
// (https://capnproto.org/encoding.html#structs).
std::optional<std::uint64_t> request_id_at_front(std::span<const std::byte> front) {
  const auto word = [&](std::size_t i) -> std::optional<std::uint64_t> {
    if (front.size() < (i + 1) * sizeof(std::uint64_t)) return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, front.data() + i * sizeof value, sizeof value);
    return value;
  };
  const auto root = word(0);
  if (!root) return std::nullopt;
  const auto low = static_cast<std::uint32_t>(*root);
  const bool is_struct = (low & 3) == 0 && (low >> 31) == 0;
  const auto data_words = static_cast<std::uint16_t>(*root >> 32);
  if (!is_struct || data_words == 0) return std::nullopt;
  return word(1 + (low >> 2));
}

} // namespace quorumd::client
