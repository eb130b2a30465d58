#include "daemon/node/snapshot_delegation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace quorumd::node {
namespace {
constexpr auto silence_limit = std::chrono::seconds(20);
constexpr std::uint64_t near_entries = 10'000; // of the log's end
} // namespace

bool snapshot_delegation::knows_orders(node_id id) const {
  const auto p = peers_.find(id);
  return p != peers_.end() && p->second.up && !p->second.refused &&
         (p->second.features & wire::feature_delegated_snapshots) != 0;
}

/// The follower with the most of the log, whose snapshot is the newest most likely; 0: there is none.
node_id snapshot_delegation::choose(node_id to) const {
  if (context_.is_witness(to) || !knows_orders(to)) return {};
  node_id best;
  log_index most;
  for (const raft::peer_progress& p : context_.core.progress()) {
    if (p.id == to || context_.is_witness(p.id) || !knows_orders(p.id)) continue;
    if (!p.recently_active || p.state != raft::peer_progress::state::replicate) continue;
    if (p.match + near_entries < context_.core.last_index() || p.match <= most) continue;
    best = p.id;
    most = p.match;
  }
  return best;
}

void snapshot_delegation::start(node_id to, quorumd::term term) {
  if (orders_.contains(to)) return; // it ends, and the core asks again if need be
  const node_id by = context_.transfers.delegate ? choose(to) : node_id();
  const auto failed = disappointed_.find(to);
  const bool again = failed != disappointed_.end() && failed->second == by;
  disappointed_.erase(to);
  if (!by || again) return own_.start(to, term);
  const order o{
      .number = next_number_++, .by = by, .pinned = context_.core.first_index().prev(), .heard = context_.loop.now()};
  orders_.emplace(to, o);
  context_.observer.snapshot_ordered(by, to, o.pinned);
  context_.transport.send(
      by, wire::snapshot_order{
              .group = context_.place.group, .term = term, .number = o.number, .to = to, .at_least = o.pinned});
}

void snapshot_delegation::take(node_id from, const wire::snapshot_report& report) {
  const auto found = std::find_if(orders_.begin(), orders_.end(), [&](const auto& o) {
    return o.second.by == from && o.second.number == report.number;
  });
  if (found == orders_.end()) return;
  switch (report.status) {
  case wire::report_status::under_way:
    found->second.heard = context_.loop.now();
    return;
  case wire::report_status::done:
    return end(found->first, {});
  case wire::report_status::failed:
    return end(found->first, report.text.empty() ? "it did not succeed" : report.text);
  }
}

void snapshot_delegation::end(node_id to, const std::string& why) {
  const order o = orders_.at(to);
  orders_.erase(to);
  if (!why.empty()) disappointed_[to] = o.by;
  context_.observer.snapshot_order_ended(o.by, to, why);
  context_.core.snapshot_sent(to, why.empty());
  context_.wake();
}

void snapshot_delegation::peer_lost(node_id peer) {
  for (auto it = orders_.begin(); it != orders_.end();) {
    const auto [to, o] = *it++;
    if (o.by == peer) end(to, "the stream to it broke");
  }
}

void snapshot_delegation::stop_all() {
  for (const auto& [to, o] : std::exchange(orders_, {}))
    context_.observer.snapshot_order_ended(o.by, to, "this node no longer leads");
}

void snapshot_delegation::keep_house() {
  const coro::time_point now = context_.loop.now();
  for (auto it = orders_.begin(); it != orders_.end();) {
    const auto [to, o] = *it++;
    if (now - o.heard > silence_limit) end(to, "it says nothing");
  }
}

std::optional<log_index> snapshot_delegation::pinned(log_index floor) const {
  std::optional<log_index> lowest;
  for (const auto& [to, o] : orders_)
    if (o.pinned >= floor && (!lowest || o.pinned < *lowest)) lowest = o.pinned;
  return lowest;
}

} // namespace quorumd::node
