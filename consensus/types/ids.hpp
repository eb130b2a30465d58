#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace quorumd {

/// A 64-bit number that is not interchangeable with another kind of number.
template <class Tag>
class strong_u64 {
 public:
  constexpr strong_u64() = default;
  constexpr explicit strong_u64(std::uint64_t value)
      : value_(value) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr strong_u64 next() const { return strong_u64(value_ + 1); }
  /// The number before this one; 0 stays 0.
  [[nodiscard]] constexpr strong_u64 prev() const { return strong_u64(value_ == 0 ? 0 : value_ - 1); }
  constexpr explicit operator bool() const { return value_ != 0; }

  friend constexpr auto operator<=>(strong_u64, strong_u64) = default;
  friend constexpr strong_u64 operator+(strong_u64 a, std::uint64_t n) { return strong_u64(a.value_ + n); }
  friend constexpr strong_u64 operator-(strong_u64 a, std::uint64_t n) { return strong_u64(a.value_ - n); }
  /// The distance between two numbers; the first is not below the second.
  friend constexpr std::uint64_t operator-(strong_u64 a, strong_u64 b) { return a.value_ - b.value_; }

  template <class H>
  friend H AbslHashValue(H h, strong_u64 id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  std::uint64_t value_ = 0;
};

/// Raft's term (paper §5.1); 0 is before any election.
using term = strong_u64<struct term_tag>;
/// A position in one group's log (paper §5.3); the first entry is 1.
using log_index = strong_u64<struct log_index_tag>;
/// A member of a cluster; 0 is nobody.
using node_id = strong_u64<struct node_id_tag>;
/// One Raft group: an independent log and state machine.
using group_id = strong_u64<struct group_id_tag>;
/// The store's revision: one for each mutating transaction.
using revision = strong_u64<struct revision_tag>;
/// A lease of the store; 0 is none.
using lease_id = strong_u64<struct lease_id_tag>;
/// A client's session with the store; 0 is none.
using session_id = strong_u64<struct session_id_tag>;
/// Drawn once when a data directory is created; a wiped directory has another one.
using incarnation = strong_u64<struct incarnation_tag>;
/// Drawn at each start of a daemon.
using boot_id = strong_u64<struct boot_id_tag>;
/// Derived from the cluster's name and first members.
using cluster_id = strong_u64<struct cluster_id_tag>;

/// The largest term or index that is taken from outside: beyond it arithmetic could overflow.
inline constexpr std::uint64_t number_max = std::uint64_t{1} << 62;

} // namespace quorumd

template <class Tag>
struct std::hash<quorumd::strong_u64<Tag>> {
  std::size_t operator()(quorumd::strong_u64<Tag> id) const noexcept { return std::hash<std::uint64_t>{}(id.value()); }
};
