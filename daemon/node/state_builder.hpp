#pragma once

#include "consensus/storage/snapshot_file.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/node/applier.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::node {

/// Builds the state that a snapshot holds, a slice of its blocks at a time, so that nobody who shares a worker with it
/// waits for a whole state. Blocking. After an error it is to be thrown away.
class state_builder {
 public:
  /// Takes the reader's next blocks, about so many bytes of them: whether there are more. `corrupt` names the file.
  [[nodiscard]] storage::result<bool> read_on(storage::snapshot_reader& reader, std::size_t bytes_max);
  /// The state; once, after the last block.
  [[nodiscard]] storage::result<applier::state> finish();

 private:
  [[nodiscard]] storage::result<void> take(std::span<const std::byte> block);

  std::string path_;
  std::uint64_t blocks_ = 0;
  std::vector<std::byte> block_;
  std::vector<kv::record_view> records_;
  std::optional<kv::store_builder> store_; ///< from the first block on
  applier::state state_;
};

} // namespace quorumd::node
