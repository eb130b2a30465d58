#pragma once

#include "consensus/storage/snapshot_file.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/node/applier.hpp"
#include "wire/byte_buffer.hpp"

#include <string>

namespace quorumd::node {

/// What stands in a snapshot in front of the records: its first block, into an empty buffer.
void encode_state_head(wire::byte_buffer& out, const kv::snapshot_header& header, const membership& members);

/// Writes a state of which nobody makes use meanwhile, and publishes it. Blocking, for as long as that takes.
[[nodiscard]] storage::result<storage::snapshot_file>
write_state(storage::file_system& files, const std::string& directory, const storage::snapshot_info& info,
            applier::state& state, const storage::snapshot_progress& progress);

} // namespace quorumd::node
