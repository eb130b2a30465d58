#include "tests/support/sample.hpp"
#include "wire/outbound_queue.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

constexpr std::size_t small = 128; // bytes of a frame

/// Queues a frame of so many bytes whose content is the letter.
void put(outbound_queue& q, traffic t, char letter, std::size_t bytes = small) {
  q.push(t, [&](byte_buffer& out) {
    std::byte* at = out.prepare(bytes);
    write_frame_header(at, bytes - frame_header_bytes);
    std::fill(at + frame_header_bytes, at + bytes, static_cast<std::byte>(letter));
    out.commit(bytes);
  });
}

/// The letters of the frames in the bytes.
std::string letters(std::span<const std::byte> bytes) {
  std::string text;
  while (!bytes.empty()) {
    text += static_cast<char>(bytes[frame_header_bytes]);
    bytes = bytes.subspan(frame_bytes(bytes));
  }
  return text;
}

/// Writes the next block whole and tells its letters.
std::string write_next(outbound_queue& q) {
  const std::string text = letters(q.next());
  q.written(q.next().size());
  return text;
}

} // namespace

// What queued up of all classes leaves in one write, the urgent first.
TEST_CASE("small frames of all classes leave together, control first") {
  outbound_queue q;
  CHECK(q.next().empty());
  put(q, traffic::bulk, 'b');
  put(q, traffic::log, 'l');
  put(q, traffic::control, 'c');
  put(q, traffic::log, 'm');
  put(q, traffic::control, 'd');
  CHECK(write_next(q) == "cdlmb");
  CHECK(q.empty());
}

// While a write is on its way a later frame neither cuts in nor is lost; it leads the next one.
TEST_CASE("control waits for the block that is on its way, and no longer") {
  outbound_queue q({.block_bytes = 2 * small, .coalesce_bytes = 0});
  for (const char letter : std::string("lmnop")) put(q, traffic::log, letter);
  const std::size_t block = q.next().size();
  CHECK(block == 2 * small);
  CHECK_FALSE(q.mid_block());
  q.written(small / 2);
  CHECK(q.mid_block());
  put(q, traffic::control, 'c');
  CHECK(q.next().size() == block - small / 2);
  q.written(block - small / 2);
  CHECK(write_next(q) == "c");
  CHECK(write_next(q) == "no");
  CHECK(write_next(q) == "p");
  CHECK(q.empty());
}

// A frame larger than a block goes alone and whole.
TEST_CASE("a large frame is a block of its own") {
  outbound_queue q({.block_bytes = 2 * small, .coalesce_bytes = 0});
  put(q, traffic::log, 'L', 10 * small);
  put(q, traffic::log, 'm');
  CHECK(q.next().size() == 10 * small);
  CHECK(write_next(q) == "L");
  CHECK(write_next(q) == "m");
}

// Bulk goes when nothing else waits; under a steady load of log it gets one frame for each credit.
TEST_CASE("bulk moves by credits and never starves") {
  outbound_queue q({.block_bytes = 2 * small, .coalesce_bytes = 0, .bulk_credit_bytes = 4 * small});
  put(q, traffic::bulk, 'a');
  CHECK(write_next(q) == "a");
  for (const char letter : std::string("bcd")) put(q, traffic::bulk, letter);
  std::string order;
  for (int i = 0; i < 9; ++i) {
    put(q, traffic::log, 'l');
    put(q, traffic::log, 'l');
    order += write_next(q);
  }
  CHECK(order == "llllbllllclllld"); // a bulk frame for each four of log
  while (!q.empty()) write_next(q);
}

// Heartbeats of one group become the latest; those of all groups leave as one frame.
TEST_CASE("heartbeats merge") {
  outbound_queue q;
  for (std::uint64_t round = 1; round <= 5; ++round)
    for (std::uint64_t group = 3; group >= 1; --group)
      q.push(group_id(group), raft::heartbeat{.term = term(2), .commit = log_index(round), .round = round});
  q.push(group_id(1), raft::heartbeat_response{.term = term(2), .round = 4});
  q.push(group_id(1), raft::heartbeat_response{.term = term(2), .round = 6});
  q.push(group_id(1), raft::heartbeat_response{.term = term(2), .round = 0}); // to an older term's message
  CHECK_FALSE(q.empty());
  const auto bytes = q.next();
  frame_reader reader(peer_frame_max);
  chunk_arena arena;
  std::vector<peer_message> out;
  int frames = 0;
  feed(reader, bytes, bytes.size(), [&](const decoded<std::span<const std::byte>>& f) {
    ++frames;
    REQUIRE(decode_peer(*f, reader, arena, out).has_value());
  });
  CHECK(frames == 2);
  REQUIRE(out.size() == 4);
  for (std::uint64_t group = 1; group <= 3; ++group) {
    const auto& m = std::get<raft_message>(out[group - 1]);
    CHECK(m.group == group_id(group));
    CHECK(std::get<raft::heartbeat>(m.body).round == 5);
  }
  CHECK(std::get<raft::heartbeat_response>(std::get<raft_message>(out[3]).body).round == 6);
}

// Full at its bound, with room again at half of it; nothing that was queued is lost.
TEST_CASE("a full queue asks for a pause and drops nothing") {
  outbound_queue q({.pause_bytes = 8 * small, .bytes_max = 16 * small, .block_bytes = small});
  for (int i = 0; i < 7; ++i) put(q, traffic::log, 'l');
  CHECK_FALSE(q.full());
  put(q, traffic::log, 'l');
  CHECK(q.full());
  std::size_t written = 0;
  for (; q.full(); ++written) write_next(q);
  CHECK(written == 4);
  for (int i = 0; i < 12; ++i) put(q, traffic::log, 'm');
  CHECK_FALSE(q.over_limit());
  put(q, traffic::control, 'c');
  CHECK(q.over_limit());
  std::string rest;
  while (!q.empty()) rest += write_next(q);
  CHECK(rest == "c"
                "llll"
                "mmmmmmmmmmmm");
}

// Whatever is queued and however writes are cut, each class arrives in order and frames arrive whole.
TEST_CASE("any interleaving keeps frames whole and classes in order") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    sampler s(seed);
    outbound_queue q(
        {.block_bytes = 8 * (1 + s.below(200)), .coalesce_bytes = s.below(2000), .bulk_credit_bytes = 4096});
    std::string sent[traffic_classes];
    std::vector<std::byte> wire;
    for (int step = 0; step < 400; ++step) {
      if (s.coin()) {
        const std::size_t t = s.below(traffic_classes);
        const char letter = static_cast<char>((t << 5) + s.below(32));
        put(q, static_cast<traffic>(t), letter, 16 + 8 * s.below(s.below(5) == 0 ? 200 : 10));
        sent[t] += letter;
      } else {
        const auto block = q.next();
        const std::size_t n = s.below(block.size() + 1);
        wire.insert(wire.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n));
        q.written(n);
      }
    }
    while (!q.empty()) {
      const auto block = q.next();
      wire.insert(wire.end(), block.begin(), block.end());
      q.written(block.size());
    }
    std::string got[traffic_classes];
    for (const char letter : letters(wire)) got[static_cast<std::size_t>(letter) >> 5] += letter;
    for (std::size_t t = 0; t < traffic_classes; ++t) CHECK(got[t] == sent[t]);
  }
}
