#include "daemon/node/state_writer.hpp"

#include "wire/snapshot_codec.hpp"

namespace quorumd::node {
namespace {
constexpr std::size_t slice_bytes = std::size_t{256} * 1024;
} // namespace

void encode_state_head(wire::byte_buffer& out, const kv::snapshot_header& header, const membership& members) {
  wire::encode_snapshot_header(out, header);
  wire::encode_snapshot_section(out, wire::snapshot_section::members, members.encode());
}

storage::result<storage::snapshot_file> write_state(storage::file_system& files, const std::string& directory,
                                                    const storage::snapshot_info& info, applier::state& state,
                                                    const storage::snapshot_progress& progress) {
  auto writer = storage::snapshot_writer::create(files, directory, info);
  if (!writer) return writer.error();
  kv::snapshot_cursor cursor(*state.store);
  wire::byte_buffer block;
  encode_state_head(block, cursor.header(), state.members);
  if (auto written = (*writer)->append(block.bytes()); !written) return written.error();
  for (std::uint64_t done = block.bytes().size(); !cursor.done();) {
    const auto records = cursor.next(slice_bytes);
    if (records.empty()) continue;
    block.clear();
    wire::encode_snapshot_records(block, records);
    if (auto written = (*writer)->append(block.bytes()); !written) return written.error();
    done += block.bytes().size();
    if (progress) progress(done, state.store->held_bytes());
  }
  return (*writer)->finish();
}

} // namespace quorumd::node
