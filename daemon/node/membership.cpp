#include "daemon/node/membership.hpp"

#include "consensus/raft/quorum.hpp"
#include "consensus/types/hex.hpp"
#include "consensus/types/little_endian.hpp"

#include <utility>

namespace quorumd::node {
namespace {

constexpr std::uint16_t records_only = 1;
constexpr std::uint16_t with_roster = 2;
constexpr std::size_t header_bytes = 8;
constexpr std::size_t record_bytes = 16;

/// Takes a number off the front; nothing if there is none.
template <class T>
std::optional<T> take(std::span<const std::byte>& bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  const T value = load_le<T>(bytes.data());
  bytes = bytes.subspan(sizeof(T));
  return value;
}

std::vector<std::byte> encode_records(std::uint16_t version, const std::map<node_id, incarnation>& records) {
  std::vector<std::byte> out;
  append_le(out, version);
  append_le(out, std::uint16_t{0});
  append_le(out, static_cast<std::uint32_t>(records.size()));
  for (const auto& [member, i] : records) {
    append_le(out, member.value());
    append_le(out, i.value());
  }
  return out;
}

/// Takes the records off the front, and gives the version.
std::optional<std::uint16_t> take_records(std::span<const std::byte>& bytes, std::map<node_id, incarnation>& to) {
  if (bytes.size() < header_bytes) return std::nullopt;
  const auto version = load_le<std::uint16_t>(bytes.data());
  const std::size_t count = load_le<std::uint32_t>(bytes.data() + 4);
  bytes = bytes.subspan(header_bytes);
  if (bytes.size() / record_bytes < count) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i)
    to.emplace(node_id(load_le<std::uint64_t>(bytes.data() + i * record_bytes)),
               incarnation(load_le<std::uint64_t>(bytes.data() + i * record_bytes + 8)));
  bytes = bytes.subspan(count * record_bytes);
  return version;
}

} // namespace

std::optional<incarnation> membership::recorded(node_id member) const {
  const auto found = recorded_.find(member);
  return found == recorded_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> membership::objection(node_id member, incarnation seen) const {
  const std::string name = roster_.name_of(member);
  if (is_void(seen))
    return "the data directory (incarnation " + hex64(seen.value()) +
           ") stood for a member that was removed or replaced, and " + "counts for nothing any more. To have " + name +
           " back, start it with an empty data directory and --join, after 'quorumd member add' if it is no member";
  const auto known = recorded(member);
  if (!known || *known == seen) return std::nullopt;
  return "the data directory is not the one that joined the cluster (incarnation " + hex64(known->value()) +
         " is on record, this one is " + hex64(seen.value()) +
         "): it was wiped or mixed up, and may have forgotten votes and entries. Put the original directory back; or "
         "run 'quorumd member replace " +
         name + "' and start it with an empty data directory and --join";
}

std::vector<std::byte> membership::encode(node_id member, incarnation i) {
  return encode_records(records_only, {{member, i}});
}

bool membership::record(std::span<const std::byte> payload) {
  std::map<node_id, incarnation> seen;
  if (take_records(payload, seen) != records_only || !payload.empty()) return false;
  for (const auto& [member, i] : seen)
    if (!is_void(i)) recorded_.emplace(member, i);
  return true;
}

bool membership::change(const entry& e) {
  auto next = follow(roster_, e);
  if (!next) return false;
  roster_ = std::move(*next);
  from_log_ = true;
  if (roster_.members.joint()) return true; // not over yet
  for (const auto& [id, r] : roster_.records) {
    if (!r.void_data) continue;
    void_.insert(r.void_data);
    if (recorded(id) == r.void_data) recorded_.erase(id);
  }
  for (auto it = recorded_.begin(); it != recorded_.end();) {
    if (raft::is_member(roster_.members, it->first)) {
      ++it;
      continue;
    }
    void_.insert(it->second);
    it = recorded_.erase(it);
  }
  return true;
}

std::vector<std::byte> membership::encode() const {
  std::vector<std::byte> out = encode_records(from_log_ ? with_roster : records_only, recorded_);
  if (!from_log_) return out;
  append_le(out, static_cast<std::uint32_t>(void_.size()));
  for (const incarnation i : void_) append_le(out, i.value());
  const auto roster = encode_roster(roster_);
  out.insert(out.end(), roster.begin(), roster.end());
  return out;
}

bool membership::restore(std::span<const std::byte> section) {
  membership fresh(roster_);
  const auto version = take_records(section, fresh.recorded_);
  if (version == records_only) {
    if (!section.empty()) return false;
    *this = std::move(fresh);
    return true;
  }
  if (version != with_roster) return false;
  const auto count = take<std::uint32_t>(section);
  if (!count || section.size() / 8 < *count) return false;
  for (std::uint32_t i = 0; i < *count; ++i) fresh.void_.insert(incarnation(*take<std::uint64_t>(section)));
  auto roster = decode_roster(section);
  if (!roster) return false;
  fresh.roster_ = std::move(*roster);
  fresh.from_log_ = true;
  *this = std::move(fresh);
  return true;
}

} // namespace quorumd::node
