#include "consensus/types/little_endian.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/codec/snapshot_codec.hpp"
#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

#include <cstring>

using namespace quorumd;
using namespace quorumd::client;
using namespace quorumd::kv;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

/// A plain put as it stands in the log, where each field has its place.
struct stored_put {
  chunk_arena arena;
  explicit stored_put(const kv::session_call& call = {})
      : p(encode_command(arena, kv::put{.key = "key", .value = "value"}, call)) {}
  proposal p;
  [[nodiscard]] std::byte* at(std::size_t word) { return p.payload().data() + word * 8; }
  [[nodiscard]] decoded<kv::logged_command> read() { return decode_command(p.payload()); }

  // Word 0 is the pointer to the root; two words of numbers, kind and version first; pointers to body and context.
  [[nodiscard]] std::byte* kind() { return at(1); }
  [[nodiscard]] std::byte* version() { return at(1) + 2; }
};

} // namespace

// The envelope of a put takes no more than the one word in which a context would be announced.
TEST_CASE("a command in the log carries the version that it needs") {
  stored_put put;
  CHECK(load_le<std::uint16_t>(put.version()) == 1);
  CHECK(put.p.payload().size() == 8 * (1 + 4 + 4 + 1 + 1)); // root, command, put, key, value
  REQUIRE(put.read().has_value());
  CHECK_FALSE(put.read()->call);

  // One of a session is for those who know sessions.
  const kv::session_call third{.session = session_id(7), .sequence = 3, .answered = 1};
  stored_put of_session(third);
  CHECK(load_le<std::uint16_t>(of_session.version()) == 2);
  CHECK(of_session.p.payload().size() == 8 * (1 + 4 + 4 + 1 + 1 + 5)); // and the context
  REQUIRE(of_session.read().has_value());
  CHECK(of_session.read()->call == third);

  // What is done with leases is for those who know leases, but a put with one is as it always was.
  chunk_arena arena;
  const auto version = [&](const kv::command& c) {
    const proposal p = encode_command(arena, c);
    return load_le<std::uint16_t>(std::as_const(p).payload().data() + 8 + 2);
  };
  CHECK(version(kv::grant_lease{.id = lease_id(7), .ttl_s = 60}) == 3);
  CHECK(version(kv::revoke_lease{lease_id(7)}) == 3);
  CHECK(version(kv::expire_lease{lease_id(7), log_index(5)}) == 3);
  CHECK(version(kv::checkpoint_leases{}) == 3);
  CHECK(version(kv::raise_level{kv::lease_level}) == 2);
  CHECK(version(kv::configure{.keep_revisions = 1}) == 1);
  CHECK(version(kv::configure{.keep_for_ms = 0}) == 4);
  CHECK(version(kv::put{.key = "key", .lease = lease_id(7)}) == 1);
}

// No more leases are checkpointed at once than one command may, whoever wrote it.
TEST_CASE("a command with too many checkpoints is refused") {
  chunk_arena arena;
  kv::checkpoint_leases c;
  c.list.resize(kv::lease_checkpoints_max);
  const proposal most = encode_command(arena, c);
  REQUIRE(decode_command(std::as_const(most).payload()).has_value());
  c.list.emplace_back();
  const proposal more = encode_command(arena, c);
  const auto read = decode_command(std::as_const(more).payload());
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code() == codec_errc::count);
}

// A later version put something into a command that this one cannot honour: it is refused, never taken in part.
TEST_CASE("a command of a later version is refused") {
  const auto why = [](auto change) {
    stored_put put;
    change(put);
    const auto c = put.read();
    REQUIRE_FALSE(c.has_value());
    CHECK(c.error().code() == codec_errc::unknown_kind);
    return c.error().what();
  };
  CHECK(why([](stored_put& p) { store_le<std::uint16_t>(p.kind(), 99); }) == "a command is of an unknown kind");
  CHECK(why([](stored_put& p) { store_le<std::uint16_t>(p.version(), command_version + 1); }) ==
        "a command is of version 5, and this quorumd knows 1 to 4");
  CHECK(why([](stored_put& p) { store_le<std::uint16_t>(p.version(), 0); }) ==
        "a command is of version 0, and this quorumd knows 1 to 4");
  const auto of_session = [](std::size_t word, std::uint64_t value) {
    stored_put put({.session = session_id(7), .sequence = 3});
    store_le<std::uint64_t>(put.at(11 + word), value); // the context is behind everything else
    const auto c = put.read();
    return c ? std::string("read") : c.error().what();
  };
  constexpr std::uint64_t empty_text = 0xfffffffd | std::uint64_t{2}
                                                        << 32; // as Cap'n Proto points to one, behind itself
  CHECK(of_session(1, 4) == "read");                           // the sequence
  CHECK(of_session(2, 1) == "a command has a context, which this version cannot honour"); // the time
  CHECK(of_session(4, empty_text) == "a command has a context, which this version cannot honour");
}

// The sections of one block come back one behind the other, padded or not.
TEST_CASE("snapshot sections come back as they were") {
  const kv::snapshot_header header{.applied = log_index(3),
                                   .current = revision(9),
                                   .compacted = revision(2),
                                   .settings = {},
                                   .level = 3,
                                   .time_ms = 12,
                                   .content_hash = 77};
  const kv::settings settings{.keep_revisions = 7, .history_bytes_max = 8, .quota_bytes = 9, .keep_for_ms = 10};
  const std::string members = "not a multiple of 8";
  sampler s(5);
  std::vector<kv::record_view> records;
  for (std::uint32_t i = 0; i < 500; ++i)
    records.push_back({.key = s.bytes(30),
                       .value = s.bytes(100),
                       .create_revision = revision(s.number()),
                       .mod_revision = revision(s.number()),
                       .sub = i,
                       .version = s.number(),
                       .lease = lease_id(s.number())});
  byte_buffer block;
  kv::snapshot_header with_settings = header;
  with_settings.settings = settings;
  encode_snapshot_header(block, with_settings);
  encode_snapshot_section(block, snapshot_section::members, std::as_bytes(std::span(members)));
  encode_snapshot_records(block, records);

  std::span<const std::byte> rest = block.bytes();
  auto section = take_snapshot_section(rest);
  REQUIRE(section.has_value());
  CHECK(section->kind == snapshot_section::state);
  CHECK(*decode_snapshot_header(section->body) == header);
  const auto version_of = [](std::span<const std::byte> from) { return load_le<std::uint16_t>(from.data() + 2); };
  CHECK(version_of(rest) == snapshot_settings_version); // they bound history by its age
  section = take_snapshot_section(rest);
  REQUIRE(section.has_value());
  CHECK(section->kind == snapshot_section::settings);
  CHECK(*decode_snapshot_settings(section->body) == settings);
  section = take_snapshot_section(rest);
  REQUIRE(section.has_value());
  CHECK(section->kind == snapshot_section::members);
  CHECK(std::string_view(reinterpret_cast<const char*>(section->body.data()), section->body.size()) == members);
  section = take_snapshot_section(rest);
  REQUIRE(section.has_value());
  CHECK(section->kind == snapshot_section::records);
  std::vector<kv::record_view> read;
  REQUIRE(decode_snapshot_records(section->body, read).has_value());
  CHECK(read == records);
  CHECK_FALSE(decode_snapshot_records(section->body.first(section->body.size() / 2 / 8 * 8), read).has_value());
  CHECK(rest.empty());

  // Without an age they are as they always were; no other section is of a second version.
  byte_buffer plain;
  with_settings.settings->keep_for_ms = 0;
  encode_snapshot_header(plain, with_settings);
  rest = plain.bytes();
  REQUIRE(take_snapshot_section(rest).has_value());
  CHECK(version_of(rest) == snapshot_section_version);
  std::vector<std::byte> later(block.bytes().begin(), block.bytes().end());
  later[2] = std::byte{2};
  rest = later;
  CHECK_FALSE(take_snapshot_section(rest).has_value());
}

// A session with each kind of answer that is kept, and one with none.
TEST_CASE("a session in a snapshot comes back as it was") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    sampler s(seed);
    kv::session_record r{.id = session_id(s.number()),
                         .idle_ms_max = s.number(),
                         .used_ms = s.number(),
                         .answered = s.below(1000),
                         .kept = {}};
    for (std::uint64_t n = s.below(20), at = r.answered; n > 0; --n) {
      at += 1 + s.below(20);
      kv::kept_answer k{.sequence = at, .after = revision(s.number()), .what = kv::kept_answer::plain_put{}};
      const kv::result<kv::reply> outcome = s.result();
      if (s.below(3) == 0)
        k.what = kv::kept_answer::not_kept{};
      else if (s.coin() && outcome)
        k.what = std::make_shared<const kv::owned_reply>(*outcome);
      else if (!outcome)
        k.what = outcome.error();
      r.kept.push_back(std::move(k));
    }
    byte_buffer block;
    encode_snapshot_session(block, r);
    std::span<const std::byte> rest = block.bytes();
    const auto section = take_snapshot_section(rest);
    REQUIRE(section.has_value());
    CHECK(section->kind == snapshot_section::session);
    CHECK(rest.empty());
    const auto read = decode_snapshot_session(section->body);
    REQUIRE(read.has_value());
    CHECK(read->id == r.id);
    CHECK(read->idle_ms_max == r.idle_ms_max);
    CHECK(read->used_ms == r.used_ms);
    CHECK(read->answered == r.answered);
    REQUIRE(read->kept.size() == r.kept.size());
    for (std::size_t i = 0; i < r.kept.size(); ++i) {
      CHECK(read->kept[i].sequence == r.kept[i].sequence);
      CHECK(read->kept[i].after == r.kept[i].after);
      CHECK(read->kept[i].what.index() == r.kept[i].what.index());
      CHECK(dump(read->kept[i].answer()) == dump(r.kept[i].answer()));
    }
    CHECK_FALSE(decode_snapshot_session(section->body.first(8)).has_value());
  }
}

// Any number of leases, with and without what remains of them.
TEST_CASE("leases in a snapshot come back as they were") {
  for (const std::size_t count : {0, 1, 500}) {
    sampler s(count);
    std::vector<kv::lease_record> leases;
    while (leases.size() != count) leases.push_back(s.lease());
    byte_buffer block;
    encode_snapshot_leases(block, leases);
    std::span<const std::byte> rest = block.bytes();
    const auto section = take_snapshot_section(rest);
    REQUIRE(section.has_value());
    CHECK(section->kind == snapshot_section::leases);
    CHECK(rest.empty());
    CHECK(*decode_snapshot_leases(section->body) == leases);
    if (count != 0) CHECK_FALSE(decode_snapshot_leases(section->body.first(8 * count)).has_value());
  }
}

// A section of another kind or version, or one that is cut short.
TEST_CASE("a section that is not known, or not whole, is refused") {
  const std::string body = "members.";
  const auto refused = [&](auto change) {
    byte_buffer block;
    encode_snapshot_section(block, snapshot_section::members, std::as_bytes(std::span(body)));
    std::vector<std::byte> bytes(block.bytes().begin(), block.bytes().end());
    change(bytes);
    std::span<const std::byte> rest = bytes;
    const auto section = take_snapshot_section(rest);
    REQUIRE_FALSE(section.has_value());
    return section.error().code();
  };
  using bytes_of_block = std::vector<std::byte>;
  CHECK(refused([](bytes_of_block& b) { store_le<std::uint16_t>(b.data(), 0); }) == codec_errc::unknown_kind);
  CHECK(refused([](bytes_of_block& b) { store_le<std::uint16_t>(b.data(), 200); }) == codec_errc::unknown_kind);
  CHECK(refused([](bytes_of_block& b) { store_le<std::uint16_t>(b.data() + 2, 0); }) == codec_errc::unknown_kind);
  CHECK(refused([](bytes_of_block& b) { store_le<std::uint16_t>(b.data() + 2, snapshot_section_version + 1); }) ==
        codec_errc::unknown_kind);
  CHECK(refused([](bytes_of_block& b) { store_le<std::uint32_t>(b.data() + 4, 9); }) == codec_errc::malformed);
  CHECK(refused([](bytes_of_block& b) { b.resize(7); }) == codec_errc::malformed);
}
