#pragma once

#include "consensus/types/entry.hpp"
#include "daemon/kv/event.hpp"
#include "daemon/kv/store.hpp"
#include "tests/sim/checkers/change_history.hpp"
#include "tests/sim/checkers/lease_checker.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace quorumd::sim {

/// What the committed log made of the keys and the leases, as the store of whoever applied an entry first shows it: the
/// others' are compared with that one's. Keys go with their lease, all in one revision, and nobody else's do.
class committed_changes {
 public:
  /// A lease ended by time, with the command of that hash; the revision is that behind it.
  using on_expired = std::function<void(std::uint64_t lease, std::uint64_t revision, std::uint64_t command)>;

  /// A store has just applied the entry.
  [[nodiscard]] complaint applied(const entry& e, const kv::store& s, coro::time_point now);
  void set_on_expired(on_expired f) { on_expired_ = std::move(f); }

  [[nodiscard]] const change_history& history() const { return history_; }
  [[nodiscard]] lease_checker& leases() { return leases_; }

 private:
  [[nodiscard]] complaint leases_changed(const entry& e, const kv::store& s, std::span<const seen_change> changes,
                                         coro::time_point now);
  [[nodiscard]] complaint lease_ended(std::uint64_t lease, bool by_time, std::span<const seen_change> changes,
                                      coro::time_point now);

  log_index last_;
  change_history history_;
  lease_checker leases_;
  on_expired on_expired_;
};

[[nodiscard]] seen_change change_of(const kv::event& e);

} // namespace quorumd::sim
