#pragma once

#include "consensus/storage/snapshot_file.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/node/applier.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace quorumd::node {

/// The blocks of a snapshot of the state as it is when this is made, while the state goes on changing. On the store's
/// loop; gone before the store is.
class state_blocks {
 public:
  state_blocks(kv::store& store, const membership& members);

  [[nodiscard]] const kv::snapshot_header& header() const { return cursor_.header(); }
  [[nodiscard]] bool done() const { return begun_ && cursor_.done(); }
  /// Replaces `out` by the next block, of about so many bytes; the first is the state but for its leases, sessions and
  /// records.
  /// May leave it empty before done(), where only keys that are younger were visited.
  void next(wire::byte_buffer& out, std::size_t bytes_max);
  /// Of keys, versions, leases and sessions, by the last call of next().
  [[nodiscard]] std::size_t visits() const { return visits_; }

 private:
  [[nodiscard]] bool has_leases();
  void next_leases(wire::byte_buffer& out, std::size_t bytes_max);

  kv::snapshot_cursor cursor_;
  const std::vector<std::byte> members_;
  bool begun_ = false;
  bool told_leases_ = false; ///< that there may be some
  std::size_t next_session_ = 0;
  std::size_t visits_ = 0;
};

/// Writes a state of which nobody makes use meanwhile, and publishes it. Blocking, for as long as that takes.
[[nodiscard]] storage::result<storage::snapshot_file>
write_state(storage::file_system& files, const std::string& directory, const storage::snapshot_info& info,
            applier::state& state, const storage::snapshot_progress& progress);

} // namespace quorumd::node
