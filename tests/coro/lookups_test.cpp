#include "coro/asio_network.hpp"
#include "tests/coro/sockets.hpp"

#include <boost/system/system_error.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace quorumd::coro::test {
namespace {

/// Look-ups of the name `hangs` do, until the test lets go; the others are answered at once.
struct slow_names {
  std::mutex mutex;
  std::condition_variable changed;
  bool let_go = false;
  std::atomic<int> asked = 0;

  name_lookups::outcome operator()(const std::string& host) {
    ++asked;
    if (host == "hangs") {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return let_go; });
    }
    return {.error = {}, .found = {boost::asio::ip::make_address("127.0.0.1")}};
  }
  void release() {
    const std::lock_guard lock(mutex);
    let_go = true;
    changed.notify_all();
  }
};

task<void> dial_to(asio_network* net, loop* l, endpoint to, duration timeout, error_code* why) {
  auto dialed = net->connect(*l, to, timeout);
  const auto connected = co_await std::move(dialed);
  *why = connected ? error_code() : connected.error();
}

void use(asio_network& net, const std::shared_ptr<slow_names>& names) {
  net.names().replace_resolver([names](const std::string& host) { return (*names)(host); });
}

task<void> dial_both(loop* l, std::shared_ptr<slow_names> names) {
  asio_network net;
  use(net, names);
  acceptor_ptr a = net.listen(*l, {"127.0.0.1", 0}).value();
  const std::uint16_t port = a->local().port;
  error_code first = errors::fault;
  error_code second = errors::fault;
  error_code healthy = errors::fault;
  task_group g(*l);
  g.spawn(dial_to(&net, l, {"hangs", port}, 500ms, &first));
  g.spawn(dial_to(&net, l, {"hangs", port}, 500ms, &second));
  const time_point began = l->now();
  co_await dial_to(&net, l, {"healthy", port}, 10s, &healthy);
  CHECK(l->now() - began < 400ms);
  co_await g.join();
  CHECK_MESSAGE(!healthy, healthy.message());
  CHECK(first == errors::timed_out);
  CHECK(second == errors::timed_out);
  CHECK(names->asked == 2);
}

task<void> cancel_while_it_hangs(loop* l, std::shared_ptr<slow_names> names) {
  asio_network net;
  use(net, names);
  error_code why;
  task_group g(*l);
  g.spawn(dial_to(&net, l, {"hangs", 1}, 1h, &why));
  const duration moment = 20ms;
  co_await l->timers().sleep_for(moment);
  g.cancel();
  try {
    co_await g.join();
  } catch (const boost::system::system_error& e) {
    CHECK(e.code() == errors::operation_aborted);
  }
}

} // namespace

// One name's look-up hangs: a dial to it ends in its time, and dials to other names are not delayed; a second dial to
// the name that hangs does not ask again.
TEST_CASE("a look-up that hangs delays no other and is not repeated") {
  const auto names = std::make_shared<slow_names>();
  running_loop l("loop");
  l.run(dial_both(&l.get(), names));
  names->release();
}

// A look-up hangs when the loop ends: the end does not wait for it, and its late answer goes to nobody.
TEST_CASE("a loop ends while a look-up hangs") {
  const auto names = std::make_shared<slow_names>();
  const auto began = std::chrono::steady_clock::now();
  {
    running_loop l("loop");
    l.run(cancel_while_it_hangs(&l.get(), names));
  }
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  CHECK(names->asked == 1);
  names->release();
  std::this_thread::sleep_for(20ms); // it answers now
}

} // namespace quorumd::coro::test
