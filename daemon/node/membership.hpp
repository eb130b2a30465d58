#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::node {

/// Which data directory stands for each member: the first incarnation that the cluster agreed on. Replicated through
/// entries of kind `configuration` and part of every snapshot, so that a directory that was wiped can never vote
/// its old self out of existence. The members themselves are fixed by the configuration file.
class membership {
 public:
  /// The incarnation on record; nothing if none is yet.
  [[nodiscard]] std::optional<incarnation> recorded(node_id member) const;

  /// The payload of the entry that records an incarnation: version u16, zero u16, count u32, then for each member its
  /// id u64 and incarnation u64, little-endian.
  [[nodiscard]] static std::vector<std::byte> encode(node_id member, incarnation i);
  /// Everything on record, in the same form: for a snapshot.
  [[nodiscard]] std::vector<std::byte> encode() const;

  /// Applies such an entry: what is on record already stays. False if the bytes are not of this form.
  bool apply(std::span<const std::byte> payload);

  friend bool operator==(const membership&, const membership&) = default;

 private:
  std::map<node_id, incarnation> recorded_;
};

/// Why a member with the other incarnation is refused, for both sides' logs, and what to do.
[[nodiscard]] std::string incarnation_refusal(incarnation recorded, incarnation seen);

} // namespace quorumd::node
