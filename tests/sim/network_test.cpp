#include "tests/sim/sim_network.hpp"
#include "tests/sim/sim_worker.hpp"

#include "coro/task_group.hpp"

#include <doctest/doctest.h>

#include <boost/asio/error.hpp>

#include <string>

using namespace quorumd;
using namespace quorumd::sim;
using namespace std::chrono_literals;
using boost::system::error_code;
namespace failed = boost::asio::error;

namespace {

/// Two hosts with a loop each; the second listens.
struct two_hosts {
  explicit two_hosts(std::uint64_t seed, network_options o = {})
      : clock(seed, false, 1us)
      , net(clock, o) {}
  ~two_hosts() {
    left_tasks.reset();
    right_tasks.reset();
    clock.release(*left);
    clock.release(*right);
  }

  void run(coro::duration d) {
    const coro::time_point limit = clock.now() + d;
    while (clock.step(limit)) {
    }
  }
  void spawn_left(coro::task<void> t) { spawn(*left, *left_tasks, std::move(t)); }
  void spawn_right(coro::task<void> t) { spawn(*right, *right_tasks, std::move(t)); }
  void cancel() {
    left->post([this] { left_tasks->cancel(); });
    right->post([this] { right_tasks->cancel(); });
    run(1ms);
  }

  scheduler clock;
  fabric net;
  std::unique_ptr<coro::loop> left = clock.make_loop("left", 1);
  std::unique_ptr<coro::loop> right = clock.make_loop("right", 2);
  std::unique_ptr<coro::network> left_net = net.attach(1);
  std::unique_ptr<coro::network> right_net = net.attach(2);
  std::unique_ptr<coro::task_group> left_tasks = std::make_unique<coro::task_group>(*left);
  std::unique_ptr<coro::task_group> right_tasks = std::make_unique<coro::task_group>(*right);

 private:
  void spawn(coro::loop& l, coro::task_group& g, coro::task<void> t) {
    auto shared = std::make_shared<coro::task<void>>(std::move(t));
    l.post([&g, shared] { g.spawn(std::move(*shared)); });
  }
};

struct received {
  std::string bytes;
  error_code end;
  bool accepted = false;
};

coro::task<void> receive_all(coro::acceptor* from, coro::loop* l, received* out) {
  auto accepted = co_await from->accept(*l);
  std::unique_ptr<coro::stream> s = std::move(accepted.value());
  out->accepted = true;
  std::array<std::byte, 512> buffer;
  for (;;) {
    const auto got = s->read_some(buffer);
    if (got) {
      out->bytes.append(reinterpret_cast<const char*>(buffer.data()), *got);
    } else if (got.error() == failed::would_block) {
      co_await s->readable();
    } else {
      out->end = got.error();
      co_return;
    }
  }
}

const coro::endpoint second{"two", 1};

coro::task<void> send_all(coro::network* by, coro::loop* l, std::string bytes, error_code* error, bool stay,
                          coro::endpoint to = second) {
  auto dialed = co_await by->connect(*l, to, 1s);
  if (!dialed) {
    *error = dialed.error();
    co_return;
  }
  std::unique_ptr<coro::stream> s = std::move(dialed.value());
  std::span<const std::byte> rest = std::as_bytes(std::span(bytes));
  while (!rest.empty()) {
    const auto sent = s->write_some(rest);
    if (sent) {
      rest = rest.subspan(*sent);
    } else if (sent.error() == failed::would_block) {
      co_await s->writable();
    } else {
      *error = sent.error();
      co_return;
    }
  }
  while (stay) {
    std::array<std::byte, 1> buffer;
    const auto got = s->read_some(buffer);
    if (!got && got.error() != failed::would_block) {
      *error = got.error();
      co_return;
    }
    co_await s->readable();
  }
}

std::string letters(std::size_t n) {
  std::string s;
  for (std::size_t i = 0; i < n; ++i) s.push_back(static_cast<char>('a' + i % 23));
  return s;
}

} // namespace

// Whatever the chunks, waits and buffer sizes that a seed draws, bytes arrive in order and whole, then the end.
TEST_CASE("network: bytes arrive in order however they are cut") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    prng random(seed);
    network_options o;
    o.read_max = random.between(1, 700);
    o.write_max = random.between(1, 700);
    o.buffer_bytes = random.between(1, 2000);
    o.spurious_per_mille = 50;
    o.slow_per_mille = 100;
    two_hosts h(seed, o);
    auto listening = h.right_net->listen(*h.right, second);
    received got;
    error_code error;
    h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
    h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(20000), &error, false));
    h.run(600s);
    CHECK(got.bytes == letters(20000));
    CHECK(got.end == failed::eof);
    CHECK_FALSE(error);
  }
}

// Two connections have the line's bytes a second together, and each byte arrives all the same.
TEST_CASE("network: who shares a narrow line has a part of it") {
  network_options o;
  o.bytes_a_second = 10'000;
  o.write_max = 500;
  two_hosts h(8, o);
  const coro::endpoint other{"two", 2};
  auto listening = h.right_net->listen(*h.right, second);
  auto listening_too = h.right_net->listen(*h.right, other);
  received got;
  received got_too;
  error_code error;
  h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
  h.spawn_right(receive_all(listening_too->get(), h.right.get(), &got_too));
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(10'000), &error, false));
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(10'000), &error, false, other));
  h.run(1500ms);
  const std::size_t half = got.bytes.size() + got_too.bytes.size();
  CHECK(half > 14'000);
  CHECK(half <= 15'000);
  h.run(1s);
  CHECK(got.bytes == letters(10'000));
  CHECK(got_too.bytes == letters(10'000));
  CHECK_FALSE(error);
}

// The same seed gives the same trace, another seed another one.
TEST_CASE("network: the seed decides the trace") {
  const auto hash_of = [](std::uint64_t seed) {
    two_hosts h(seed);
    auto listening = h.right_net->listen(*h.right, second);
    received got;
    error_code error;
    h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
    h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(3000), &error, false));
    h.run(10s);
    return h.clock.trace().hash();
  };
  CHECK(hash_of(7) == hash_of(7));
  CHECK(hash_of(7) != hash_of(8));
}

// A one-way partition holds the bytes; they arrive when it ends.
TEST_CASE("network: a partition holds bytes until it ends") {
  network_options o;
  o.reset_on_heal_per_mille = 0;
  two_hosts h(3, o);
  auto listening = h.right_net->listen(*h.right, second);
  received got;
  error_code error;
  h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(100), &error, true));
  h.clock.after(400us, [&] { h.net.block(1, 2); });
  h.run(5s);
  const std::size_t before = got.bytes.size();
  h.net.unblock(1, 2);
  h.run(1s);
  CHECK(before < 100);
  CHECK(got.bytes.size() == 100);
  h.cancel();
}

// A dial across a partition times out; one to a host that listens nowhere fails.
TEST_CASE("network: dials that fail") {
  two_hosts h(4);
  error_code error;
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), "x", &error, false));
  h.run(2s);
  CHECK((error == failed::connection_refused || error == failed::timed_out));
  auto listening = h.right_net->listen(*h.right, second);
  h.net.block(2, 1);
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), "x", &error, false));
  h.run(999ms);
  error = {};
  h.run(100ms);
  CHECK(error == failed::timed_out);
}

// A host that loses power leaves its peer half-open until the peer's bytes reach the host's next start.
TEST_CASE("network: a quiet crash leaves a half-open connection") {
  network_options o;
  o.write_max = 10;
  o.buffer_bytes = 40; // so that something is always on its way
  two_hosts h(5, o);
  auto listening = h.right_net->listen(*h.right, second);
  received got;
  error_code error;
  h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(1000), &error, true));
  h.run(2ms);
  REQUIRE(got.accepted);
  h.net.crash(2, true);
  h.run(10s);
  CHECK_FALSE(error);
  h.net.boot(2);
  h.run(10s);
  CHECK(error == failed::connection_reset);
  h.cancel();
}

// A connection that is cut is reset at both ends, whatever waits there.
TEST_CASE("network: a cut resets both ends") {
  two_hosts h(6);
  auto listening = h.right_net->listen(*h.right, second);
  received got;
  error_code error;
  h.spawn_right(receive_all(listening->get(), h.right.get(), &got));
  h.spawn_left(send_all(h.left_net.get(), h.left.get(), letters(10), &error, true));
  h.run(1s);
  REQUIRE(got.accepted);
  h.net.cut(1, 2);
  h.run(1s);
  CHECK(error == failed::connection_reset);
  CHECK(got.end == failed::connection_reset);
}

// Jobs run in the order of their submission, and a crash runs what is left so that its waiters end.
TEST_CASE("worker: jobs keep their order and an abandoned one still ends") {
  struct note final : coro::worker::job {
    note(std::string& w, char n)
        : written(w)
        , name(n) {}
    void run() override { written.push_back(name); }
    void done() override { written.push_back(static_cast<char>(name - 'a' + 'A')); }
    std::string& written;
    char name;
  };
  two_hosts h(7);
  std::string written;
  note a(written, 'a');
  note b(written, 'b');
  note c(written, 'c');
  sim_worker w(h.clock, 1, {}, prng(1));
  w.submit(a, *h.left);
  w.submit(b, *h.left);
  h.run(10ms);
  CHECK(written.find('a') < written.find('b'));
  CHECK(written.size() == 4);
  w.submit(c, *h.left);
  w.abandon();
  h.clock.drain(1, 10);
  CHECK(written.size() == 6);
  h.run(1s);
  CHECK(written.size() == 6);
}
