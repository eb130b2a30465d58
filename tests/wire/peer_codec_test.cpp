#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

/// Sends the frames through a reader and gives what came out; the errors too.
struct received {
  std::vector<peer_message> messages;
  std::vector<codec_error> errors;
  frame_reader reader{peer_frame_max};
  chunk_arena arena;

  void take(std::span<const std::byte> frames) {
    feed(reader, frames, 100000, [&](const decoded<std::span<const std::byte>>& frame) {
      if (!frame) {
        errors.push_back(frame.error());
        return;
      }
      const auto signal = decode_peer(*frame, reader, arena, messages);
      if (!signal) errors.push_back(signal.error());
    });
  }
};

codec_errc error_of(const peer_message& m) {
  byte_buffer out;
  encode_peer(out, m);
  received r;
  r.take(out.bytes());
  REQUIRE(r.errors.size() + r.messages.size() == 1);
  return r.errors.empty() ? codec_errc::none : r.errors.front().code();
}

raft::append_request append_of(std::vector<entry> entries) {
  return {.term = term(5),
          .prev_index = log_index(10),
          .prev_term = term(3),
          .commit = log_index(9),
          .round = 1,
          .entries = std::move(entries)};
}

entry entry_at(std::uint64_t index, std::uint64_t in_term, std::uint64_t group = 1) {
  const std::byte payload[3] = {};
  return entry::make(group_id(group), term(in_term), log_index(index), entry_kind::command, payload);
}

} // namespace

// Whatever one side says, the other hears, field by field.
TEST_CASE("every peer message comes back as it was") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    sampler s(seed);
    byte_buffer out;
    std::vector<std::string> sent;
    for (std::size_t kind = 0; kind < sampler::kinds; ++kind) {
      const peer_message m = s.message_of(kind);
      sent.push_back(dump(m));
      encode_peer(out, m);
    }
    received r;
    r.take(out.bytes());
    REQUIRE(r.errors.empty());
    REQUIRE(r.messages.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) CHECK(dump(r.messages[i]) == sent[i]);
  }
}

// Entries that arrive are parts of what was read, and stay when the reader goes on.
TEST_CASE("received entries are slices of the read chunk") {
  byte_buffer out;
  encode_peer(out, group_id(1), append_of({entry_at(11, 3), entry_at(12, 5)}));
  received r;
  r.take(out.bytes());
  REQUIRE(r.messages.size() == 1);
  const auto entries = std::get<raft::append_request>(std::get<raft_message>(r.messages[0]).body).entries;
  REQUIRE(entries.size() == 2);
  CHECK(entries[1].encoded().data() == entries[0].encoded().data() + entries[0].encoded().size());
  for (int i = 0; i < 10000; ++i) {
    r.messages.clear();
    r.take(out.bytes());
  }
  CHECK(entries[0].index() == log_index(11));
  CHECK(std::ranges::equal(entries[1].encoded(), entry_at(12, 5).encoded()));
}

// Entries that do not follow prev_index, go back in term, belong elsewhere or are damaged cost the whole append.
TEST_CASE("entries of an append are checked") {
  const auto sent = [](std::vector<entry> list) {
    return error_of(raft_message{group_id(1), append_of(std::move(list))});
  };
  CHECK(sent({}) == codec_errc::none);
  CHECK(sent({entry_at(11, 3), entry_at(12, 5)}) == codec_errc::none);
  CHECK(sent({entry_at(12, 3)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 3), entry_at(13, 3)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 3), entry_at(11, 3)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 2)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 4), entry_at(12, 3)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 6)}) == codec_errc::entries);
  CHECK(sent({entry_at(11, 3, 2)}) == codec_errc::entries);
}

// Numbers are taken up to number_max and refused beyond.
TEST_CASE("terms and indexes are range-checked") {
  const term bad_term(number_max + 1);
  const log_index bad_index(number_max + 1);
  const auto sent = [](raft::message m) { return error_of(raft_message{group_id(1), std::move(m)}); };
  CHECK(sent(raft::vote_request{.term = term(number_max), .last_index = log_index(number_max), .last_term = term(1)}) ==
        codec_errc::none);
  CHECK(sent(raft::vote_request{.term = bad_term, .last_index = {}, .last_term = {}}) == codec_errc::number);
  CHECK(sent(raft::vote_request{.term = term(1), .last_index = bad_index, .last_term = {}}) == codec_errc::number);
  CHECK(sent(raft::vote_response{.term = bad_term}) == codec_errc::number);
  CHECK(sent(raft::append_response{.term = term(1), .match = bad_index}) == codec_errc::number);
  CHECK(sent(raft::append_response{.term = term(1), .conflict_index = bad_index}) == codec_errc::number);
  CHECK(sent(raft::heartbeat{.term = term(1), .commit = bad_index}) == codec_errc::number);
  CHECK(sent(raft::heartbeat_response{.term = bad_term}) == codec_errc::number);
  CHECK(sent(raft::timeout_now{.term = bad_term}) == codec_errc::number);
  CHECK(sent(raft::read_index_request{.term = bad_term, .context = {}}) == codec_errc::number);
  CHECK(sent(raft::read_index_response{.term = term(1), .context = {}, .ok = true, .index = bad_index}) ==
        codec_errc::number);
  raft::append_request a = append_of({});
  a.prev_index = log_index(number_max);
  CHECK(sent(a) == codec_errc::none);
  a.entries.push_back(entry_at(number_max, 3));
  CHECK(sent(a) == codec_errc::number);
}

// Heartbeats of many groups are one frame; beyond the bound of one frame they are two.
TEST_CASE("heartbeats are batched within their bound") {
  std::vector<group_heartbeat> list;
  for (std::uint64_t g = 1; g <= heartbeats_per_frame_max + 1; ++g)
    list.push_back({group_id(g), {.term = term(g), .commit = log_index(g), .round = g}});
  byte_buffer out;
  encode_heartbeats(out, std::span(list).first(heartbeats_per_frame_max));
  CHECK(frame_bytes(out.bytes()) == out.size());
  CHECK(out.size() <= control_frame_max);
  out.clear();
  encode_heartbeats(out, std::span<const group_heartbeat>(list));
  CHECK(frame_bytes(out.bytes()) < out.size());
  received r;
  r.take(out.bytes());
  CHECK(r.errors.empty());
  REQUIRE(r.messages.size() == list.size());
  CHECK(std::get<raft_message>(r.messages.back()).group == group_id(heartbeats_per_frame_max + 1));
}

// A snapshot's chunk lies within the snapshot, and the last one at its end.
TEST_CASE("snapshot chunks are checked") {
  chunk_arena arena;
  chunk_arena::piece piece = arena.allocate(snapshot_chunk_bytes_max);
  std::fill_n(piece.data, snapshot_chunk_bytes_max, std::byte{7});
  snapshot_chunk m{.group = group_id(1), .term = term(1), .mark = {}, .transfer = 1};
  m.bytes = {piece.chunk, {piece.data, snapshot_chunk_bytes_max}};
  m.total_bytes = snapshot_chunk_bytes_max;
  m.last = true;
  CHECK(error_of(m) == codec_errc::none);
  m.last = false;
  CHECK(error_of(m) == codec_errc::number);
  m.total_bytes -= 1;
  CHECK(error_of(m) == codec_errc::number);
  m.offset = m.total_bytes + 1;
  CHECK(error_of(m) == codec_errc::number);
  m = {};
  m.last = true;
  m.mark.members.voters = {node_id(3), node_id(3)};
  CHECK(error_of(m) == codec_errc::number);
}

// A packed chunk lies where the bytes of the file lie that it stands for, and is smaller than they are.
TEST_CASE("packed chunks are checked") {
  sampler s(5);
  snapshot_chunk m = s.packed_chunk();
  m.last = true;
  m.total_bytes = m.offset + m.packed_of;
  CHECK(error_of(m) == codec_errc::none);
  m.total_bytes = m.offset + m.bytes.bytes.size();
  CHECK(error_of(m) == codec_errc::number);
  m.packed_of = m.bytes.bytes.size();
  CHECK(error_of(m) == codec_errc::length);
  m.packed_of += 1;
  m.bytes = {};
  CHECK(error_of(m) == codec_errc::malformed);
}

// A reply has a result or an error, never both or neither; a forwarded command carries its checksum.
TEST_CASE("forwards are checked") {
  forward_reply reply;
  CHECK(error_of(reply) == codec_errc::malformed);
  reply.error = request_errc::overloaded;
  CHECK(error_of(reply) == codec_errc::none);

  sampler s(3);
  byte_buffer out;
  encode_peer(out, s.message_of(0));
  received good;
  good.take(out.bytes());
  CHECK(good.errors.empty());
  std::vector<std::byte> damaged(out.bytes().begin(), out.bytes().end());
  const auto command = std::get<forward_request>(good.messages[0]).command.payload();
  const auto at = std::search(damaged.begin(), damaged.end(), command.begin(), command.end());
  REQUIRE(at != damaged.end());
  *at ^= std::byte{1};
  received bad;
  bad.take(damaged);
  REQUIRE(bad.errors.size() == 1);
  CHECK(bad.errors[0].code() == codec_errc::checksum);
}

// The first frames of a stream come back as they were; a second greeting is refused.
TEST_CASE("greetings and goodbyes come back as they were") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    sampler s(seed);
    const hello h = s.greeting();
    byte_buffer out;
    encode_hello(out, h);
    const auto heard = decode_greeting(content(out));
    REQUIRE(heard.has_value());
    CHECK(dump(std::get<hello>(*heard)) == dump(h));
    received r;
    r.take(out.bytes());
    REQUIRE(r.errors.size() == 1);
    CHECK(r.errors[0].code() == codec_errc::unknown_kind);
  }
  byte_buffer out;
  encode_goodbye(out, goodbye::cause::duplicate, "another stays");
  const auto heard = decode_greeting(content(out));
  REQUIRE(heard.has_value());
  CHECK(std::get<goodbye>(*heard).why == goodbye::cause::duplicate);
  CHECK(std::get<goodbye>(*heard).reason == "another stays");
  out.clear();
  encode_probe(out);
  CHECK(decode_greeting(content(out)).error().code() == codec_errc::unknown_kind);
  out.clear();
  encode_goodbye(out, goodbye::cause::error, std::string(2 * text_bytes_max, 'x'));
  CHECK(std::get<goodbye>(*decode_greeting(content(out))).reason.size() == text_bytes_max);
}
