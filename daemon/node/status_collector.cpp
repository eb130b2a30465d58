#include "daemon/node/status_collector.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {
constexpr auto patience = std::chrono::milliseconds(500);
} // namespace

status_collector::status_collector(const wire::local_identity& self, group_id group, const raft::core& core,
                                   const applier& state, const storage::wal& wal, wire::transport& transport,
                                   const member_admin& members)
    : self_(self)
    , group_(group)
    , core_(core)
    , state_(state)
    , wal_(wal)
    , transport_(transport)
    , members_(members) {}

client::status_row status_collector::own_row() const {
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
          .accepting = wal_.accepting_puts(),
          .store_bytes = store.stored_bytes(),
          .history_bytes = store.history_bytes(),
          .settings = store.settings(),
          .marks = state_.marks(),
          .speaks = client::protocol_level,
          .witness = state_.is_witness(),
          .keys_hash = state_.is_witness() ? 0 : store.keys_hash(),
          .compacted = store.compacted(),
          .corrupt = corrupt_,
          .error = {}};
}

void status_collector::collect(coro::time_point now, receiver r) {
  waiting_.push_back(std::move(r));
  if (!is_open_) begin(now);
}

/// For everybody who waits, until there is something to wait for.
void status_collector::begin(coro::time_point now) {
  asking_.swap(waiting_);
  is_open_ = true;
  open_ = {};
  collection& c = open_;
  c.id = next_id_++;
  c.deadline = now + patience;
  for (const wire::member& m : members_.in_force().listed()) {
    if (m.id == self_.id) {
      c.rows.push_back(own_row());
      continue;
    }
    client::status_row row{.id = m.id, .name = m.name, .address = m.address};
    if (transport_.connected(m.id)) {
      row.error = "no answer within 0.5 s";
      transport_.send(m.id, wire::status_query{.id = c.id, .group = group_});
      ++c.missing;
    } else {
      row.error = "unreachable at " + m.address;
    }
    c.rows.push_back(std::move(row));
  }
  std::sort(c.rows.begin(), c.rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (c.missing == 0) finish(now);
}

void status_collector::answered(coro::time_point now, node_id from, std::uint64_t question,
                                wire::decoded<client::status_row> answer) {
  if (!is_open_ || open_.id != question) return;
  const auto row = std::find_if(open_.rows.begin(), open_.rows.end(), [&](const auto& r) { return r.id == from; });
  if (row == open_.rows.end() || row->error.empty()) return;
  if (answer.has_value()) {
    *row = std::move(*answer);
    row->error.clear();
  } else {
    row->error = "its answer cannot be read: " + answer.error().what();
  }
  row->id = from;
  if (--open_.missing == 0) finish(now);
}

void status_collector::expire(coro::time_point now) {
  while (is_open_ && open_.deadline <= now) finish(now);
}

void status_collector::end() {
  if (!is_open_) return;
  for (receiver& r : waiting_) asking_.push_back(std::move(r));
  waiting_.clear();
  finish(open_.deadline);
}

void status_collector::finish(coro::time_point now) {
  std::vector<client::status_row> rows = std::move(open_.rows);
  is_open_ = false;
  log_index commit;
  for (const client::status_row& r : rows) commit = std::max(commit, r.commit);
  for (client::status_row& r : rows)
    if (r.error.empty()) r.lag = commit - std::min(commit, r.applied);
  std::vector<receiver> asked;
  asked.swap(asking_);
  for (const receiver& r : asked) r(rows);
  if (!waiting_.empty() && !is_open_) begin(now);
}

} // namespace quorumd::node
