#include "tests/coro/sockets.hpp"

#include <boost/system/system_error.hpp>
#include <netinet/tcp.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace quorumd::coro::test {
namespace {

std::span<const std::byte> bytes(const std::string& s) {
  return std::as_bytes(std::span(s));
}

/// Ends as it is told to: "cancelled" or the message of whatever else was thrown, "ready" if nothing was.
task<void> wait_readable(stream* s, std::string* how) {
  try {
    co_await s->readable();
    *how = "ready";
  } catch (const boost::system::system_error& error) {
    *how = error.code() == errors::operation_aborted ? "aborted" : error.code().message();
  }
}

task<void> wait_writable(stream* s, std::string* how) {
  try {
    co_await s->writable();
    *how = "ready";
  } catch (const boost::system::system_error& error) {
    *how = error.code() == errors::operation_aborted ? "aborted" : error.code().message();
  }
}

task<void> write_all(stream* s, const std::vector<std::uint32_t>* numbers, int* blocked) {
  auto rest = std::as_bytes(std::span(*numbers));
  while (!rest.empty()) {
    const auto n = s->write_some(rest);
    if (n) {
      rest = rest.subspan(*n);
      continue;
    }
    REQUIRE(n.error() == errors::would_block);
    ++*blocked;
    co_await s->writable();
  }
}

task<void> read_all(stream* s, std::vector<std::uint32_t>* numbers) {
  auto room = std::as_writable_bytes(std::span(*numbers));
  while (!room.empty()) {
    const auto n = s->read_some(room.first(std::min<std::size_t>(room.size(), 100'003)));
    if (n) {
      room = room.subspan(*n);
      continue;
    }
    REQUIRE(n.error() == errors::would_block);
    co_await s->readable();
  }
}

/// Everything a pair of streams must do, whatever carries it.
task<void> exercise(loop* l, std::string path) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, path, &a, &b);
  std::byte room[16];
  CHECK(a->read_some(room).error() == errors::would_block);

  // Much more than the kernel holds: the writer blocks, the reader takes odd pieces, all of it arrives in order.
  a->limit_unsent(64 * 1024);
  std::vector<std::uint32_t> sent(4'000'000);
  std::iota(sent.begin(), sent.end(), 1);
  std::vector<std::uint32_t> got(sent.size());
  int blocked = 0;
  {
    task_group g(*l);
    g.spawn(write_all(a.get(), &sent, &blocked));
    g.spawn(read_all(b.get(), &got));
    co_await g.join();
  }
  CHECK(blocked > 0);
  CHECK(std::memcmp(sent.data(), got.data(), sent.size() * sizeof sent[0]) == 0);

  // The end: what was written before it still arrives, and then eof, every time.
  CHECK(a->write_some(bytes("bye")).value() == 3);
  a->close();
  co_await b->readable();
  CHECK(b->read_some(room).value() == 3);
  co_await b->readable();
  CHECK(b->read_some(room).error() == errors::eof);
  CHECK(b->read_some(room).error() == errors::eof);
}

task<void> check_vigilance(loop* l) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, {}, &a, &b);
  int connected = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.ss_family != AF_INET) continue;
    ++connected;
    const auto option = [fd](int level, int name) {
      int value = 0;
      socklen_t length = sizeof value;
      return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
    };
    CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
    const int probing = option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT);
    CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) + probing <= 60);
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) > 0);
    CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) <= 60'000);
  }
  CHECK(connected == 2);
}

/// One coroutine closes, or is cancelled, under another that waits; later waits on the closed end are aborted as well.
task<void> close_under_waiters(loop* l, std::string path) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, path, &a, &b);
  const std::string junk(65536, 'x');
  while (a->write_some(bytes(junk))) {
  }
  std::string reading;
  std::string writing;
  {
    task_group g(*l);
    g.spawn(wait_readable(a.get(), &reading));
    g.spawn(wait_writable(a.get(), &writing));
    CHECK(g.alive() == 2);
    a->close();
    co_await g.join();
  }
  CHECK(reading == "aborted");
  CHECK(writing == "aborted");

  reading.clear();
  writing.clear();
  co_await wait_readable(a.get(), &reading);
  co_await wait_writable(a.get(), &writing);
  CHECK(reading == "aborted");
  CHECK(writing == "aborted");
  std::byte room[16];
  CHECK(a->read_some(room).has_error());
  CHECK(a->write_some(room).has_error());
  a->close();
}

task<void> cancel_a_reader(loop* l) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, "", &a, &b);
  std::string how;
  task_group g(*l);
  g.spawn(wait_readable(a.get(), &how));
  g.cancel();
  co_await g.join();
  CHECK(how == "aborted");
  // The stream itself is unharmed.
  CHECK(b->write_some(bytes("x")).value() == 1);
  co_await a->readable();
  std::byte room[4];
  CHECK(a->read_some(room).value() == 1);
}

task<void> abort_before_a_read(loop* l, std::string path) {
  std::byte room[16];
  for (const bool heeds : {false, true}) {
    CAPTURE(heeds);
    stream_ptr a;
    stream_ptr b;
    co_await connect_pair(l, path.empty() || !heeds ? path : path + ".heeds", &a, &b);
    if (heeds) b->heed_abort();
    CHECK(a->write_some(bytes("early")).value() == 5);
    co_await b->readable();
    CHECK(b->read_some(room).value() == 5);
    CHECK(a->write_some(bytes("late")).value() == 4);
    a->abort();
    CHECK(a->read_some(room).has_error());
    co_await b->readable();
    const auto n = b->read_some(room);
    if (heeds && path.empty())
      CHECK(n.error() == errors::connection_reset);
    else
      CHECK(n.value() == 4);
    a->abort();
  }
}

task<void> describe(loop* l, std::string path) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, "", &a, &b);
  CHECK(parse_endpoint(a->remote())->host == "127.0.0.1");
  CHECK(parse_endpoint(b->remote())->host == "127.0.0.1");
  CHECK_FALSE(a->peer_credentials());

  stream_ptr c;
  stream_ptr d;
  co_await connect_pair(l, path, &c, &d);
  CHECK(d->remote() == "a local socket");
  const auto who = d->peer_credentials();
  REQUIRE(who);
  CHECK(who->uid == ::getuid());
  CHECK(who->gid == ::getgid());
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  (void)::getgroups(static_cast<int>(groups.size()), groups.data());
  std::sort(groups.begin(), groups.end());
  auto seen = who->groups;
  std::sort(seen.begin(), seen.end());
  CHECK(std::vector<gid_t>(seen.begin(), seen.end()) == groups);
}

task<void> echo_once(stream* s) {
  co_await s->readable();
  std::byte room[16];
  const auto n = s->read_some(room);
  CHECK(s->write_some(std::span(room).first(n.value())).value() == n.value());
}

task<void> ask(stream* s) {
  CHECK(s->write_some(bytes("hello")).value() == 5);
  co_await s->readable();
  std::byte room[16];
  CHECK(s->read_some(room).value() == 5);
}

task<void> accept_for(loop* here, loop* other, stream_ptr* client, stream_ptr* server) {
  asio_network net;
  acceptor_ptr a = net.listen(*here, {"127.0.0.1", 0}).value();
  task_group g(*here);
  g.spawn(accept_into(a.get(), other, server));
  auto dialed = net.connect(*here, a->local(), 5s);
  auto connected = co_await std::move(dialed);
  *client = std::move(connected.value());
  co_await g.join();
}

// A TCP connection carries more than the kernel buffers, blocks and goes on, and ends in order.
TEST_CASE("a TCP stream") {
  running_loop l("loop");
  l.run(exercise(&l.get(), ""));
}

// A Unix socket behaves the same.
TEST_CASE("a Unix stream") {
  const socket_directory d;
  running_loop l("loop");
  l.run(exercise(&l.get(), d.file("s")));
}

// Whoever waits on a stream that is closed meanwhile, or was before, is aborted as if cancelled: a session that closes
// its own stream ends quietly.
TEST_CASE("closing under a waiter") {
  const socket_directory d;
  running_loop l("loop");
  l.run(close_under_waiters(&l.get(), ""));
  l.run(close_under_waiters(&l.get(), d.file("s")));
}

// A cancelled wait harms the waiter alone.
TEST_CASE("cancelling a reader") {
  running_loop l("loop");
  l.run(cancel_a_reader(&l.get()));
}

// One end writes and aborts before the other reads: an end that heeds it reads a reset, any other what had come.
// Between the ends of a Unix socket it is a close.
TEST_CASE("aborting a stream") {
  const socket_directory d;
  running_loop l("loop");
  l.run(abort_before_a_read(&l.get(), ""));
  l.run(abort_before_a_read(&l.get(), d.file("s")));
}

// A stream names its other end, and a local socket's also by its user and groups.
TEST_CASE("who is at the other end") {
  const socket_directory d;
  running_loop l("loop");
  l.run(describe(&l.get(), d.file("s")));
}

// One loop accepts for another, which then owns the connection.
TEST_CASE("a connection accepted for another loop") {
  running_loop front("front");
  running_loop back("back");
  stream_ptr client;
  stream_ptr server;
  front.run(accept_for(&front.get(), &back.get(), &client, &server));
  auto end = back.start(echo_once(server.get()));
  front.run(ask(client.get()));
  end.get();
  front.get().stop();
  back.get().stop();
}

} // namespace
// Both ends of a TCP connection are told to notice within a minute that the other has vanished: idle, by probes; with
// bytes on their way, by their age.
TEST_CASE("a vanished end is noticed within a minute") {
  running_loop l("loop");
  l.run(check_vigilance(&l.get()));
}

} // namespace quorumd::coro::test
