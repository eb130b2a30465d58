#pragma once

#include "consensus/types/entry.hpp"
#include "daemon/kv/store.hpp"
#include "daemon/node/membership.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/pending_table.hpp"
#include "daemon/node/sink_set.hpp"

#include <cstdint>
#include <memory>

namespace quorumd::node {

/// The replicated state of one group and the only way to change it: committed entries in index order, or a snapshot
/// that takes the place of all of it. Belongs to the group's loop.
class applier {
 public:
  struct state {
    std::unique_ptr<kv::store> store;
    membership members;
  };

  /// `complete_by_index` is a deliberate bug for the simulator: it completes a request whatever term its entry has.
  applier(state s, pending_table& pending, sink_set& sinks, observer& o, bool complete_by_index = false)
      : state_(std::move(s))
      , pending_(pending)
      , sinks_(sinks)
      , observer_(o)
      , complete_by_index_(complete_by_index) {}

  /// Applies the entry after applied() and answers whoever waits for it.
  void apply(const entry& e);
  /// A snapshot takes the place of the state.
  void replace(state s);

  [[nodiscard]] log_index applied() const { return state_.store->applied(); }
  [[nodiscard]] kv::store& store() { return *state_.store; }
  [[nodiscard]] const kv::store& store() const { return *state_.store; }
  [[nodiscard]] const membership& members() const { return state_.members; }

 private:
  [[nodiscard]] kv::result<kv::reply> run(const entry& e);
  void answer(const entry& e, const kv::result<kv::reply>& r);

  state state_;
  pending_table& pending_;
  sink_set& sinks_;
  observer& observer_;
  bool complete_by_index_;
};

} // namespace quorumd::node
