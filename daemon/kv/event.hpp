#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/result.hpp"

#include <compare>
#include <cstdint>
#include <optional>

namespace quorumd::kv {

/// Where a change stands in history: in which revision, and at which place of it.
struct change_place {
  revision at;
  std::uint32_t sub = 0;

  friend auto operator<=>(const change_place&, const change_place&) = default;
};

/// A change of a key, as watchers see it.
struct event {
  key_value_view kv;                  ///< of a deletion the key and mod_revision alone
  std::optional<key_value_view> prev; ///< what the change took the place of, if that is still readable
  std::uint32_t sub = 0;              ///< the place of the change within its revision, from 0

  [[nodiscard]] bool deletion() const { return kv.version == 0; }
};

} // namespace quorumd::kv
