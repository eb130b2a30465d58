#include "wire/client_protocol.hpp"

#include "wire/kv_schema.hpp"
#include "wire/schema/client.capnp.h"

#include <algorithm>

namespace quorumd::wire {

using namespace detail;
using std::chrono::milliseconds;

namespace {

void fill_head(schema::Request::Builder to, std::uint64_t id, milliseconds remaining) {
  to.setId(id);
  to.setRemainingMs(static_cast<std::uint32_t>(std::clamp<milliseconds::rep>(remaining.count(), 0, UINT32_MAX)));
}

template <class Fill>
void append_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, std::size_t words_behind_root,
                    Fill fill_body) {
  append_frame<schema::Request>(out, root_words<schema::Request> + words_behind_root, [&](schema::Request::Builder to) {
    fill_head(to, id, remaining);
    fill_body(to);
  });
}

client_hello read_hello(schema::ClientHello::Reader from) {
  return {.version_min = from.getVersionMin(),
          .version_max = from.getVersionMax(),
          .software = text(from.getSoftware()),
          .bulk = from.getBulk()};
}

range_read read_range(schema::RangeRead::Reader from) {
  return {.request = read(from.getRequest()), .serializable = from.getSerializable()};
}

} // namespace

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const client_hello& h) {
  const std::size_t words = struct_words<schema::ClientHello> + text_words(h.software.size());
  append_request(out, id, remaining, words, [&](schema::Request::Builder to) {
    schema::ClientHello::Builder hello = to.initHello();
    hello.setVersionMin(h.version_min);
    hello.setVersionMax(h.version_max);
    hello.setBulk(h.bulk);
    copy_text(h.software, [&](unsigned n) { return hello.initSoftware(n); });
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const kv::command& c) {
  append_request(out, id, remaining, struct_words<schema::Command> + words_behind(c),
                 [&](schema::Request::Builder to) { fill(to.initCommand(), c); });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const range_read& r) {
  const std::size_t words = struct_words<schema::RangeRead> + struct_words<schema::Range> + words_behind(r.request);
  append_request(out, id, remaining, words, [&](schema::Request::Builder to) {
    schema::RangeRead::Builder range = to.initRange();
    range.setSerializable(r.serializable);
    fill(range.initRequest(), r.request);
  });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const status_request& s) {
  append_request(out, id, remaining, 0, [&](schema::Request::Builder to) { to.setStatus(s.all); });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const health_request&) {
  append_request(out, id, remaining, 0, [](schema::Request::Builder to) { to.setHealth(); });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const metrics_request&) {
  append_request(out, id, remaining, 0, [](schema::Request::Builder to) { to.setMetrics(); });
}

void encode_request(byte_buffer& out, std::uint64_t id, milliseconds remaining, const profile_request& p) {
  append_request(out, id, remaining, struct_words<schema::ProfileRequest>, [&](schema::Request::Builder to) {
    schema::ProfileRequest::Builder profile = to.initProfile();
    profile.setKind(static_cast<std::uint8_t>(p.kind));
    profile.setSeconds(
        static_cast<std::uint32_t>(std::clamp<std::chrono::seconds::rep>(p.length.count(), 0, UINT32_MAX)));
  });
}

void encode_request(byte_buffer& out, const client_request& r) {
  std::visit([&](const auto& body) { encode_request(out, r.id, r.remaining, body); }, r.body);
}

decoded<client_request> decode_request(std::span<const std::byte> frame) {
  return decode_segment<schema::Request>(frame, command_nesting_max, [](schema::Request::Reader from) {
    client_request r;
    r.id = from.getId();
    r.remaining = milliseconds(from.getRemainingMs());
    switch (from.which()) {
    case schema::Request::HELLO:
      r.body = read_hello(from.getHello());
      return r;
    case schema::Request::COMMAND:
      r.body = read(from.getCommand());
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

} // namespace quorumd::wire
