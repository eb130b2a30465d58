#include "daemon/node/applier.hpp"

#include "consensus/types/invariant.hpp"
#include "wire/command_codec.hpp"

#include <utility>

namespace quorumd::node {

void applier::apply(const entry& e) {
  QUORUMD_INVARIANT(e.index() == applied().next(), "entries are applied in order, without gaps");
  switch (e.kind()) {
  case entry_kind::command: {
    const kv::result<kv::reply> r = run(e);
    observer_.entry_applied(e);
    answer(e, r);
    return;
  }
  case entry_kind::configuration:
    if (!state_.members.apply(e.payload())) observer_.entry_not_understood(e.index(), "a configuration entry");
    break;
  case entry_kind::leader_start:
    break;
  }
  state_.store->skip(e.index());
  observer_.entry_applied(e);
  // A later leader's entry may stand where this node had proposed a command.
  if (const auto waiting = pending_.take(e.index())) {
    QUORUMD_INVARIANT(waiting->term != e.term(), "only commands have someone who waits for them");
    sinks_.failed(waiting->to, request_errc::not_applied);
  }
}

kv::result<kv::reply> applier::run(const entry& e) {
  const auto command = wire::decode_command(e.payload());
  if (command) return state_.store->apply(e.index(), *command);
  // Whoever accepted it had checked it: it is of a later version, and every node of this version skips it alike.
  observer_.entry_not_understood(e.index(), command.error().what());
  state_.store->skip(e.index());
  return kv::error(kv::errc::invalid_option);
}

void applier::answer(const entry& e, const kv::result<kv::reply>& r) {
  const auto waiting = pending_.take(e.index());
  if (!waiting) return;
  if (waiting->term == e.term() || complete_by_index_)
    sinks_.wrote(waiting->to, r);
  else
    sinks_.failed(waiting->to, request_errc::not_applied);
}

void applier::replace(state s) {
  state_ = std::move(s);
  pending_.covered(applied());
}

} // namespace quorumd::node
