#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/codec/snapshot_codec.hpp"
#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace quorumd;
using namespace quorumd::client;
using namespace quorumd::kv;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

using reader = std::function<bool(std::span<const std::byte>)>; ///< whether it was taken

void check_in_range(const peer_message& m) {
  const auto* r = std::get_if<raft_message>(&m);
  const auto* a = r == nullptr ? nullptr : std::get_if<raft::append_request>(&r->body);
  if (a == nullptr) return;
  CHECK(a->term.value() <= number_max);
  log_index at = a->prev_index;
  for (const entry& e : a->entries) {
    CHECK(e.index() == at.next());
    CHECK(e.term() <= a->term);
    at = at.next();
  }
}

bool read_peer(std::span<const std::byte> content) {
  // Through a reader, so that entries can be shared.
  std::vector<std::byte> frame(frame_header_bytes + content.size());
  if (content.empty() || content.size() % 8 != 0) return false;
  write_frame_header(frame.data(), content.size());
  std::copy(content.begin(), content.end(), frame.begin() + frame_header_bytes);
  bool taken = false;
  frame_reader source(peer_frame_max, 64);
  chunk_arena arena;
  std::vector<peer_message> out;
  feed(source, frame, frame.size(), [&](const decoded<std::span<const std::byte>>& f) {
    if (!f) return;
    taken = decode_peer(*f, source, arena, out).has_value();
  });
  for (const peer_message& m : out) {
    check_in_range(m);
    (void)dump(m);
  }
  return taken;
}

bool read_result(std::span<const std::byte> bytes) {
  byte_buffer out;
  const bool forwarded = encode_reply(out, 1, bytes).has_value();
  if (forwarded) (void)decode_reply(content(out));
  const auto r = decode_result(bytes);
  if (r) (void)dump(*r);
  return r.has_value();
}

template <class R>
bool dumped(const R& r) {
  if (r) (void)dump(*r);
  return r.has_value();
}

/// Every truncation, and random flips and overwritten words: nothing crashes, nothing reads outside of its bytes.
void torment(std::span<const std::byte> whole, sampler& s, const reader& read) {
  REQUIRE(read(exact_bytes(whole).bytes()));
  for (std::size_t n = 0; n<whole.size(); n += whole.size()> 600 ? 8 : 1)
    (void)read(exact_bytes(whole.first(n)).bytes());
  for (int round = 0; round < 60; ++round) {
    exact_bytes copy(whole);
    for (std::uint64_t n = 1 + s.below(4); n > 0; --n) {
      const std::size_t at = s.below(copy.bytes().size());
      if (s.coin())
        copy.bytes()[at] ^= static_cast<std::byte>(1U << s.below(8));
      else
        copy.bytes()[at] = static_cast<std::byte>(s.below(256));
    }
    (void)read(copy.bytes());
  }
}

} // namespace

// Damaged peer messages of every kind are refused or decode to something in range.
TEST_CASE("damaged peer messages do no harm") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    sampler s(seed);
    for (std::size_t kind = 0; kind < sampler::kinds; ++kind) {
      byte_buffer out;
      encode_peer(out, s.message_of(kind));
      if (out.size() < 8000) torment(content(out), s, read_peer);
    }
    byte_buffer out;
    encode_hello(out, s.greeting());
    torment(content(out), s, [](std::span<const std::byte> b) { return decode_greeting(b).has_value(); });
  }
}

// The same for clients' requests, the log's commands, results and replies.
TEST_CASE("damaged requests, commands and replies do no harm") {
  chunk_arena arena;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    sampler s(seed);
    byte_buffer out;
    encode_request(out, s.request());
    torment(content(out), s, [](std::span<const std::byte> b) {
      (void)request_id(b);
      return dumped(decode_request(b));
    });
    const proposal p = encode_command(arena, s.command(), s.session_call());
    torment(p.payload(), s, [](std::span<const std::byte> b) { return dumped(decode_command(b)); });
    torment(encode_result(arena, s.result()).bytes, s, read_result);
    out.clear();
    encode_reply(out, 1, kv::result<kv::range_reply>(s.range_reply(10)));
    torment(content(out), s, [](std::span<const std::byte> b) { return dumped(decode_reply(b)); });
    out.clear();
    encode_reply(out, 1, s.membership());
    torment(content(out), s, [](std::span<const std::byte> b) { return dumped(decode_reply(b)); });
  }
}

// A stream of any bytes ends in an error or in a wait for more.
TEST_CASE("garbage is refused") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    sampler s(seed);
    const std::string_view garbage = s.bytes(300);
    frame_reader source(peer_frame_max, 64);
    chunk_arena arena;
    std::vector<peer_message> out;
    feed(source, std::as_bytes(std::span(garbage)), 50, [&](const decoded<std::span<const std::byte>>& f) {
      if (f) (void)decode_peer(*f, source, arena, out);
    });
    CHECK(out.empty());
  }
}
