#pragma once

#include "consensus/storage/snapshot_file.hpp"
#include "daemon/kv/codec/snapshot_codec.hpp"
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
/// waits for a whole state. Blocking. After an error it is to be thrown away. `corrupt` and `version` (something in it
/// is of a later version) name the file.
class state_builder {
 public:
  explicit state_builder(const kv::restoration& how = {})
      : how_(how) {}

  /// Takes the reader's next blocks, about so many bytes of them: whether there are more.
  [[nodiscard]] storage::result<bool> read_on(storage::snapshot_reader& reader, std::size_t bytes_max);
  /// What was read so far says of the members: they stand in front of the records.
  [[nodiscard]] const membership& members() const { return state_.members; }
  /// The state; once, after the last block.
  [[nodiscard]] storage::result<applier::state> finish();

 private:
  [[nodiscard]] storage::result<void> take(std::span<const std::byte> block);
  [[nodiscard]] storage::result<void> take(const kv::snapshot_section_view& section);
  [[nodiscard]] storage::result<void> take_records(std::span<const std::byte> body);

  const kv::restoration how_;
  std::string path_;
  std::vector<std::byte> block_;
  std::vector<kv::record_view> records_;
  std::optional<kv::store_builder> store_; ///< from the first section on
  bool has_members_ = false;
  applier::state state_;
};

} // namespace quorumd::node
