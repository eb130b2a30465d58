#include "consensus/types/entry.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string_view>

using namespace quorumd;

namespace {

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

chunk_ref copy_of(std::span<const std::byte> bytes) {
  chunk_ref c = chunk_ref::allocate(bytes.size());
  std::memcpy(c.data(), bytes.data(), bytes.size());
  return c;
}

} // namespace

// What one node writes another reads: the portable bytes carry everything.
TEST_CASE("an entry parses back from its portable bytes, at every payload length around the padding") {
  for (std::size_t n = 0; n < 20; ++n) {
    const std::string payload(n, 'x');
    const entry e = entry::make(group_id(7), term(3), log_index(12), entry_kind::command, bytes_of(payload));
    CHECK(e.encoded().size() % 8 == 0);
    chunk_ref c = copy_of(e.encoded());
    const entry::parsed back = entry::parse(c, {c.data(), c.size()}, group_id(7));
    REQUIRE(back.value);
    CHECK(back.value->term() == term(3));
    CHECK(back.value->index() == log_index(12));
    CHECK(back.value->kind() == entry_kind::command);
    CHECK(std::memcmp(back.value->payload().data(), payload.data(), n) == 0);
    CHECK(back.value->payload().size() == n);
  }
}

// No single flipped bit passes for an entry.
TEST_CASE("every flipped bit of an entry is noticed") {
  const entry e = entry::make(group_id(1), term(2), log_index(9), entry_kind::command, bytes_of("value"));
  const std::size_t covered = entry_header_bytes + 5;
  for (std::size_t bit = 0; bit < covered * 8; ++bit) {
    chunk_ref c = copy_of(e.encoded());
    c.data()[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    CHECK_FALSE(entry::parse(c, {c.data(), c.size()}, group_id(1)).value);
  }
}

// A frame or a log may end anywhere.
TEST_CASE("an entry that is cut short is refused at every length") {
  const entry e = entry::make(group_id(1), term(2), log_index(9), entry_kind::command, bytes_of("value"));
  for (std::size_t n = 0; n < e.encoded().size(); ++n) {
    chunk_ref c = copy_of(e.encoded().first(n));
    const entry::parsed p = entry::parse(c, {c.data(), n}, group_id(1));
    CHECK_FALSE(p.value);
    CHECK(p.error == entry::parse_error::truncated);
  }
}

// An entry of another group must never enter this one's log.
TEST_CASE("an entry of another group is refused") {
  const entry e = entry::make(group_id(1), term(2), log_index(9), entry_kind::command, {});
  chunk_ref c = copy_of(e.encoded());
  CHECK(entry::parse(c, {c.data(), c.size()}, group_id(2)).error == entry::parse_error::group);
}

// Many small commands share a chunk; each stays alive as long as anyone holds it.
TEST_CASE("pieces of one arena share chunks and outlive it") {
  entry first;
  {
    chunk_arena arena(1024);
    proposal a(arena, 10);
    std::memset(a.payload().data(), 'a', 10);
    a.finish();
    proposal b(arena, 10);
    std::memset(b.payload().data(), 'b', 10);
    b.finish();
    CHECK(b.payload().data() - a.payload().data() == static_cast<std::ptrdiff_t>(entry_encoded_bytes(10)));
    first = std::move(a).seal(group_id(1), term(1), log_index(1));
  }
  CHECK(static_cast<char>(first.payload()[9]) == 'a');
}
