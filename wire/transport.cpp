#include "wire/transport.hpp"

#include "consensus/types/invariant.hpp"
#include "wire/transport_impl.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace quorumd::wire {

namespace {

/// What a message carries beside its fields: what a queue is full of.
std::size_t load_of(const peer_message& m) {
  if (const auto* r = std::get_if<forward_reply>(&m)) return r->result.bytes.size();
  if (const auto* f = std::get_if<forward_request>(&m)) return f->command.payload().size();
  if (const auto* c = std::get_if<snapshot_chunk>(&m)) return c->bytes.bytes.size();
  return 0;
}

} // namespace

transport::impl::impl(coro::loop& l, coro::network& net, coro::entropy& random, transport_options o,
                      peer_handler& handler, peer_observer& observer)
    : loop(l)
    , inbox(l)
    , net_(net)
    , random_(random)
    , options_(std::move(o))
    , handler_(handler)
    , observer_(observer)
    , tasks_(l) {
  for (const member& m : options_.self.members)
    if (m.id != options_.self.id) find_or_add(m.id).address = m.address;
}

boost::system::result<void> transport::impl::start() {
  loop.assert_here();
  auto listening = net_.listen(loop, options_.listen);
  if (!listening) return listening.error();
  acceptor = std::move(*listening);
  started_ = true;
  tasks_.spawn(run_listener());
  tasks_.spawn(run_inbox());
  tasks_.spawn(run_watch());
  for (const auto& p : peers) start_peer(*p);
  return {};
}

void transport::impl::start_peer(transport_peer& p) {
  tasks_.spawn(run_streams(&p));
  tasks_.spawn(run_dialer(&p));
}

transport_peer& transport::impl::find_or_add(node_id id) {
  if (transport_peer* known = find(id)) return *known;
  peers.push_back(std::make_unique<transport_peer>(loop, id, handler_, observer_));
  auto next = std::make_unique<table>();
  for (const auto& p : peers) next->push_back(p.get());
  std::sort(next->begin(), next->end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  tables_.push_back(std::move(next));
  table_.store(tables_.back().get(), std::memory_order_release);
  if (started_) start_peer(*peers.back());
  return *peers.back();
}

/// Nodes that dialed, and are not known to be members.
std::size_t transport::impl::strangers() const {
  return static_cast<std::size_t>(
      std::count_if(peers.begin(), peers.end(), [](const auto& p) { return p->address.empty() && p->has_stream(); }));
}

void transport::impl::set_members(log_index index, std::vector<member> members, const std::vector<member>& reachable) {
  loop.assert_here();
  options_.self.members = std::move(members);
  options_.self.members_index = index;
  for (const member& m : reachable) {
    if (m.id == options_.self.id) continue;
    transport_peer& p = find_or_add(m.id);
    if (p.address == m.address) continue;
    p.address = m.address;
    p.failures = 0;
    p.dial_complaint.clear();
    p.lost.set();
  }
  for (const auto& p : peers) {
    const bool wanted = std::any_of(reachable.begin(), reachable.end(), [&](const member& m) { return m.id == p->id; });
    if (wanted || p->address.empty()) continue;
    p->address.clear();
    if (p->current) p->current->end(goodbye::cause::refused, "it is no member of the cluster any more");
  }
}

bool transport::impl::drained() const {
  return std::all_of(peers.begin(), peers.end(), [](const auto& p) {
    return !p->current || p->current->ended() || p->current->queued_bytes() == 0;
  });
}

coro::task<void> transport::impl::stop() {
  loop.assert_here();
  if (!std::exchange(started_, false)) co_return;
  acceptor->close();
  const coro::time_point give_up = loop.now() + options_.flush_timeout;
  while (!drained() && loop.now() < give_up) {
    coro::task<void> moment = loop.timers().sleep_for(std::chrono::milliseconds(2));
    co_await std::move(moment);
  }
  const std::string reason = options_.self.name + " is stopping";
  for (const auto& p : peers)
    if (p->current) p->current->end(goodbye::cause::stopping, reason);
  tasks_.cancel();
  coro::task<void> joined = tasks_.join();
  co_await std::move(joined);
  for (const auto& p : peers) { // those whose coroutine was cancelled before it came to this
    p->next.reset();
    if (!p->current) continue;
    p->current->end(goodbye::cause::stopping, reason);
    coro::task<void> ended = p->current->join();
    co_await std::move(ended);
    observer_.on_stream_ended(p->id, p->current->remote(), p->current->reason());
    handler_.on_peer_down(p->id, p->current->reason());
    p->current.reset();
  }
}

transport_peer* transport::impl::find(node_id id) const {
  const table* all = table_.load(std::memory_order_acquire);
  if (all == nullptr) return nullptr;
  const auto at =
      std::lower_bound(all->begin(), all->end(), id, [](const auto* p, node_id wanted) { return p->id < wanted; });
  return at != all->end() && (*at)->id == id ? *at : nullptr;
}

std::size_t transport::impl::room(const transport_peer& p) const {
  const std::size_t queued =
      p.queued_bytes.load(std::memory_order_relaxed) + p.inbox_bytes.load(std::memory_order_relaxed);
  return queued < options_.queue_pause_bytes ? options_.queue_pause_bytes - queued : 0;
}

void transport::impl::deliver(transport_peer* p, const peer_message& m) {
  if (p == nullptr) return;
  if (p->current && !p->current->ended())
    p->current->send(m);
  else
    ++p->counters.dropped;
}

void transport::impl::deliver(transport_peer* p, group_id group, const raft::message& m) {
  if (p == nullptr) return;
  if (p->current && !p->current->ended())
    p->current->send(group, m);
  else
    ++p->counters.dropped;
}

coro::task<void> transport::impl::run_inbox() {
  for (;;) {
    coro::task<void> mail = inbox.wait();
    co_await std::move(mail);
    inbox.take(taken_);
    for (const peer_outgoing& m : taken_) {
      transport_peer* const p = find(m.to);
      deliver(p, m.message);
      if (const std::size_t load = load_of(m.message); p != nullptr && load != 0) p->inbox_bytes -= load;
    }
    taken_.clear();
  }
}

/// Closes greetings that are late, probes and closes streams that are silent, each within half a heartbeat. What begins
/// meanwhile is due later than that.
coro::task<void> transport::impl::run_watch() {
  for (;;) {
    const coro::time_point now = loop.now();
    coro::time_point next = now + options_.heartbeat * (greetings_.empty() ? 3 : 1);
    for (greeting* g : greetings_) g->expire(now);
    for (const auto& p : peers)
      if (p->current) next = std::min(next, p->current->watch(options_.heartbeat));
    coro::task<void> pause = loop.timers().sleep_until(std::max(next, now + options_.heartbeat / 2));
    co_await std::move(pause);
  }
}

// --- the public face ---

transport::transport(coro::loop& l, coro::network& net, coro::entropy& random, transport_options o,
                     peer_handler& handler, peer_observer& observer)
    : impl_(std::make_unique<impl>(l, net, random, std::move(o), handler, observer)) {}

transport::~transport() = default;

boost::system::result<void> transport::start() {
  return impl_->start();
}

coro::task<void> transport::stop() {
  return impl_->stop();
}

coro::endpoint transport::listening() const {
  return impl_->acceptor ? impl_->acceptor->local() : coro::endpoint();
}

void transport::send(node_id to, peer_message m) {
  transport_peer* const p = impl_->find(to);
  if (impl_->loop.here()) {
    impl_->deliver(p, m);
    return;
  }
  if (const std::size_t load = load_of(m); p != nullptr && load != 0) p->inbox_bytes += load;
  impl_->inbox.push({to, std::move(m)});
}

void transport::send(group_id group, std::vector<raft::outgoing>& messages) {
  if (impl_->loop.here()) {
    for (const raft::outgoing& m : messages) impl_->deliver(impl_->find(m.to), group, m.message);
  } else {
    std::vector<peer_outgoing> batch;
    batch.reserve(messages.size());
    for (raft::outgoing& m : messages) batch.push_back({m.to, raft_message{group, std::move(m.message)}});
    impl_->inbox.push_all(batch);
  }
  messages.clear();
}

void transport::send(std::vector<peer_outgoing>& messages) {
  if (impl_->loop.here()) {
    for (const peer_outgoing& m : messages) impl_->deliver(impl_->find(m.to), m.message);
    messages.clear();
  } else {
    for (const peer_outgoing& m : messages) {
      transport_peer* const p = impl_->find(m.to);
      if (const std::size_t load = load_of(m.message); p != nullptr && load != 0) p->inbox_bytes += load;
    }
    impl_->inbox.push_all(messages);
  }
}

bool transport::connected(node_id id) const {
  const transport_peer* p = impl_->find(id);
  return p != nullptr && p->connected.load(std::memory_order_acquire);
}

bool transport::writable(node_id id) const {
  const transport_peer* p = impl_->find(id);
  return p != nullptr && p->writable.load(std::memory_order_acquire);
}

std::size_t transport::room(node_id id) const {
  const transport_peer* p = impl_->find(id);
  return p != nullptr && p->connected.load(std::memory_order_acquire) ? impl_->room(*p) : 0;
}

std::optional<peer_info> transport::info(node_id id) const {
  impl_->loop.assert_here();
  const transport_peer* p = impl_->find(id);
  if (p == nullptr || !p->current || p->current->ended()) return std::nullopt;
  return p->current->info();
}

std::vector<peer_counters> transport::counters() const {
  impl_->loop.assert_here();
  std::vector<peer_counters> all;
  all.reserve(impl_->peers.size());
  for (const auto& p : impl_->peers) {
    peer_counters c = p->counters;
    c.connected = p->current != nullptr && !p->current->ended();
    if (p->address.empty() && !c.connected) continue; // no member any more
    c.queued_bytes = c.connected ? p->current->queued_bytes() : 0;
    all.push_back(c);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return all;
}

void transport::set_members(log_index index, std::vector<member> members, const std::vector<member>& reachable) {
  impl_->set_members(index, std::move(members), reachable);
}

void transport::disconnect(node_id id, const std::string& reason) {
  impl_->loop.assert_here();
  transport_peer* p = impl_->find(id);
  if (p != nullptr && p->current) p->current->end(goodbye::cause::error, reason);
}

} // namespace quorumd::wire
