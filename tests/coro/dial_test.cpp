#include "tests/coro/sockets.hpp"

#include <boost/system/system_error.hpp>
#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <optional>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN
#endif
#endif

namespace quorumd::coro::test {
namespace {

task<void> dial(loop* l, endpoint to, duration timeout, error_code* why) {
  asio_network net;
  try {
    auto dialed = net.connect(*l, to, timeout);
    const auto connected = co_await std::move(dialed);
    *why = connected ? error_code() : connected.error();
  } catch (const boost::system::system_error& error) {
    *why = error.code();
  }
}

task<void> dial_local(loop* l, std::string path, error_code* why) {
  asio_network net;
  auto dialed = net.connect_local(*l, path);
  const auto connected = co_await std::move(dialed);
  *why = connected ? error_code() : connected.error();
}

task<void> dial_and_cancel(loop* l, endpoint to, error_code* why) {
  task_group g(*l);
  g.spawn(dial(l, to, 1h, why));
  g.cancel();
  co_await g.join();
}

task<void> dial_a_name(loop* l) {
  asio_network net;
  acceptor_ptr a = net.listen(*l, {"127.0.0.1", 0}).value();
  error_code why = errors::fault;
  co_await dial(l, {"localhost", a->local().port}, 10s, &why);
  CHECK_MESSAGE(!why, why.message());
}

task<void> accept_and_say(acceptor* a, loop* l, std::string* how) {
  try {
    auto accepted = co_await a->accept(*l);
    *how = accepted ? "a stream" : accepted.error().message();
  } catch (const boost::system::system_error& error) {
    *how = error.code() == errors::operation_aborted ? "aborted" : error.code().message();
  }
}

task<void> close_under_accept(loop* l) {
  asio_network net;
  acceptor_ptr a = net.listen(*l, {"127.0.0.1", 0}).value();
  std::string how;
  {
    task_group g(*l);
    g.spawn(accept_and_say(a.get(), l, &how));
    g.cancel();
    co_await g.join();
  }
  CHECK(how == "aborted");
  how.clear();
  {
    task_group g(*l);
    g.spawn(accept_and_say(a.get(), l, &how));
    a->close();
    co_await g.join();
  }
  CHECK(how == "aborted");
  how.clear();
  co_await accept_and_say(a.get(), l, &how);
  CHECK(how == "aborted");
}

#ifndef UNDER_ASAN // UndefinedBehaviorSanitizer takes a descriptor of its own to look at an object's type

/// While it lives, the process gets no new file descriptor.
class no_descriptors {
 public:
  no_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::fcntl(0, F_DUPFD, 0);
    ::close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  no_descriptors(const no_descriptors&) = delete;
  no_descriptors& operator=(const no_descriptors&) = delete;
  ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

task<void> accept_without_descriptors(loop* l, std::string path) {
  asio_network net;
  acceptor_ptr a = net.listen_local(*l, path).value();
  auto dialed = net.connect_local(*l, path);
  const auto client = co_await std::move(dialed);
  REQUIRE(client);
  {
    const no_descriptors here;
    const auto refused = co_await a->accept(*l);
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == errors::no_descriptors);
  }
  const auto accepted = co_await a->accept(*l);
  CHECK(accepted.has_value());
}

#endif

task<void> dial_a_full_queue(loop* l, std::string path) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  std::vector<stream_ptr> queued;
  error_code why;
  asio_network net;
  while (!why && queued.size() < 10) {
    auto dialed = net.connect_local(*l, path);
    auto connected = co_await std::move(dialed);
    if (connected)
      queued.push_back(std::move(*connected));
    else
      why = connected.error();
  }
  CHECK(why == errors::try_again);
  ::close(listener);
}

/// A port that was free a moment ago.
std::uint16_t closed_port(loop& l) {
  asio_network net;
  return net.listen(l, {"127.0.0.1", 0}).value()->local().port;
}

// Nobody listens: refused, at once.
TEST_CASE("a dial that is refused") {
  running_loop l("loop");
  error_code why;
  l.run(dial(&l.get(), {"127.0.0.1", closed_port(l.get())}, 10s, &why));
  CHECK(why == errors::connection_refused);
}

// The other end does not answer: the deadline ends the dial.
TEST_CASE("a dial that times out") {
  const full_listener silent;
  running_loop l("loop");
  error_code why;
  l.run(dial(&l.get(), silent.at(), 20ms, &why));
  CHECK(why == errors::timed_out);
}

// A dial that hangs is cancelled, long before its deadline; neither holds up the end of the loop.
TEST_CASE("a dial that is cancelled") {
  const full_listener silent;
  running_loop l("loop");
  error_code why;
  l.run(dial_and_cancel(&l.get(), silent.at(), &why));
  CHECK(why == errors::operation_aborted);
  // The look-up of a name as well, which Asio cannot interrupt.
  l.run(dial_and_cancel(&l.get(), {"localhost", 1}, &why));
  CHECK(why == errors::operation_aborted);
  l.get().stop();
}

// A name may have several addresses: each is tried until one answers.
TEST_CASE("a dial by name") {
  running_loop l("loop");
  l.run(dial_a_name(&l.get()));
}

// A socket file that is missing, or too long a path, is an error that says so.
TEST_CASE("a local dial that fails") {
  const socket_directory d;
  running_loop l("loop");
  error_code why;
  l.run(dial_local(&l.get(), d.file("missing"), &why));
  CHECK(why == boost::system::errc::no_such_file_or_directory);
  l.run(dial_local(&l.get(), std::string(108, 'p'), &why));
  CHECK(why == errors::name_too_long);
  asio_network net;
  CHECK(net.listen_local(l.get(), std::string(108, 'p')).error() == errors::name_too_long);
}

// A local listener that takes nobody in: "again", not a connection that is none.
TEST_CASE("a local dial to a full queue") {
  const socket_directory d;
  running_loop l("loop");
  l.run(dial_a_full_queue(&l.get(), d.file("full")));
}

// A port in use is an error, over TCP and for a socket file; and an address must be one's own.
TEST_CASE("listening where one cannot") {
  const socket_directory d;
  running_loop l("loop");
  asio_network net;
  const acceptor_ptr a = net.listen(l.get(), {"127.0.0.1", 0}).value();
  CHECK(net.listen(l.get(), a->local()).error() == errors::address_in_use);
  const acceptor_ptr b = net.listen_local(l.get(), d.file("s")).value();
  CHECK(b->local().host == d.file("s"));
  CHECK(net.listen_local(l.get(), d.file("s")).error() == errors::address_in_use);
  CHECK(net.listen(l.get(), {"192.0.2.1", 0}).error() == boost::system::errc::address_not_available);
}

// Whoever waits to accept on a listener that is closed meanwhile, or was before, is aborted: an accepting loop that
// retries after an error ends.
TEST_CASE("closing under accept") {
  running_loop l("loop");
  l.run(close_under_accept(&l.get()));
}

#ifndef UNDER_ASAN
// No file descriptor is left: accept says so without waiting or ending the process, and the connection is still there
// when there are some again.
TEST_CASE("accept without file descriptors") {
  const socket_directory d;
  running_loop l("loop");
  l.run(accept_without_descriptors(&l.get(), d.file("s")));
}
#endif

} // namespace
} // namespace quorumd::coro::test
