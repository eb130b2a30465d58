#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

/// A frame of so many words, each holding its number.
void append_words(byte_buffer& out, std::size_t words) {
  std::byte* at = out.prepare(frame_header_bytes + words * 8);
  write_frame_header(at, words * 8);
  for (std::uint64_t i = 0; i < words; ++i) std::memcpy(at + frame_header_bytes + i * 8, &i, 8);
  out.commit(frame_header_bytes + words * 8);
}

bool holds_words(std::span<const std::byte> content, std::size_t words) {
  if (content.size() != words * 8 || reinterpret_cast<std::uintptr_t>(content.data()) % 8 != 0) return false;
  for (std::uint64_t i = 0; i < words; ++i)
    if (std::memcmp(content.data() + i * 8, &i, 8) != 0) return false;
  return true;
}

codec_errc header_error(std::uint32_t segments, std::uint32_t words, std::size_t frame_max) {
  const std::uint32_t header[2] = {segments, words};
  frame_reader reader(frame_max, 64);
  codec_errc code = codec_errc::none;
  feed(reader, std::as_bytes(std::span(header)), 64, [&](const decoded<std::span<const std::byte>>& frame) {
    if (!frame) code = frame.error().code();
  });
  return code;
}

} // namespace

// Frames of many sizes come out whole and aligned, however the bytes are cut, while some are kept and some are not.
TEST_CASE("frames are cut out of any chunking") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    sampler s(seed);
    byte_buffer sent;
    std::vector<std::size_t> sizes;
    for (int i = 0; i < 60; ++i) {
      sizes.push_back(1 + s.below(s.below(8) == 0 ? 400 : 12));
      append_words(sent, sizes.back());
    }
    frame_reader reader(peer_frame_max, 64 + 8 * s.below(40));
    std::size_t at = 0;
    std::vector<std::pair<chunk_ref, std::pair<std::span<const std::byte>, std::size_t>>> kept;
    feed(reader, sent.bytes(), 1 + s.below(seed % 2 == 0 ? 7 : 900), [&](const decoded<std::span<const std::byte>>& f) {
      REQUIRE(f.has_value());
      REQUIRE(at < sizes.size());
      REQUIRE(holds_words(*f, sizes[at]));
      if (s.below(3) == 0) kept.push_back({reader.share(), {*f, sizes[at]}});
      if (s.below(10) == 0) kept.clear();
      for (const auto& k : kept) REQUIRE(holds_words(k.second.first, k.second.second));
      ++at;
    });
    CHECK(at == sizes.size());
    CHECK(reader.pending_bytes() == 0);
  }
}

// A header that announces what is not allowed is refused before anything was made room for.
TEST_CASE("headers are judged at their bounds") {
  CHECK(header_error(0, 8, 72) == codec_errc::none);
  CHECK(header_error(0, 9, 72) == codec_errc::frame_too_large);
  CHECK(header_error(0, UINT32_MAX, peer_frame_max) == codec_errc::frame_too_large);
  CHECK(header_error(0, 0, 72) == codec_errc::frame_empty);
  CHECK(header_error(1, 1, 72) == codec_errc::frame_segments);
  CHECK(header_error(UINT32_MAX, 1, 72) == codec_errc::frame_segments);
}

// A frame that is too large is passed over however its bytes are cut, in memory that does not grow, and the next one
// comes out whole; one beyond all measure is not.
TEST_CASE("a frame that is too large can be passed over") {
  byte_buffer sent;
  append_words(sent, 3);
  append_words(sent, 20'000);
  append_words(sent, 5);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, std::size_t{100'000'000}}) {
    frame_reader reader(1024, 256);
    std::vector<std::size_t> whole;
    std::size_t skipped = 0;
    std::size_t largest = 0;
    std::span<const std::byte> rest = sent.bytes();
    while (!rest.empty()) {
      const auto into = reader.prepare();
      largest = std::max(largest, into.size());
      const std::size_t n = std::min({into.size(), rest.size(), piece});
      std::memcpy(into.data(), rest.data(), n);
      rest = rest.subspan(n);
      reader.commit(n);
      for (;;) {
        const auto frame = reader.next();
        if (!frame) {
          REQUIRE(frame.error().code() == codec_errc::frame_too_large);
          if (reader.front().size() < frame_reader::front_bytes) break;
          CHECK(holds_words(reader.front(), frame_reader::front_bytes / 8));
          CHECK_FALSE(reader.skip(1000));
          REQUIRE(reader.skip(1'000'000));
          ++skipped;
          continue;
        }
        if (!*frame) break;
        whole.push_back((*frame)->size() / 8);
        CHECK(holds_words(**frame, whole.back()));
      }
    }
    CHECK(whole == std::vector<std::size_t>{3, 5});
    CHECK(skipped == 1);
    CHECK(largest <= 2048);
    CHECK(reader.pending_bytes() == 0);
  }
}

// A stream of frames that nobody keeps is read into the same memory again and again.
TEST_CASE("memory is used again unless it is shared") {
  byte_buffer one;
  append_words(one, 4);
  frame_reader reader(peer_frame_max, 256);
  const std::byte* first = nullptr;
  for (int i = 0; i < 1000; ++i)
    feed(reader, one.bytes(), 1000, [&](const decoded<std::span<const std::byte>>& f) {
      REQUIRE(f.has_value());
      if (first == nullptr) first = f->data();
      CHECK(f->data() == first);
    });
  chunk_ref kept;
  const std::byte* shared = nullptr;
  feed(reader, one.bytes(), 1000, [&](const decoded<std::span<const std::byte>>& f) {
    kept = reader.share();
    shared = f->data();
  });
  for (int i = 0; i < 100; ++i)
    feed(reader, one.bytes(), 1000, [&](const decoded<std::span<const std::byte>>& f) { CHECK(f->data() != shared); });
  CHECK(holds_words({shared, 32}, 4));
}

// The outgoing buffer keeps its bytes and their alignment while it is filled at one end and drained at the other.
TEST_CASE("a byte buffer is a queue of bytes") {
  sampler s(7);
  byte_buffer buffer(4096);
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    if (s.below(3) != 0) {
      const std::string_view more = s.bytes(8 * s.below(40));
      buffer.append(std::as_bytes(std::span(more)));
      expected += more;
    } else {
      const std::size_t n = s.below(expected.size() + 1);
      buffer.consume(n);
      expected.erase(0, n);
    }
    REQUIRE(buffer.size() == expected.size());
    REQUIRE(std::ranges::equal(buffer.bytes(), std::as_bytes(std::span(expected))));
    if (expected.empty()) CHECK(buffer.capacity() <= 4096);
  }
}
