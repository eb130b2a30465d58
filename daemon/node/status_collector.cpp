#include "daemon/node/status_collector.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {
constexpr auto patience = std::chrono::milliseconds(500);
} // namespace

status_collector::status_collector(const wire::local_identity& self, group_id group, const raft::core& core,
                                   const applier& state, const storage::wal& wal, wire::transport& transport)
    : self_(self)
    , group_(group)
    , core_(core)
    , state_(state)
    , wal_(wal)
    , transport_(transport) {}

wire::status_row status_collector::own_row() const {
  const raft::soft_state soft = core_.soft();
  const kv::store& store = state_.store();
  return {.id = self_.id,
          .name = self_.name,
          .address = self_.client_address,
          .version = self_.software,
          .group = group_,
          .role = soft.role,
          .leader = soft.leader,
          .term = soft.term,
          .commit = core_.commit(),
          .applied = store.applied(),
          .revision = store.current(),
          .keys = store.keys(),
          .disk_bytes = wal_.stats().disk_bytes,
          .lag = 0,
          .error = {}};
}

void status_collector::collect(coro::time_point now, receiver r) {
  const std::uint64_t id = next_id_++;
  collection c{.deadline = now + patience, .rows = {}, .missing = 0, .done = std::move(r)};
  for (const wire::member& m : self_.members) {
    if (m.id == self_.id) {
      c.rows.push_back(own_row());
      continue;
    }
    wire::status_row row{.id = m.id, .name = m.name, .address = m.address};
    if (transport_.connected(m.id)) {
      row.error = "no answer within 0.5 s";
      transport_.send(m.id, wire::status_query{.id = id, .group = group_});
      ++c.missing;
    } else {
      row.error = "unreachable at " + m.address;
    }
    c.rows.push_back(std::move(row));
  }
  std::sort(c.rows.begin(), c.rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (c.missing == 0)
    finish(c);
  else
    open_.emplace(id, std::move(c));
}

void status_collector::answered(node_id from, wire::status_answer a) {
  const auto found = open_.find(a.id);
  if (found == open_.end()) return;
  collection& c = found->second;
  const auto row = std::find_if(c.rows.begin(), c.rows.end(), [&](const auto& r) { return r.id == from; });
  if (row == c.rows.end() || row->error.empty()) return;
  *row = std::move(a.row);
  row->id = from;
  row->error.clear();
  if (--c.missing != 0) return;
  finish(c);
  open_.erase(found);
}

void status_collector::expire(coro::time_point now) {
  while (!open_.empty() && open_.begin()->second.deadline <= now) { // the deadlines are in the order of the ids
    finish(open_.begin()->second);
    open_.erase(open_.begin());
  }
}

void status_collector::finish(collection& c) {
  log_index commit;
  for (const wire::status_row& r : c.rows) commit = std::max(commit, r.commit);
  for (wire::status_row& r : c.rows)
    if (r.error.empty()) r.lag = commit - std::min(commit, r.applied);
  c.done(c.rows);
}

} // namespace quorumd::node
