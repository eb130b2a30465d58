#pragma once

#include "daemon/clients/emulated.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorumd::clients::etcd {

/// The calls that are answered here.
enum class method : std::uint8_t {
  none, ///< unknown
  range,
  range_in_pages, ///< one whose answer may be made page by page; only within
  step,           ///< of a recipe; only within
  put,
  delete_range,
  txn,
  compact,
  watch,
  lease_grant,
  lease_revoke,
  lease_keep_alive,
  lease_time_to_live,
  lease_leases,
  member_list,
  status,
  alarm,
  defragment,
  hash,
  hash_kv,
  move_leader,
  member_add,
  downgrade,
  member_remove,
  member_update,
  member_promote,
  auth_status,
  auth_disable,
  auth_off,    ///< of Auth: what needs it to be enabled
  auth_absent, ///< of Auth: what would enable it, or prepare that
  health_check,
  lock,
  unlock,
  campaign,
  proclaim,
  resign,
  leader,
  observe,
  health_watch,
  snapshot,
};
inline constexpr std::size_t methods_known = static_cast<std::size_t>(method::snapshot) + 1;

/// What a reply_to's slot says of a call: which it is, and of a range how many keys were asked for at most, as far as
/// there is room for that; 0: all.
[[nodiscard]] constexpr std::uint32_t slot_of(method m, std::uint64_t limit = 0) {
  constexpr std::uint64_t most = (1U << 24) - 1;
  return static_cast<std::uint32_t>((limit < most ? limit : most) << 8) | static_cast<std::uint32_t>(m);
}
[[nodiscard]] constexpr method method_in(std::uint32_t slot) {
  return static_cast<method>(slot & 0xff);
}
[[nodiscard]] constexpr std::uint32_t limit_in(std::uint32_t slot) {
  return slot >> 8;
}

/// The call if the version has it that this node answers as, else none.
[[nodiscard]] constexpr method known_to(const emulated_etcd& as, method m) {
  const bool since_3_5 = m == method::downgrade || m == method::auth_status;
  return since_3_5 && as.before_3_5 ? method::none : m;
}

/// Whether its requests go on.
[[nodiscard]] constexpr bool goes_on(method m) {
  return m == method::watch || m == method::lease_keep_alive;
}

/// Whether its answers go on.
[[nodiscard]] constexpr bool answers_go_on(method m) {
  return goes_on(m) || m == method::observe || m == method::health_watch || m == method::snapshot;
}
/// Whether it takes several steps (recipe.hpp).
[[nodiscard]] constexpr bool is_recipe(method m) {
  return m >= method::lock && m <= method::snapshot;
}

/// The messages that it takes and is answered with, by protobuf's full names.
[[nodiscard]] std::string_view request_of(method m);
[[nodiscard]] std::string_view response_of(method m);

/// By its path: `/etcdserverpb.KV/Range`.
[[nodiscard]] method find_method(std::string_view path);
/// The path, without the slash in front; empty for what is no call of its own, or stands for several.
[[nodiscard]] std::string_view path_of(method m);
/// What is said of a path that names no call: whether the service or the method is unknown.
[[nodiscard]] std::string_view unknown_of(std::string_view path);

} // namespace quorumd::clients::etcd
