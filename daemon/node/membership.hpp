#pragma once

#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"
#include "daemon/node/roster.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace quorumd::node {

/// Who the members are, as far as the log was applied, and which data directory stands for each: the first incarnation
/// that the cluster agreed on. Part of every snapshot, so that a directory that was wiped can never vote its old self
/// out of existence, and one whose member was removed or replaced can never come back.
class membership {
 public:
  membership() = default;
  /// Until the log says otherwise these are the members.
  explicit membership(node::roster first)
      : roster_(std::move(first)) {}

  [[nodiscard]] const node::roster& roster() const { return roster_; }
  /// These are the members, unless the log has said who is.
  void begin_with(const node::roster& first) {
    if (!from_log_) roster_ = first;
  }
  /// The incarnation on record; nothing if none is yet.
  [[nodiscard]] std::optional<incarnation> recorded(node_id member) const;
  /// Whether the data directory stood for a member that was removed or replaced.
  [[nodiscard]] bool is_void(incarnation i) const { return void_.contains(i); }
  /// Why the member may not come with that data directory, for both sides' logs, and what to do; nothing if it may.
  [[nodiscard]] std::optional<std::string> objection(node_id member, incarnation seen) const;

  /// The payload of the entry (of kind `configuration`) that records an incarnation: version u16, zero u16, count u32,
  /// then for each member its id u64 and incarnation u64, little-endian.
  [[nodiscard]] static std::vector<std::byte> encode(node_id member, incarnation i);
  /// Applies such an entry: what is on record already stays. False if the bytes are not of this form.
  bool record(std::span<const std::byte> payload);
  /// Applies an entry of kind `members`. False if it is not of a known form.
  bool change(const entry& e);

  /// Everything, for a snapshot: like a record of all of them (version 1); once the log has said who the members are
  /// (version 2), behind it the count u32 of void incarnations, they u64 each, and the roster
  /// (encode_roster).
  [[nodiscard]] std::vector<std::byte> encode() const;
  /// Takes the place of everything, but of the first roster only if the log has said another. False as above.
  bool restore(std::span<const std::byte> section);

  friend bool operator==(const membership&, const membership&) = default;

 private:
  std::map<node_id, incarnation> recorded_;
  std::set<incarnation> void_;
  node::roster roster_;
  bool from_log_ = false; ///< the roster is
};

} // namespace quorumd::node
