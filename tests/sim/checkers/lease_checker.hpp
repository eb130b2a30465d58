#pragma once

#include "coro/clock.hpp"
#include "tests/sim/checkers/cluster_checkers.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

namespace quorumd::sim {

/// The leases of a run, in time: none ends by time before what was promised when it was granted and whenever it was
/// renewed; a renewal is answered only where the lease stands, and that it is gone only where it is. Ids are granted
/// once.
class lease_checker {
 public:
  /// A client asks for a lease: what is promised counts from now.
  void asked(std::uint64_t lease, coro::duration ttl, coro::time_point now);

  // What the committed log made of it, when somebody applied it first.
  [[nodiscard]] complaint granted(std::uint64_t lease);
  /// By the time that a leader counted, or else by a client.
  [[nodiscard]] complaint ended(std::uint64_t lease, bool by_time, coro::time_point now);

  // What clients are told.
  [[nodiscard]] complaint renewed(std::uint64_t lease, coro::time_point asked_at);
  [[nodiscard]] complaint said_to_be_gone(std::uint64_t lease) const;

  [[nodiscard]] bool stands(std::uint64_t lease) const;
  /// How many do.
  [[nodiscard]] std::size_t standing() const { return standing_; }
  /// The first that stands and was granted for so long at most; 0: none.
  [[nodiscard]] std::uint64_t first_standing(coro::duration ttl_most) const;

 private:
  struct lease {
    coro::duration ttl{};
    coro::time_point not_before; ///< it does not end by time
    bool granted = false;
    bool by_time = false;
    std::optional<coro::time_point> ended_at;
  };
  std::map<std::uint64_t, lease> all_;
  std::size_t standing_ = 0;
};

} // namespace quorumd::sim
