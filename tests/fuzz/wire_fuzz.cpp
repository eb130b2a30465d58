// Any bytes, to everything that reads frames from outside. The first byte chooses how they are cut.
#include "daemon/client/protocol.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/codec/snapshot_codec.hpp"
#include "wire/chunk_packing.hpp"
#include "wire/frame.hpp"
#include "wire/peer_codec.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <variant>
#include <vector>

using namespace quorumd;
using namespace quorumd::client;
using namespace quorumd::kv;
using namespace quorumd::wire;

namespace {

void read_all(std::span<const std::byte> frame, frame_reader& source) {
  static chunk_arena arena;
  std::vector<peer_message> messages;
  (void)decode_peer(frame, source, arena, messages);
  static chunk_unpacker unpacker;
  for (const peer_message& m : messages)
    if (const auto* chunk = std::get_if<snapshot_chunk>(&m)) (void)unpacker.unpack(*chunk);
  (void)decode_greeting(frame);
  (void)decode_request(frame);
  (void)request_id(frame);
  (void)decode_reply(frame);
  (void)decode_command(frame);
  (void)decode_result(frame);
  for (std::span<const std::byte> rest = frame; !rest.empty() && take_snapshot_section(rest).has_value();) {
  }
  (void)decode_snapshot_header(frame);
  (void)decode_snapshot_session(frame);
  (void)decode_snapshot_leases(frame);
  std::vector<kv::record_view> records;
  (void)decode_snapshot_records(frame, records);
  byte_buffer out;
  (void)encode_reply(out, 1, frame);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t piece = data[0] + std::size_t{1};
  std::span<const std::byte> bytes = std::as_bytes(std::span(data + 1, size - 1));
  frame_reader source(peer_frame_max, 4096);
  while (!bytes.empty()) {
    const std::span<std::byte> room = source.prepare();
    const std::size_t n = std::min({room.size(), bytes.size(), piece});
    std::copy_n(bytes.begin(), n, room.begin());
    source.commit(n);
    bytes = bytes.subspan(n);
    for (;;) {
      const auto frame = source.next();
      if (!frame) return 0;
      if (!*frame) break;
      read_all(**frame, source);
    }
  }
  return 0;
}
