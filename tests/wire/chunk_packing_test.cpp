#include "wire/chunk_packing.hpp"

#include <doctest/doctest.h>

#include <zstd.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::wire;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string records(std::size_t bytes) {
  std::string text;
  for (std::size_t n = 0; text.size() < bytes; ++n)
    text += R"({"id":)" + std::to_string(n * 7919) + R"(,"kind":"sensor","state":"ok"})";
  text.resize(bytes);
  return text;
}

std::string noise(std::size_t bytes) {
  std::mt19937_64 random(1); // NOLINT: the same on every run
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// A frame of these bytes as zstd makes it by itself.
std::string frame_of(const std::string& plain) {
  std::string frame(ZSTD_compressBound(plain.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), plain.data(), plain.size(), 1));
  return frame;
}

snapshot_chunk chunk_of(std::span<const std::byte> frame, std::size_t packed_of) {
  snapshot_chunk c;
  c.bytes.bytes = frame;
  c.packed_of = packed_of;
  return c;
}

/// Why it is refused; empty if it is not.
std::string refusal(std::span<const std::byte> frame, std::size_t packed_of) {
  chunk_unpacker unpacker;
  const auto plain = unpacker.unpack(chunk_of(frame, packed_of));
  if (plain) return {};
  CHECK(plain.error().code() == codec_errc::packing);
  return plain.error().what();
}

bool says(const std::string& text, const char* part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

} // namespace

// Each is a frame of its own: any one can be read, in any order, and by zstd alone.
TEST_CASE("packed chunks come back as they were, each by itself") {
  chunk_packer packer;
  chunk_unpacker unpacker;
  std::vector<std::string> plain{records(snapshot_chunk_bytes_max), records(100), std::string(1000, 'x')};
  std::vector<shared_bytes> packed;
  for (const std::string& p : plain) {
    auto frame = packer.pack(bytes_of(p));
    REQUIRE(frame.has_value());
    CHECK(frame->bytes.size() < p.size());
    packed.push_back(*std::move(frame));
  }
  for (const std::size_t i : {2, 0, 1, 0}) {
    const auto back = unpacker.unpack(chunk_of(packed[i].bytes, plain[i].size()));
    REQUIRE(back.has_value());
    CHECK(std::ranges::equal(*back, bytes_of(plain[i])));
  }
  CHECK(packed[0].bytes.size() < snapshot_chunk_bytes_max / 4);
  std::string alone(plain[0].size(), '\0');
  CHECK(ZSTD_decompress(alone.data(), alone.size(), packed[0].bytes.data(), packed[0].bytes.size()) == alone.size());
  CHECK(alone == plain[0]);
}

TEST_CASE("a chunk that would not get smaller is not packed") {
  chunk_packer packer;
  CHECK_FALSE(packer.pack(bytes_of(noise(snapshot_chunk_bytes_max))).has_value());
  CHECK_FALSE(packer.pack(bytes_of("ab")).has_value());
  CHECK_FALSE(packer.pack({}).has_value());
  CHECK(packer.pack(bytes_of(records(1000))).has_value());
}

TEST_CASE("a chunk that is not packed is given as it is") {
  chunk_unpacker unpacker;
  const std::string plain = records(500);
  const auto same = unpacker.unpack(chunk_of(bytes_of(plain), 0));
  REQUIRE(same.has_value());
  CHECK(same->data() == bytes_of(plain).data());
}

// Whatever the frame says of itself, no more than was announced is unpacked, nor more than a chunk may have.
TEST_CASE("a frame that holds more or less than was announced is refused") {
  const std::string plain = records(5000);
  const std::string frame = frame_of(plain);
  CHECK(refusal(bytes_of(frame), 5000).empty());
  CHECK(says(refusal(bytes_of(frame), 4999), "too small"));
  CHECK(says(refusal(bytes_of(frame), 5001), "5001 bytes were announced, and there are 5000"));
  CHECK(says(refusal(bytes_of(frame), snapshot_chunk_bytes_max + 1), "more bytes than a chunk may have"));
  const std::string bomb = frame_of(std::string(std::size_t{64} << 20, '\0'));
  REQUIRE(bomb.size() < snapshot_chunk_bytes_max);
  CHECK(says(refusal(bytes_of(bomb), snapshot_chunk_bytes_max), "too small"));
}

// The frame has a checksum: no bit of it may be another.
TEST_CASE("a damaged frame is refused, and the unpacker goes on with a sound one") {
  chunk_packer packer;
  chunk_unpacker unpacker;
  const std::string plain = records(3000);
  const auto packed = packer.pack(bytes_of(plain));
  REQUIRE(packed.has_value());
  const std::vector<std::byte> sound(packed->bytes.begin(), packed->bytes.end());
  for (std::size_t bit = 0; bit < sound.size() * 8; ++bit) {
    CAPTURE(bit);
    std::vector<std::byte> damaged = sound;
    damaged[bit / 8] ^= std::byte{1} << bit % 8;
    const auto back = unpacker.unpack(chunk_of(damaged, plain.size()));
    // Some bits of the header say only how much memory a reader that goes by pieces is to have.
    CHECK((back.has_error() || std::ranges::equal(*back, bytes_of(plain))));
  }
  CHECK(says(refusal(bytes_of(noise(100)), 5000), "cannot be unpacked"));
  CHECK(says(refusal(std::span(sound).first(sound.size() - 5), plain.size()), "cannot be unpacked"));
  CHECK(unpacker.unpack(chunk_of(sound, plain.size())).has_value());
}
