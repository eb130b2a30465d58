#pragma once

#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"
#include "daemon/client/members.hpp"
#include "wire/handshake.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::node {

/// What the cluster knows of a member besides its number. One that was added by its address alone has
/// that for a name until it comes with its own.
struct member_record {
  std::string name;
  std::string address;      ///< HOST:PORT for peers
  bool promotes = false;    ///< a learner that becomes a voter by itself once it has caught up
  bool begins_anew = false; ///< by this change: what it held before is gone
  /// The data directory that stands for it no longer, once the change is over; 0: none.
  quorumd::incarnation void_data;
  bool witness = false;                             ///< votes, and holds no data; for as long as it is a member
  std::uint8_t priority = client::priority_default; ///< for leadership: the highest leads, where it can

  [[nodiscard]] bool unnamed() const { return name == address; }
  friend bool operator==(const member_record&, const member_record&) = default;
};

using member_records = std::map<node_id, member_record>;

/// Who the members are, and what is known of each.
struct roster {
  log_index index; ///< of the entry that says so; 0: the configuration file
  configuration members;
  member_records records;

  /// The member of that name; 0 for none.
  [[nodiscard]] node_id find(std::string_view name) const;
  /// The member without a name of its own at the address; 0 for none.
  [[nodiscard]] node_id find_unnamed(std::string_view address) const;
  /// Its name, or its number if there is none.
  [[nodiscard]] std::string name_of(node_id id) const;
  /// Those of them that hold no data.
  [[nodiscard]] std::vector<node_id> witnesses() const;
  /// For the handshake and for dialing.
  [[nodiscard]] std::vector<wire::member> listed() const;

  friend bool operator==(const roster&, const roster&) = default;
};

/// All of them voters, as a configuration file lists them.
[[nodiscard]] roster roster_of(const std::vector<wire::member>& configured);

/// What the leader told a node that joins.
struct introduction {
  roster members;     ///< committed, and with the node in it
  quorumd::term term; ///< the leader's; 0: it did not say
};
[[nodiscard]] introduction introduction_from(const client::members_reply& told);

/// A roster on its own: its index u64, little-endian, and the payload of an entry that would say the same.
[[nodiscard]] std::vector<std::byte> encode_roster(const roster& r);
[[nodiscard]] std::optional<roster> decode_roster(std::span<const std::byte> bytes);

/// How a configuration file's members differ from the roster, in words; empty: they do not.
[[nodiscard]] std::string difference(const std::vector<wire::member>& configured, const roster& r);

/// The details of an entry of kind `members`, little-endian: version u16 | count u16, then for each member: bytes of
/// what follows u16 | id u64 | incarnation that is void u64 | flags u8 (1: promotes, 2: begins anew, 4: witness) |
/// bytes of the name u8 | bytes of the address u16 | name | address | priority u8. A later version may add to the end
/// of a member, as was done with the priority, which an earlier one does not write.
[[nodiscard]] std::vector<std::byte> encode_details(const member_records& records);
[[nodiscard]] std::optional<member_records> decode_details(std::span<const std::byte> details);

/// The roster that the entry makes of the one before it; nothing if it is not in a known form. An entry without details
/// leaves the records as they are.
[[nodiscard]] std::optional<roster> follow(const roster& before, const entry& e);

} // namespace quorumd::node
