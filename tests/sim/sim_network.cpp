#include "tests/sim/sim_network.hpp"

#include "tests/sim/connection.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace quorumd::sim {

using boost::system::error_code;
using boost::system::result;
namespace failed = boost::asio::error;

namespace {
constexpr std::size_t backlog_max = 16;
} // namespace

class sim_stream final : public coro::stream {
 public:
  sim_stream(std::shared_ptr<connection> c, int side, std::string remote)
      : connection_(std::move(c))
      , side_(side)
      , remote_(std::move(remote)) {}
  ~sim_stream() override { connection_->close(side_); }

  result<std::size_t> read_some(std::span<std::byte> into) override { return connection_->read(side_, into); }
  result<std::size_t> write_some(std::span<const std::byte> from) override { return connection_->write(side_, from); }

  coro::task<void> readable() override { return wait(connection_, side_, true); }
  coro::task<void> writable() override { return wait(connection_, side_, false); }

  void close() override { connection_->close(side_); }
  void abort() override { connection_->abort(side_); }
  void heed_abort() override {} // a reset always drops what was not read
  void limit_unsent(std::size_t bytes) override { connection_->ends[side_].unsent_max = bytes; }
  const std::string& remote() const override { return remote_; }
  std::optional<coro::credentials> peer_credentials() const override { return std::nullopt; }

 private:
  static coro::task<void> wait(std::shared_ptr<connection> c, int side, bool reading) {
    connection::end& e = c->ends[side];
    if (!e.open) throw boost::system::system_error(error_code(failed::operation_aborted));
    const bool ready = reading ? c->can_read(side) : c->can_write(side);
    waiter& w = reading ? e.reading : e.writing;
    coro::task<void> woken = w.wait(*e.owner);
    if (ready || c->net.random_.per_mille(c->net.options_.spurious_per_mille)) e.owner->post([c, &w] { w.wake(); });
    co_await std::move(woken);
  }

  std::shared_ptr<connection> connection_;
  int side_;
  std::string remote_;
};

class sim_acceptor final : public coro::acceptor {
 public:
  sim_acceptor(std::shared_ptr<listener> l, coro::loop& home)
      : listener_(std::move(l))
      , home_(home) {}
  ~sim_acceptor() override { listener_->close(); }

  coro::task<result<std::unique_ptr<coro::stream>>> accept(coro::loop& owner) override {
    return accept_one(listener_, &home_, &owner);
  }
  void close() override { listener_->close(); }
  coro::endpoint local() const override { return listener_->at(); }

 private:
  static coro::task<result<std::unique_ptr<coro::stream>>> accept_one(std::shared_ptr<listener> l, coro::loop* home,
                                                                      coro::loop* owner) {
    while (l->backlog.empty()) co_await l->accepting.wait(*home);
    std::shared_ptr<connection> c = std::move(l->backlog.front());
    l->backlog.pop_front();
    c->ends[1].owner = owner;
    std::string remote = "host" + std::to_string(c->ends[0].host) + ":" + std::to_string(40000 + c->number);
    co_return std::unique_ptr<coro::stream>(std::make_unique<sim_stream>(std::move(c), 1, std::move(remote)));
  }

  std::shared_ptr<listener> listener_;
  coro::loop& home_;
};

class host_network final : public coro::network {
 public:
  host_network(fabric& f, host_id h)
      : fabric_(f)
      , host_(h) {}

  coro::task<result<std::unique_ptr<coro::stream>>> connect(coro::loop& owner, coro::endpoint to,
                                                            coro::duration timeout) override {
    return dial(&fabric_, host_, &owner, std::move(to), timeout);
  }
  coro::task<result<std::unique_ptr<coro::stream>>> connect_local(coro::loop&, std::string) override {
    co_return error_code(failed::operation_not_supported);
  }
  result<std::unique_ptr<coro::acceptor>> listen(coro::loop& owner, coro::endpoint at) override {
    if (fabric_.listening(to_string(at)) != nullptr) return error_code(failed::address_in_use);
    auto l = std::make_shared<listener>(fabric_, host_, at);
    return std::unique_ptr<coro::acceptor>(std::make_unique<sim_acceptor>(std::move(l), owner));
  }
  result<std::unique_ptr<coro::acceptor>> listen_local(coro::loop&, const std::string&) override {
    return error_code(failed::operation_not_supported);
  }

 private:
  static coro::task<result<std::unique_ptr<coro::stream>>> dial(fabric* f, host_id from, coro::loop* owner,
                                                                coro::endpoint to, coro::duration timeout) {
    const coro::time_point limit = owner->now() + timeout;
    const coro::duration there = f->delay();
    co_await owner->timers().sleep_for(std::min(there, timeout));
    const std::string name = to_string(to);
    const bool refused = f->random_.per_mille(f->options_.refuse_per_mille);
    const listener* target = f->listening(name);
    const bool lost =
        !f->up(from) || (target != nullptr && (f->blocked(from, target->host()) || f->blocked(target->host(), from)));
    if (lost || (target == nullptr && f->random_.coin())) { // nobody answers, not even to refuse
      ++f->counters_.refused_dials;
      co_await owner->timers().sleep_until(limit);
      co_return error_code(failed::timed_out);
    }
    if (refused || target == nullptr || target->backlog.size() >= backlog_max) {
      ++f->counters_.refused_dials;
      co_return error_code(failed::connection_refused);
    }
    std::shared_ptr<connection> c = f->connect(from, *owner, name, to);
    auto s = std::make_unique<sim_stream>(c, 0, name);
    const coro::duration back = f->delay();
    co_await owner->timers().sleep_for(back);
    if (c->ends[0].reset) co_return error_code(failed::connection_reset);
    co_return std::unique_ptr<coro::stream>(std::move(s));
  }

  fabric& fabric_;
  host_id host_;
};

fabric::fabric(scheduler& s, network_options o)
    : clock_(s)
    , options_(o)
    , random_(s.random().fork(2)) {}

fabric::~fabric() = default;

std::unique_ptr<coro::network> fabric::attach(host_id h) {
  return std::make_unique<host_network>(*this, h);
}

coro::duration fabric::delay() {
  const bool slow = random_.per_mille(options_.slow_per_mille);
  return random_.between(options_.delay_least, slow ? options_.slow_most : options_.delay_most);
}

coro::time_point fabric::sent(host_id from, host_id to, std::size_t bytes) {
  if (options_.bytes_a_second == 0) return clock_.now();
  coro::time_point& free_at = free_at_[{from, to}];
  free_at = std::max(free_at, clock_.now()) + coro::duration(std::chrono::seconds(1)) * bytes / options_.bytes_a_second;
  return free_at;
}

listener* fabric::listening(const std::string& at) const {
  const auto found = listeners_.find(at);
  return found == listeners_.end() || !up(found->second->host()) ? nullptr : found->second;
}

std::shared_ptr<connection> fabric::connect(host_id from, coro::loop& owner, const std::string& to,
                                            coro::endpoint address) {
  listener* target = listening(to);
  auto c = std::make_shared<connection>(*this, next_connection_++);
  c->ends[0].host = from;
  c->ends[0].owner = &owner;
  c->ends[1].host = target->host();
  std::erase_if(connections_, [](const auto& known) { return known.second.expired(); });
  connections_.emplace(c->number, c);
  target->backlog.push_back(c);
  target->accepting.wake();
  ++counters_.connections;
  clock_.record("connect", from, target->host(), address.port);
  return c;
}

void fabric::block(host_id from, host_id to) {
  if (blocked_.insert({from, to}).second) clock_.record("block", from, to);
}

void fabric::unblock(host_id from, host_id to) {
  if (blocked_.erase({from, to}) == 0) return;
  clock_.record("unblock", from, to);
  for (const auto& [number, weak] : connections_) {
    const auto c = weak.lock();
    if (!c) continue;
    for (const int side : {0, 1}) {
      if (c->ends[side].host != to || c->ends[1 - side].host != from || !c->holds(side)) continue;
      if (random_.per_mille(options_.reset_on_heal_per_mille)) {
        c->become_reset(0);
        c->become_reset(1);
      } else {
        c->released(side);
      }
    }
  }
}

void fabric::unblock_all() {
  const auto all = blocked_;
  for (const auto& [from, to] : all) unblock(from, to);
}

void fabric::cut(host_id a, host_id b) {
  clock_.record("cut", a, b);
  for (const auto& [number, weak] : connections_) {
    const auto c = weak.lock();
    if (!c) continue;
    const host_id x = c->ends[0].host;
    const host_id y = c->ends[1].host;
    if (!((x == a && y == b) || (x == b && y == a))) continue;
    c->become_reset(0);
    c->become_reset(1);
  }
}

void fabric::crash(host_id h, bool quietly) {
  clock_.record("host down", h, quietly ? 1 : 0);
  down_.insert(h);
  for (const auto& [number, weak] : connections_) {
    const auto c = weak.lock();
    if (!c) continue;
    for (const int side : {0, 1}) {
      if (c->ends[side].host != h || !c->ends[side].open) continue;
      c->vanish(side);
      if (!quietly) c->send_reset(1 - side);
    }
  }
}

void fabric::boot(host_id h) {
  clock_.record("host up", h);
  down_.erase(h);
  for (const auto& [number, weak] : connections_) {
    const auto c = weak.lock();
    if (!c) continue;
    for (const int side : {0, 1}) {
      const connection::end& e = c->ends[side];
      if (e.host == h && !e.open && e.in.bytes != 0) c->send_reset(1 - side); // the other end tries again and learns
    }
  }
}

} // namespace quorumd::sim
