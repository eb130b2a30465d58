#pragma once

#include "consensus/raft/ready.hpp"
#include "coro/clock.hpp"
#include "daemon/node/bugs.hpp"
#include "daemon/node/request.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace quorumd::node {

/// Linearizable reads on their way (thesis §6.4): gathered during a turn, asked for under one context, then waiting
/// for the state machine to reach the index that came back, when they may be served. A read whose index nobody could
/// give is asked for again until its deadline.
///
/// What was asked for and applied says, too, how old this node's state can be: reads that may be of some age need not
/// ask anew. That is by this node's own clock alone, from the moment at which it asked.
class read_queue {
 public:
  using fail = std::function<void(const read_request&, request_errc)>;
  using serve = std::function<void(read_request)>;

  read_queue(boot_id boot, fail f, serve s, const bugs& b = {})
      : bugs_(b)
      , boot_(boot)
      , fail_(std::move(f))
      , serve_(std::move(s)) {}

  /// A read of this turn, or one to be asked for again.
  void add(read_request r) { gathered_.push_back(std::move(r)); }
  /// A read that needs nobody's word, to be served once the state machine has reached the index.
  void wait_for(log_index index, read_request r);
  [[nodiscard]] bool has_gathered() const { return !gathered_.empty(); }
  /// The context under which everything gathered is asked for now.
  [[nodiscard]] raft::read_context ask(coro::time_point now);
  /// The core's answer, at that moment. What it could not answer is kept to be gathered again by retry().
  void answered(const raft::read_state& answer, log_index applied, coro::time_point now);
  /// Whether the state machine has everything that was acknowledged to anybody so long ago.
  [[nodiscard]] bool has_all_since(coro::time_point then) const { return known_ && *known_ >= then; }
  /// The state machine has reached the index: what waited for it may be served.
  void applied(log_index index);
  /// Gathers again what could not be answered.
  void retry();
  /// Gives up what is past its deadline, or whose client is gone.
  void expire(coro::time_point now);
  void clear(request_errc why);
  [[nodiscard]] std::size_t size() const { return size_of_asked() + gathered_.size() + refused_.size() + waiting(); }

 private:
  struct batch {
    std::uint64_t sequence = 0;
    coro::time_point asked;
    std::vector<read_request> reads;
  };
  struct waiting_batch {
    log_index index;
    std::optional<coro::time_point> asked; ///< nothing: nobody was
    std::vector<read_request> reads;
  };
  [[nodiscard]] std::size_t size_of_asked() const;
  [[nodiscard]] std::size_t waiting() const;
  void know(std::optional<coro::time_point> asked) { known_ = std::max(known_, asked); }
  void serve_all(std::vector<read_request>& reads);
  std::vector<read_request> spare();
  void give_back(std::vector<read_request> reads);
  template <class Due>
  void expire_in(std::vector<read_request>& reads, Due due, request_errc why);

  const bugs bugs_;
  boot_id boot_;
  fail fail_;
  serve serve_;
  std::uint64_t next_sequence_ = 1;
  std::vector<read_request> gathered_;
  std::vector<read_request> refused_;
  std::deque<batch> asked_;         ///< ascending sequence
  std::deque<waiting_batch> waits_; ///< in no order of index
  std::vector<std::vector<read_request>> spares_;
  std::optional<coro::time_point> known_; ///< everything acknowledged by then is applied
};

} // namespace quorumd::node
