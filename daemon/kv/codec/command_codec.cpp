#include "daemon/kv/codec/command_codec.hpp"

#include "daemon/kv/codec/schema.hpp"

#include <cstdint>
#include <string>

namespace quorumd::kv {

using namespace codec;
using namespace wire;
using namespace wire::detail;

namespace {

void check_version(std::uint16_t version) {
  if (version != 0 && version <= command_version) [[likely]]
    return;
  refuse(codec_errc::unknown_kind, "a command is of version " + std::to_string(version) +
                                       ", and this quorumd knows 1 to " + std::to_string(command_version));
}

std::uint16_t needed_version(const command& c, const session_call& call) {
  const std::uint16_t level = needed_level(c, call);
  return level >= age_level ? 4 : level >= lease_level ? 3 : level >= session_level ? 2 : 1;
}

} // namespace

proposal encode_command(chunk_arena& arena, const command& c, const session_call& call) {
  const std::size_t words = root_words<schema::Command> + words_behind(c, call);
  proposal p(arena, words * word_bytes);
  const std::size_t used = build_at<schema::Command>(p.payload().data(), words, 0, [&](schema::Command::Builder to) {
    fill(to, c, call);
    to.setVersion(needed_version(c, call));
  });
  QUORUMD_INVARIANT(used == words * word_bytes, "a command takes what was computed for it");
  p.finish();
  return p;
}

decoded<logged_command> decode_command(std::span<const std::byte> payload) {
  return decode_segment<schema::Command>(payload, command_nesting_max, [](schema::Command::Reader from) {
    check_version(from.getVersion());
    return read(from);
  });
}

shared_bytes encode_result(chunk_arena& arena, const result<reply>& r) {
  const std::size_t words = root_words<schema::Outcome> + words_behind(r);
  QUORUMD_INVARIANT(words * word_bytes <= encoded_result_max, "a result is within its bound");
  chunk_arena::piece piece = arena.allocate(words * word_bytes);
  const std::size_t used =
      build_at<schema::Outcome>(piece.data, words, 0, [&](schema::Outcome::Builder to) { fill(to, r); });
  return {std::move(piece.chunk), {piece.data, used}};
}

decoded<result<reply>> decode_result(std::span<const std::byte> bytes) {
  return decode_segment<schema::Outcome>(bytes, command_nesting_max,
                                         [](schema::Outcome::Reader from) { return read(from); });
}

} // namespace quorumd::kv
