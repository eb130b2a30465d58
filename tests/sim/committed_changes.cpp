#include "tests/sim/committed_changes.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/history.hpp"
#include "tests/sim/cluster.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::sim {
namespace {

seen_version version_of(const kv::key_value_view& v) {
  if (v.version == 0) return {.mod = v.mod_revision.value()};
  return {.value = std::hash<std::string_view>()(v.value),
          .create = v.create_revision.value(),
          .mod = v.mod_revision.value(),
          .number = v.version,
          .lease = v.lease.value()};
}

std::vector<seen_change> changes_of(const kv::store& s) {
  std::vector<seen_change> all;
  const kv::history h(s);
  for (std::size_t i = h.find({s.current()}); i != h.size(); ++i) all.push_back(change_of(h[i]));
  return all;
}

} // namespace

seen_change change_of(const kv::event& e) {
  seen_change c{.key = std::string(e.kv.key), .is = version_of(e.kv), .sub = e.sub, .prev = {}};
  if (e.prev) c.prev = version_of(*e.prev);
  return c;
}

complaint committed_changes::applied(const entry& e, const kv::store& s, coro::time_point now) {
  if (e.index() <= last_) return {};
  last_ = e.index();
  std::vector<seen_change> changes;
  if (s.current().value() != history_.last()) changes = changes_of(s);
  if (complaint wrong = leases_changed(e, s, changes, now); !wrong.empty()) return wrong;
  if (s.leases().size() != leases_.standing())
    return "the store has " + std::to_string(s.leases().size()) + " leases, and " + std::to_string(leases_.standing()) +
           " are granted and stand";
  if (s.current().value() == history_.last()) return {};
  return history_.add(s.current().value(), std::move(changes));
}

complaint committed_changes::leases_changed(const entry& e, const kv::store& s, std::span<const seen_change> changes,
                                            coro::time_point now) {
  for (const seen_change& c : changes)
    if (c.is.lease != 0 && !leases_.stands(c.is.lease))
      return "the " + describe(c) + " is of lease " + std::to_string(c.is.lease) + ", which does not stand";
  if (e.kind() != entry_kind::command || (s.leases().size() == 0 && leases_.standing() == 0)) return {};
  const auto command = kv::decode_command(e.payload());
  if (!command) return {};
  if (const auto* g = std::get_if<kv::grant_lease>(&command->what)) {
    const auto found = s.leases().find(g->id);
    return found && found->granted == e.index() ? leases_.granted(g->id.value()) : complaint();
  }
  const auto* by_time = std::get_if<kv::expire_lease>(&command->what);
  const auto* revoked = std::get_if<kv::revoke_lease>(&command->what);
  if (by_time == nullptr && revoked == nullptr) return {};
  const lease_id id = by_time != nullptr ? by_time->id : revoked->id;
  if (!leases_.stands(id.value())) return {};
  if (s.leases().contains(id)) // a command of a session need not have been carried out
    return by_time == nullptr ? complaint() : "lease " + std::to_string(id.value()) + " was to end, and stands";
  complaint wrong = lease_ended(id.value(), by_time != nullptr, changes, now);
  if (wrong.empty() && by_time != nullptr && on_expired_)
    on_expired_(id.value(), s.current().value(), payload_hash(e.payload()));
  return wrong;
}

complaint committed_changes::lease_ended(std::uint64_t lease, bool by_time, std::span<const seen_change> changes,
                                         coro::time_point now) {
  std::vector<std::string> gone;
  for (const seen_change& c : changes)
    if (c.is.number == 0) gone.push_back(c.key);
  if (gone.size() != changes.size() || gone != history_.keys_of(lease))
    return "lease " + std::to_string(lease) + " had " + std::to_string(history_.keys_of(lease).size()) +
           " keys when it ended, and " + std::to_string(gone.size()) + " of " + std::to_string(changes.size()) +
           " changes were deletions: not the same";
  return leases_.ended(lease, by_time, now);
}

} // namespace quorumd::sim
