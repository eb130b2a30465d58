#include "tests/sim/clients.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/validate.hpp"
#include "tests/sim/commands.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::sim {

using namespace std::chrono_literals;

namespace {
/// How long after its deadline a node that nobody disturbs may answer.
constexpr coro::duration grace = 300ms;

coro::duration ttl_of(const operation& o) {
  return std::chrono::seconds(std::max(o.ttl_s, kv::lease_ttl_least_s));
}
} // namespace

clients::clients(scheduler& s, cluster& c, renewals& r, const plan& p, counters& n)
    : clock_(s)
    , cluster_(c)
    , renewals_(r)
    , plan_(p)
    , counters_(n)
    , random_(s.random().fork(4))
    , operations_max_(p.load.operations_max) {
  clients_.resize(p.load.clients);
  for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].number = static_cast<std::uint32_t>(i);
  c.changes().set_on_expired([this](std::uint64_t lease, std::uint64_t revision, std::uint64_t command) {
    lease_ended(lease, revision, command);
  });
}

void clients::start() {
  for (client& c : clients_) think(c);
}

bool clients::idle() const {
  return std::none_of(clients_.begin(), clients_.end(), [](const client& c) { return c.busy; });
}

void clients::think(client& c) {
  const coro::duration pause = patient_ ? random_.between(coro::duration(20ms), coro::duration(60ms))
                                        : random_.between(coro::duration(100us), plan_.load.think_most);
  clock_.after(pause, [this, &c] { next(c); });
}

/// One that is up; 0: none is.
node_id clients::some_node() {
  std::vector<node_id> up = patient_ ? cluster_.members() : cluster_.ids();
  std::erase_if(up, [&](node_id id) { return !cluster_.up(id); });
  return up.empty() ? node_id() : up[random_.below(up.size())];
}

void clients::next(client& c) {
  if (stopped_ || c.busy) return;
  const node_id at = some_node();
  if (!at || history_.size() >= operations_max_) {
    think(c);
    return;
  }
  if (has_sessions(c)) {
    maybe_leave_session(c);
    send_settled(c);
    if (!c.call) return open_session(c, at);
  }
  ask(c, at, draw());
}

void clients::read_everywhere() {
  std::size_t i = 0;
  for (const node_id id : cluster_.members()) {
    operation o;
    o.what = operation::kind::read;
    o.then = {{action::kind::get, "k", "l", {}, 0}};
    ask(clients_[i++ % clients_.size()], id, std::move(o));
    if (i == clients_.size()) break;
  }
}

void clients::ask(client& c, node_id at, operation o) {
  o.id = history_.size() + 1;
  o.client = c.number;
  o.invoked = ++moment_;
  o.asked_at = clock_.now();
  c.current = history_.size();
  c.asked = at;
  c.tries = 0;
  clock_.record("ask", at.value(), o.id, static_cast<std::uint64_t>(o.what));
  history_.push_back(std::move(o));
  const operation& asked = history_.back();
  if (asked.writes() && c.call) ++c.call.sequence;
  watch(c);
  if (asked.what == operation::kind::grant) {
    asked_for_[asked.lease] = ++moment_;
    cluster_.changes().leases().asked(asked.lease, ttl_of(asked), clock_.now());
  }
  if (asked.writes())
    send_write(c, asked);
  else
    send_read(c, asked);
}

/// It is about to ask for something, and is answered by a deadline.
void clients::watch(client& c) {
  c.busy = true;
  ++c.generation;
  c.deadline = clock_.now() +
               (patient_ ? coro::duration(4s) : random_.between(plan_.load.deadline_least, plan_.load.deadline_most));
  clock_.at(c.deadline + grace, [this, n = c.number, g = c.generation] { wait_no_longer(n, g); });
}

void clients::send_write(client& c, const operation& o) {
  const kv::command command = command_of(o);
  if (const auto good = kv::validate(command); !good) {
    cluster_.complain("the load made a command that is not valid: " + good.error().message());
    return;
  }
  send_command(c, command);
  std::vector<std::uint64_t>& sent = sent_[c.command];
  if (sent.empty() || sent.back() != o.id) sent.push_back(o.id);
}

void clients::send_command(client& c, const kv::command& command) {
  const kv::session_call call = c.what == client::doing::opening ? kv::session_call() : c.call;
  std::vector<node::write_request> batch(1);
  batch[0].to = {this, c.number, c.generation, history_.size()};
  batch[0].arrival = {.received = clock_.now(), .handed = clock_.now()};
  batch[0].deadline = c.deadline;
  batch[0].command = kv::encode_command(arena_, command, call);
  batch[0].grows = node::may_grow(command);
  batch[0].answers = node::answers_much(command);
  batch[0].bulk = c.number % 2 == 1;
  batch[0].level = kv::needed_level(command, call);
  c.command = payload_hash(std::as_const(batch[0].command).payload());
  cluster_.the_node(c.asked).submit(batch);
}

std::map<std::uint64_t, std::vector<std::uint64_t>> clients::made_by() const {
  std::map<std::uint64_t, std::vector<std::uint64_t>> out;
  for (const auto& [revision, command] : cluster_.acknowledgements().commands())
    if (const auto found = sent_.find(command); found != sent_.end()) out[revision] = found->second;
  return out;
}

void clients::send_read(client& c, const operation& o) {
  std::vector<node::read_request> batch(1);
  node::read_request& r = batch[0];
  const action& get = o.then.front();
  r.hold = chunk_ref::allocate(get.key.size() + get.end.size() + 1);
  char* at = reinterpret_cast<char*>(r.hold.data());
  std::memcpy(at, get.key.data(), get.key.size());
  std::memcpy(at + get.key.size(), get.end.data(), get.end.size());
  r.range.key = {at, get.key.size()};
  r.range.range_end = {at + get.key.size(), get.end.size()};
  r.range.revision = revision(get.revision);
  r.to = {this, c.number, c.generation, o.id};
  r.arrival = {.received = clock_.now(), .handed = clock_.now()};
  r.deadline = c.deadline;
  r.stale = o.what == operation::kind::stale_read;
  if (r.stale && plan_.load.max_age.count() != 0) {
    r.stale = false;
    r.max_age = plan_.load.max_age;
    history_[c.current].not_below = newest_at(clock_.now() - r.max_age);
  }
  cluster_.the_node(c.asked).submit(batch);
}

std::string clients::asked_by(const client& c) const {
  return c.what == client::doing::opening ? std::string("a session") : describe(history_[c.current]);
}

/// A node answers by the deadline, if only that it cannot.
void clients::wait_no_longer(std::uint32_t number, std::uint32_t generation) {
  client& c = clients_[number];
  if (!c.busy || c.generation != generation) return;
  if (cluster_.disturbed(c.asked) + grace >= c.deadline) { // it was paused: a little longer
    clock_.at(std::max(cluster_.disturbed(c.asked), clock_.now()) + 2 * grace, [this, number, generation] {
      client& late = clients_[number];
      if (!late.busy || late.generation != generation) return;
      if (cluster_.paused(late.asked)) {
        wait_no_longer(number, generation);
        return;
      }
      cluster_.complain("no answer long after a pause: " + asked_by(late));
    });
    return;
  }
  cluster_.complain("no answer within the deadline: " + asked_by(c));
}

void clients::node_gone(node_id id) {
  for (client& c : clients_) {
    if (!c.busy || c.asked != id) continue;
    ++counters_[counter::unknown_outcomes];
    if (c.what != client::doing::operation)
      rest(c);
    else if (!try_again(c))
      close(c, outcome::unknown);
  }
}

clients::client* clients::waiting(const node::reply_to& to) {
  client& c = clients_[to.slot];
  return c.busy && c.generation == to.generation ? &c : nullptr;
}

void clients::close(client& c, outcome how) {
  operation& o = history_[c.current];
  o.result = how;
  o.returned = ++moment_;
  o.answered_at = clock_.now();
  clock_.record("answer", c.asked.value(), o.id, static_cast<std::uint64_t>(how));
  if (!ask_again(c)) rest(c);
}

void clients::rest(client& c) {
  c.what = client::doing::operation;
  c.busy = false;
  ++c.generation; // what it may have been about to send stays unsent
  think(c);
}

void clients::answered(client& c) {
  close(c, outcome::ok);
  const operation& o = history_[c.current];
  remember(o);
  if (o.made_revision()) {
    if (c.tries != 0) ++counters_[counter::settled_by_repeating];
    ++acknowledged_writes_;
    ++counters_[counter::acknowledged_writes];
    cluster_.complain(cluster_.acknowledgements().acknowledged(o.revision, c.command));
  } else if (o.what == operation::kind::grant) {
    granted_.push_back(o.lease);
    renewals_.granted(o.lease, ttl_of(o));
    ++counters_[counter::leases_granted];
  } else if (o.revokes()) {
    ++counters_[counter::leases_revoked];
  } else if (o.what == operation::kind::read) {
    ++counters_[counter::reads];
    if (cluster_.leader() != c.asked) ++counters_[counter::follower_reads];
  } else if (o.what == operation::kind::stale_read) {
    ++counters_[counter::stale_reads];
    if (o.not_below != 0) ++counters_[counter::reads_of_bounded_age];
    if (o.revision < o.not_below)
      cluster_.complain("a read is older than it may be: revision " + std::to_string(o.not_below) +
                        " was acknowledged long before, " + describe(o));
  }
}

void clients::wrote(const node::reply_to& to, const kv::result<kv::reply>& r) {
  client* c = waiting(to);
  if (c == nullptr) return;
  if (c->what != client::doing::operation) return ended_in_session(*c, r);
  if (!r) {
    ++counters_[counter::refused_requests];
    if (c->call)
      refused_in_session(*c, r.error());
    else
      close(*c, outcome::not_applied);
    return;
  }
  if (take_reply(*r, history_[c->current]))
    answered(*c);
  else
    cluster_.complain("the answer is of another kind than the command: " + describe(history_[c->current]));
}

void clients::ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  client* c = waiting(to);
  if (c == nullptr) return;
  if (!r) {
    ++counters_[counter::refused_requests];
    close(*c, r.error().code() == kv::errc::compacted ? outcome::compacted : outcome::not_applied);
    return;
  }
  take_reply(*r, history_[c->current]);
  answered(*c);
}

void clients::failed(const node::reply_to& to, node::request_errc why, std::string_view) {
  client* c = waiting(to);
  if (c == nullptr) return;
  const bool known = wire::certainly_not_applied(why);
  ++counters_[known ? counter::refused_requests : counter::unknown_outcomes];
  clock_.record("refused", c->asked.value(), static_cast<std::uint64_t>(why));
  if (c->what != client::doing::operation) return rest(*c);
  if ((!known || c->tries != 0) && try_again(*c)) return;
  close(*c, known && c->tries == 0 ? outcome::not_applied : outcome::unknown);
}

/// The newest revision that anybody had been told of by then.
std::uint64_t clients::newest_at(coro::time_point then) const {
  const auto after = std::upper_bound(newest_since_.begin(), newest_since_.end(), then,
                                      [](coro::time_point t, const seen_revision& s) { return t < s.at; });
  return after == newest_since_.begin() ? 0 : std::prev(after)->revision;
}

/// As if somebody had revoked it: in the history there is no time.
void clients::lease_ended(std::uint64_t lease, std::uint64_t revision, std::uint64_t command) {
  operation o;
  o.id = history_.size() + 1;
  o.client = clients_.size();
  o.what = operation::kind::write;
  o.then = {{action::kind::revoke, {}, {}, {}, 0, lease}};
  o.invoked = asked_for_[lease];
  o.returned = ++moment_;
  o.asked_at = o.answered_at = clock_.now();
  o.result = outcome::ok;
  o.revision = revision;
  o.results.emplace_back();
  sent_[command].push_back(o.id);
  std::erase(granted_, lease);
  history_.push_back(std::move(o));
  ++counters_[counter::leases_expired];
}

void clients::remember(const operation& o) {
  if (o.revision > newest_) newest_since_.push_back({clock_.now(), o.revision});
  newest_ = std::max(newest_, o.revision);
  for (const action_result& r : o.results)
    for (const seen_key& k : r.kvs) last_seen_[k.key] = k;
}

} // namespace quorumd::sim
