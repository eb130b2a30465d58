#pragma once

#include "consensus/types/ids.hpp"
#include "metrics/histogram.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::client {

enum class metric_unit : std::uint8_t { nanoseconds = 0, count = 1, bytes = 2 };

/// What a node has recorded of one thing since its start.
struct distribution {
  std::string name; ///< put.commit, …: docs/operations.md lists them
  std::string of;   ///< which one, where there are several: a member, a loop; else empty
  metric_unit unit = metric_unit::nanoseconds;
  metrics::histogram values;
};

/// A number at this moment.
struct reading {
  std::string name;
  std::string of;
  std::uint64_t value = 0;
};

/// Whom `of` names, of those that are members.
struct named_member {
  node_id id;
  std::string name;
};

/// What a node says of its own doings.
struct metrics_reply {
  std::string node; ///< its name
  std::chrono::milliseconds up{0};
  std::vector<distribution> distributions; ///< in the order in which a person wants to see them
  std::vector<reading> readings;
  node_id id{};                        ///< 0: an earlier version, which does not say
  std::vector<named_member> members{}; ///< with this node
};

// Of a reply; what is beyond is left out.
inline constexpr std::size_t distributions_max = 192;
inline constexpr std::size_t readings_max = 512;
inline constexpr std::size_t named_members_max = 128;
inline constexpr std::size_t metric_name_max = 128;

} // namespace quorumd::client
