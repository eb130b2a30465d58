#pragma once

#include "consensus/types/entry.hpp"
#include "daemon/client/status.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/store.hpp"
#include "daemon/kv/watch_hub.hpp"
#include "daemon/node/bugs.hpp"
#include "daemon/node/membership.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/pending_table.hpp"
#include "daemon/node/sink_set.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::node {

/// The replicated state of one group and the only way to change it: committed entries in index order, or a snapshot
/// that takes the place of all of it. An entry whose work grows with the state is applied in slices, so that the group
/// goes on meanwhile; applied() tells of whole entries only. Those who watch are told of each change before the next
/// entry is begun. Belongs to the group's loop.
class applier {
 public:
  struct state {
    std::unique_ptr<kv::store> store;
    membership members;
  };

  applier(state s, bool witness, pending_table& pending, sink_set& sinks, observer& o, const bugs& b,
          kv::watch_hub_options w = {})
      : state_(std::move(s))
      , watches_(*state_.store, with_bugs(w, b.watches))
      , witness_(witness)
      , pending_(pending)
      , sinks_(sinks)
      , observer_(o)
      , bugs_(b) {}

  /// Takes committed entries, the first of which follows the last one taken.
  void take(std::vector<entry>& committed);
  /// Whether everything taken is applied, and those who watch know of it.
  [[nodiscard]] bool idle() const { return waiting_.empty() && told_; }
  /// Applies what was taken, about so much of it, and answers whoever waits: what an entry costs is the records that it
  /// visits and the KiB of its payload, and one at least. Returns what it cost. Ends for good at an entry that this
  /// version does not understand, of which nothing is done: the state would differ from that of members who do.
  std::size_t proceed(std::size_t cost_max);
  /// Which entry it ended at, and why; empty: it goes on.
  [[nodiscard]] const std::string& why_stopped() const { return why_stopped_; }
  /// A snapshot takes the place of the state, and of every entry that was taken. Returns what it replaced, which may be
  /// long work to free; what pinned it is gone.
  [[nodiscard]] state replace(state s);
  /// Whether the members' incarnations may have changed since this was asked last.
  [[nodiscard]] bool members_changed() { return std::exchange(members_changed_, false); }

  [[nodiscard]] log_index applied() const { return state_.store->applied(); }
  [[nodiscard]] kv::store& store() { return *state_.store; }
  [[nodiscard]] const kv::store& store() const { return *state_.store; }
  [[nodiscard]] kv::watch_hub& watches() { return watches_; }
  [[nodiscard]] const kv::watch_hub& watches() const { return watches_; }
  [[nodiscard]] const membership& members() const { return state_.members; }
  [[nodiscard]] bool is_witness() const { return witness_; }
  /// What the state hashed to at the last multiples of mark_interval, ascending, and does now: members that apply
  /// entries at different times have one of them in common, unless one is far behind.
  [[nodiscard]] std::vector<client::state_mark> marks() const;
  static constexpr std::uint64_t mark_interval = 1024;

 private:
  static kv::watch_hub_options with_bugs(kv::watch_hub_options o, const kv::bugs& b) {
    o.bugs = b;
    return o;
  }
  [[nodiscard]] bool begin(const entry& e);
  [[nodiscard]] bool has_answer(const kv::session_call& c) const;
  [[nodiscard]] bool stop_at(const entry& e, const std::string& what);
  void finish(const entry& e);
  [[nodiscard]] client::state_mark mark_now() const;
  void mark();
  [[nodiscard]] std::size_t tell(std::size_t visits_max);
  void answer(const entry& e, const kv::result<kv::reply>& r);
  [[nodiscard]] bool somebody_waits(const entry& e) const;

  state state_;
  kv::watch_hub watches_;
  bool told_ = true;   ///< those who watch know of all that is applied
  const bool witness_; ///< commands are withheld from this node, and its state has no data
  pending_table& pending_;
  sink_set& sinks_;
  observer& observer_;
  const bugs bugs_;
  std::deque<entry> waiting_;                 ///< taken and not applied
  std::optional<kv::logged_command> command_; ///< of the first of them, which is under way
  bool members_changed_ = false;
  std::string why_stopped_;
  std::deque<client::state_mark> marks_;
};

} // namespace quorumd::node
