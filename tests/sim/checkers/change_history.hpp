#pragma once

#include "tests/sim/checkers/cluster_checkers.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::sim {

/// Where a change stands: in which revision, and at which place of it.
struct history_place {
  std::uint64_t revision = 0;
  std::uint32_t sub = 0;

  friend auto operator<=>(const history_place&, const history_place&) = default;
};

/// One version of a key; its value as a hash.
struct seen_version {
  std::uint64_t value = 0;
  std::uint64_t create = 0;
  std::uint64_t mod = 0;
  std::uint64_t number = 0; ///< 0: the key was deleted
  std::uint64_t lease = 0;

  friend bool operator==(const seen_version&, const seen_version&) = default;
};

/// A change of a key, as a store tells of it.
struct seen_change {
  std::string key;
  seen_version is;
  std::uint32_t sub = 0;
  std::optional<seen_version> prev; ///< what it took the place of

  [[nodiscard]] history_place place() const { return {is.mod, sub}; }
  friend bool operator==(const seen_change&, const seen_change&) = default;
};

/// For a person.
[[nodiscard]] std::string describe(const seen_change& c);

/// The one history of what was committed: the changes of each revision, with what each took the place of, which it
/// works out by itself.
class change_history {
 public:
  /// What the revision changed, in order. Revisions come one after the other.
  [[nodiscard]] complaint add(std::uint64_t revision, std::vector<seen_change> changes);
  /// The newest revision.
  [[nodiscard]] std::uint64_t last() const { return firsts_.size(); }

  /// All changes, numbered from 0.
  [[nodiscard]] const seen_change& operator[](std::size_t i) const { return all_[i]; }
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  /// The first change at the place or behind it.
  [[nodiscard]] std::size_t find(history_place p) const;
  /// The keys whose newest version names the lease, in order.
  [[nodiscard]] std::vector<std::string> keys_of(std::uint64_t lease) const;

 private:
  std::vector<seen_change> all_;
  std::vector<std::size_t> firsts_{0};          ///< of each revision from 1 on, which changed nothing
  std::map<std::string, seen_version> present_; ///< the keys that are not deleted
};

} // namespace quorumd::sim
