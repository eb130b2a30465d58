#pragma once

#include "daemon/node/watches.hpp"
#include "tests/sim/checkers/watch_checker.hpp"
#include "tests/sim/cluster.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::sim {

/// Those who watch keys in a run: each at one node at a time, with room or for a while without. They move, and go on
/// elsewhere where they stopped; so they do when their node crashes, when it has no leader for long, and when what they
/// need next was compacted away.
class watchers {
 public:
  watchers(scheduler& s, cluster& c, const plan& p, counters& n);
  ~watchers();

  void start();
  /// Whoever watches there is told nothing any more.
  void node_gone(node_id id);
  /// From now on they stay where they are, at members, and take what comes.
  void settle() { settled_ = true; }
  /// Who has not seen everything that was committed, once they have settled; empty: nobody.
  [[nodiscard]] std::string why_behind();
  void stop() { stopped_ = true; }

 private:
  class seat;
  struct watcher {
    std::uint64_t number = 0;
    watch_checker sees;
    bool begins_now = false; ///< it wants what comes after it began, and did not begin yet
    bool needs_leader = false;
    coro::duration reads_within{}; ///< what it got; it has room for no more meanwhile
    node_id at;                    ///< 0: nowhere
    seat* sits = nullptr;
    std::uint64_t moves = 0;
  };

  [[nodiscard]] watcher draw(std::uint64_t number);
  void come(watcher& w);
  void come_soon(watcher& w);
  void move_later(watcher& w);
  void leave(watcher& w);
  /// It sits nowhere.
  void stands_up(watcher& w);

  scheduler& clock_;
  cluster& cluster_;
  const plan& plan_;
  counters& counters_;
  prng random_;
  std::vector<watcher> watchers_;
  std::vector<std::unique_ptr<seat>> seats_; ///< all there ever were: a node that is gone may still refer to its own
  bool settled_ = false;
  bool stopped_ = false;
};

} // namespace quorumd::sim
