#pragma once

#include "daemon/kv/snapshot.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/codec_error.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace quorumd::wire {

/// The content of a snapshot file: blocks, of which the first is the header and the others hold records in order.
/// Each is one message without a segment table; whoever stores it knows its length and checks its checksum.

/// Appends a block to the buffer.
void encode_snapshot_header(byte_buffer& out, const kv::snapshot_header& header);
void encode_snapshot_records(byte_buffer& out, std::span<const kv::record_view> records);

/// Reads a block, which is 8-byte aligned.
[[nodiscard]] decoded<kv::snapshot_header> decode_snapshot_header(std::span<const std::byte> block);
/// Replaces `out`; the views hold as long as the block's bytes.
[[nodiscard]] decoded<void> decode_snapshot_records(std::span<const std::byte> block,
                                                    std::vector<kv::record_view>& out);

} // namespace quorumd::wire
