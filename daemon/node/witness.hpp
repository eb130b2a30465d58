#pragma once

#include "consensus/raft/message.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/types/ids.hpp"
#include "daemon/node/snapshot_place.hpp"

#include <memory>
#include <vector>

/// What members with data keep from witnesses, which vote by the terms and indexes of the log and hold no data.
namespace quorumd::node {

/// To whoever asks a witness for data.
inline constexpr const char* witness_refusal =
    "this member is a witness, which votes and holds no data: ask another member";

/// Takes the commands out of the appends to witnesses: entries of the same terms and indexes stay.
void withhold(group_id group, std::vector<raft::outgoing>& messages, const std::vector<node_id>& witnesses);

/// Makes of the newest snapshot one that says the same of the log and the members and holds no data, in a folder of its
/// own beside it, and opens it. Blocking.
[[nodiscard]] storage::result<std::unique_ptr<storage::snapshot_reader>> open_for_witness(const snapshot_place& place);

} // namespace quorumd::node
