#pragma once

#include "consensus/raft/core.hpp"
#include "tests/model/key.hpp"

#include <memory>

namespace quorumd::raft {

/// The only look into a core from outside.
struct core_probe {
  [[nodiscard]] static std::unique_ptr<core> copy(const core& c);

  /// Writes all that decides what the core does next, once its clock stands still and its outputs were taken. Numbers
  /// of writes are written as how many of them are not durable, so that it does not matter how many there ever were.
  static void describe(const core& c, model::key& k);

  /// Turns the clock back to one moment that is the same for all cores. A leader has then just heard from everybody,
  /// and the lease of everyone else's leader is over: what a lease forbids is that a vote is given, and a request for
  /// votes that is ignored is one that was lost. So no difference of times is part of a state, and nothing that is
  /// promised while time passes is lost.
  static void stop_clock(core& c);

  /// Lets so much time pass that a leader which hears from nobody gives up.
  static void silence(core& c);
  /// Lets so much time pass that a leader's next heartbeat is due.
  static void heartbeat_time(core& c);

 private:
  struct writer;
};

} // namespace quorumd::raft
