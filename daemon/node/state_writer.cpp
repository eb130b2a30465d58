#include "daemon/node/state_writer.hpp"

#include "daemon/kv/codec/snapshot_codec.hpp"

#include <algorithm>

namespace quorumd::node {
namespace {
constexpr std::size_t slice_bytes = std::size_t{256} * 1024;
constexpr std::size_t lease_bytes = 32; // of one, encoded
} // namespace

state_blocks::state_blocks(kv::store& store, const membership& members)
    : cursor_(store)
    , members_(members.encode()) {}

/// From the level on where there can be some, a snapshot says so even if it has none: versions that know no leases are
/// to refuse it by this.
bool state_blocks::has_leases() {
  return !cursor_.leases().done() || (!told_leases_ && header().level >= kv::lease_level);
}

void state_blocks::next_leases(wire::byte_buffer& out, std::size_t bytes_max) {
  const auto some = cursor_.leases().next(std::max<std::size_t>(1, bytes_max / lease_bytes));
  visits_ = 1 + cursor_.leases().visits();
  if (some.empty() && told_leases_) return;
  told_leases_ = true;
  kv::encode_snapshot_leases(out, some);
}

void state_blocks::next(wire::byte_buffer& out, std::size_t bytes_max) {
  out.clear();
  if (!begun_) {
    begun_ = true;
    visits_ = 1;
    kv::encode_snapshot_header(out, header());
    kv::encode_snapshot_section(out, kv::snapshot_section::members, members_);
    return;
  }
  if (has_leases()) return next_leases(out, bytes_max);
  const auto& sessions = cursor_.sessions();
  if (next_session_ != sessions.size()) {
    visits_ = 0;
    do {
      const kv::session_record& s = *sessions[next_session_++];
      kv::encode_snapshot_session(out, s);
      visits_ += 1 + s.kept.size();
    } while (next_session_ != sessions.size() && out.bytes().size() < bytes_max);
    return;
  }
  const auto records = cursor_.next(bytes_max);
  visits_ = cursor_.visits();
  if (!records.empty()) kv::encode_snapshot_records(out, records);
}

storage::result<storage::snapshot_file> write_state(storage::file_system& files, const std::string& directory,
                                                    const storage::snapshot_info& info, applier::state& state,
                                                    const storage::snapshot_progress& progress) {
  auto writer = storage::snapshot_writer::create(files, directory, info);
  if (!writer) return writer.error();
  state_blocks blocks(*state.store, state.members);
  wire::byte_buffer block;
  for (std::uint64_t done = 0; !blocks.done();) {
    blocks.next(block, slice_bytes);
    if (block.bytes().empty()) continue;
    if (auto written = (*writer)->append(block.bytes()); !written) return written.error();
    done += block.bytes().size();
    if (progress) progress(done, state.store->held_bytes());
  }
  return (*writer)->finish();
}

} // namespace quorumd::node
