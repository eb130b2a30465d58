#include "daemon/clients/client_port.hpp"

#include "daemon/clients/etcd/grpc_connection.hpp"
#include "daemon/clients/http/http_connection.hpp"
#include "daemon/clients/native/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace quorumd::clients {
namespace {

constexpr auto pause_after_failure = std::chrono::milliseconds(100);
/// Connections to listen.metrics.
constexpr std::size_t watched_max = 64;
constexpr auto look_every = std::chrono::milliseconds(100); // after each session

/// Such a place is soon free again for the next, if nothing is said.
constexpr auto health_says_within = std::chrono::seconds(1);

bool from_this_machine(const std::string& remote) {
  const auto at = coro::parse_endpoint(remote);
  if (!at) return false;
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(at->host, no_address);
  if (no_address) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

/// How many bytes tell protocols apart.
constexpr std::size_t first_bytes = 4;

enum class spoken : std::uint8_t { native, http_2, http_1 };

/// A frame of quorumd's own begins with a zero.
spoken protocol_of(std::span<const std::byte> first) {
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  if (text == "PRI ") return spoken::http_2;
  for (const std::string_view method : {"GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC"})
    if (text == method) return spoken::http_1;
  return spoken::native;
}

/// Reads so many bytes and not one more; false: it ended before.
coro::task<bool> read_first(coro::stream* s, std::span<std::byte> into) {
  try {
    while (!into.empty()) {
      const auto n = s->read_some(into);
      if (n) {
        into = into.subspan(*n);
        continue;
      }
      if (n.error() != boost::asio::error::would_block) co_return false;
      co_await s->readable();
    }
  } catch (const boost::system::system_error&) { // closed meanwhile
    co_return false;
  }
  co_return true;
}

coro::task<void> join_on_its_loop(coro::task_group* sessions, coro::task_group* looking) {
  co_await sessions->join();
  looking->cancel();
  co_await looking->join();
}

} // namespace

client_port::client_port(coro::loop& home, std::vector<coro::loop*> loops, node::node& n, options o, observer& watcher)
    : home_(home)
    , node_(n)
    , options_(o)
    , observer_(watcher)
    , admission_(o.inflight_max)
    , memory_(o.queues_bytes_max, o.watches_bytes_max)
    , events_(std::make_unique<etcd::event_encoder>())
    , accepting_(home) {
  for (coro::loop* l : loops) places_.push_back(std::make_unique<place>(*l));
}

client_port::~client_port() = default;

void client_port::serve(std::unique_ptr<coro::acceptor> a, judge who) {
  std::shared_ptr<coro::acceptor> shared = std::move(a);
  acceptors_.push_back(shared);
  accepting_.spawn(run_accepting(std::move(shared), std::move(who), false));
}

void client_port::serve_watched(std::unique_ptr<coro::acceptor> a) {
  std::shared_ptr<coro::acceptor> shared = std::move(a);
  acceptors_.push_back(shared);
  accepting_.spawn(run_accepting(std::move(shared), {}, true));
}

coro::task<void> client_port::run_accepting(std::shared_ptr<coro::acceptor> a, judge who, bool watched) {
  for (;;) {
    place& p = *places_[next_place_++ % places_.size()];
    auto accepted = co_await a->accept(p.loop);
    if (accepted) {
      if (watched)
        admit_watched(p, std::move(*accepted));
      else
        admit(p, std::move(*accepted), who);
      continue;
    }
    observer_.accept_failed(coro::to_string(a->local()), accepted.error().message());
    co_await home_.timers().sleep_for(pause_after_failure);
  }
}

void client_port::admit(place& p, std::unique_ptr<coro::stream> s, const judge& who) {
  std::optional<std::pair<wire::request_errc, std::string>> refusal;
  if (who) {
    const auto c = s->peer_credentials();
    const auto why = c ? who(*c) : std::optional<std::string>("its credentials cannot be read");
    if (why) {
      observer_.denied(*why);
      refusal.emplace(wire::request_errc::denied, *why);
    }
  }
  const bool local = who || from_this_machine(s->remote());
  std::optional<counted> one;
  session_options o = options_.session;
  if (!refusal) {
    one = enter(connections_, options_.clients_max + (local ? options_.local_clients_more : 0));
    if (!one) {
      one = enter(health_connections_, options_.health_clients_more);
      o.only_health = true;
      o.handshake_timeout = std::min<std::chrono::milliseconds>(o.handshake_timeout, health_says_within);
    }
    if (!one) {
      observer_.too_many(s->remote());
      refusal.emplace(wire::request_errc::overloaded, too_many_clients);
    }
  }
  p.loop.post([this, &p, stream = std::move(s), refusal = std::move(refusal), one = std::move(one), o,
               operator_here = static_cast<bool>(who)]() mutable {
    if (p.closing) return;
    if (refusal)
      p.sessions.spawn(session::turn_away(std::move(stream), refusal->first, refusal->second));
    else
      p.sessions.spawn(serve_counted(&p, std::move(stream), o, operator_here, std::move(*one)));
  });
}

/// They have places of their own, so that a node that is full of clients is seen.
void client_port::admit_watched(place& p, std::unique_ptr<coro::stream> s) {
  std::optional<counted> one = enter(watched_connections_, watched_max);
  if (!one) return observer_.too_many(s->remote());
  session_options o = options_.session;
  o.only_watched = true;
  o.profiles = true;
  p.loop.post([this, &p, stream = std::move(s), one = std::move(one), o]() mutable {
    if (!p.closing) p.sessions.spawn(serve_counted(&p, std::move(stream), o, false, std::move(*one)));
  });
}

std::optional<client_port::counted> client_port::enter(std::atomic<std::size_t>& places, std::size_t most) {
  if (places.fetch_add(1) < most) return counted(places);
  places.fetch_sub(1);
  return std::nullopt;
}

/// While there are connections: an idle node sleeps. It may begin before the first of them is in its place.
coro::task<void> client_port::run_looking_after(place* p) {
  do {
    co_await p->loop.timers().sleep_for(look_every);
    look_after_all(*p);
  } while (!p->open.empty() || !p->arriving.empty());
  p->looked_after = false;
}

void client_port::look_after_all(place& p) {
  const coro::time_point now = p.loop.now();
  for (newcomer* n : p.arriving) {
    if (now < n->until) continue;
    observer_.bad_client(n->stream.remote(), "it said nothing whole within limits.handshake_timeout");
    n->stream.close();
  }
  for (connection* c : p.open) c->look_after(now);
}

coro::task<void> client_port::serve_counted(place* p, std::unique_ptr<coro::stream> s, session_options o,
                                            bool operator_here, counted one) {
  const counted here = std::move(one);
  if (!std::exchange(p->looked_after, true)) p->looking.spawn(run_looking_after(p));
  auto welcomed = welcome(p, std::move(s), o, operator_here);
  const std::unique_ptr<connection> c = co_await std::move(welcomed);
  if (!c) co_return;
  p->open.insert(c.get());
  auto served = c->serve();
  co_await std::move(served);
  p->open.erase(c.get());
}

/// Nothing if it left, or is no client.
coro::task<std::unique_ptr<connection>> client_port::welcome(place* p, std::unique_ptr<coro::stream> s,
                                                             session_options o, bool operator_here) {
  newcomer here{.stream = *s, .until = p->loop.now() + o.handshake_timeout};
  std::array<std::byte, first_bytes> first{};
  p->arriving.insert(&here);
  auto reading = read_first(s.get(), first);
  const bool said = co_await std::move(reading);
  p->arriving.erase(&here);
  if (!said || p->closing) co_return nullptr;
  const service::parts parts{
      .loop = p->loop, .node = node_, .admission = admission_, .memory = memory_, .measured = p->measured};
  const spoken protocol = protocol_of(first);
  if (o.only_watched && protocol != spoken::http_1) {
    observer_.bad_client(s->remote(), "only HTTP/1.1 is spoken at listen.metrics");
    co_return nullptr;
  }
  switch (protocol) {
  case spoken::native:
    co_return std::make_unique<session>(
        parts, std::move(s), o, observer_,
        session::helpers{.reports = reporter_, .profiles = operator_here ? profiler_ : nullptr}, first);
  case spoken::http_2:
    co_return std::make_unique<etcd::grpc_connection>(parts, std::move(s), o, observer_, *events_, first);
  case spoken::http_1:
    co_return std::make_unique<http_connection>(
        parts, std::move(s), o, observer_,
        http_connection::helpers{.reports = reporter_, .profiles = operator_here || o.profiles ? profiler_ : nullptr},
        *events_, first);
  }
  co_return nullptr;
}

void client_port::add_to(session_metrics& sum) const {
  for (const auto& p : places_)
    if (p->loop.here()) sum.merge(p->measured);
}

coro::task<void> client_port::stop_reading() {
  accepting_.cancel();
  for (auto& a : acceptors_) a->close();
  co_await accepting_.join();
  co_await tell_connections(&connection::stop_reading);
}

coro::task<void> client_port::stop(coro::duration at_most) {
  const coro::time_point until = home_.now() + at_most;
  while (connections() != 0 && home_.now() < until) co_await home_.timers().sleep_for(std::chrono::milliseconds(5));
  co_await tell_connections(&connection::break_off);
  for (auto& p : places_) {
    auto join = join_on_its_loop(&p->sessions, &p->looking);
    co_await boost::asio::co_spawn(p->loop.get_executor(), std::move(join), coro::use_task);
  }
}

coro::task<void> client_port::tell_connections(void (connection::*what)()) {
  for (auto& p : places_) {
    auto tell = [](place* here, void (connection::*message)()) -> coro::task<void> {
      here->closing = true;
      for (newcomer* n : here->arriving) n->stream.close();
      for (connection* c : here->open) (c->*message)();
      co_return;
    }(p.get(), what);
    co_await boost::asio::co_spawn(p->loop.get_executor(), std::move(tell), coro::use_task);
  }
}

} // namespace quorumd::clients
