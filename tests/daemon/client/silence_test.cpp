#include "tests/daemon/client/scripts.hpp"

#include <doctest/doctest.h>

#include <map>

// The client against servers that say nothing, or say late that they find no leader.
namespace quorumd::tests {
namespace {

using namespace std::chrono_literals;

/// Waits for as long as the client said that a leader may be waited for.
coro::task<void> finds_no_leader(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    const auto& limits = r.what.limits;
    const coro::duration wait = limits.leader_wait.count() != 0 ? limits.leader_wait : limits.remaining;
    co_await c->loop.timers().sleep_for(wait);
    c->refuse(r.what.id, request_errc::no_quorum);
    co_await c->send();
  }
}

coro::task<void> refuses_one_and_falls_silent(script_connection* c, script_server*) {
  co_await c->greet();
  const request r = co_await c->read();
  c->refuse(r.what.id, request_errc::no_quorum);
  co_await c->send();
  for (;;) {
    const request next = co_await c->read();
    if (next.what.id == 0) co_return;
  }
}

coro::task<void> does_not_know_and_then_refuses(script_connection* c, script_server*) {
  co_await c->greet();
  for (int i = 0;; ++i) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    c->refuse(r.what.id, i == 0 ? request_errc::unknown : request_errc::no_quorum);
    co_await c->send();
  }
}

/// As a process that was stopped: the kernel takes the connection.
coro::task<void> is_frozen(script_connection* c, script_server*) {
  constexpr coro::duration for_ever = 1h;
  co_await c->loop.timers().sleep_for(for_ever);
}

coro::task<void> freezes_after_the_hello(script_connection* c, script_server* s) {
  co_await c->greet();
  co_await is_frozen(c, s);
}

/// Stopped with a request in its socket, and awake again when the client is long gone.
coro::task<void> wakes_late(script_connection* c, script_server* s) {
  c->heed_abort();
  co_await c->greet();
  constexpr coro::duration asleep = 1200ms;
  co_await c->loop.timers().sleep_for(asleep);
  const request r = co_await c->read();
  s->seen.push_back(r.what.id == 0 ? "nothing" : "a request");
}

coro::task<void> without_a_leader(test_loop* t) {
  script_server server(t->loop, t->network, {finds_no_leader});
  const auto client = t->connect_to({server.endpoint()});
  const auto put = co_await client->call(put_of("1"), t->in(1500ms));
  REQUIRE(put.has_error());
  CHECK(put.error().code() == request_errc::no_quorum);
  CHECK(client->counters().retries == 0);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> read_after_a_refusal(test_loop* t) {
  script_server server(t->loop, t->network, {refuses_one_and_falls_silent});
  const auto client = t->connect_to({server.endpoint()});
  const auto got = co_await client->call(get_of("1"), t->in(300ms));
  REQUIRE(got.has_error());
  CHECK(client->counters().retries == 1);
  CHECK(got.error().code() == request_errc::no_quorum);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> unknown_stays(test_loop* t) {
  script_server server(t->loop, t->network, {does_not_know_and_then_refuses});
  const auto client = t->connect_to({server.endpoint()});
  const auto put = co_await client->call(put_of("1"), t->in(300ms), client::client::repeat::idempotent);
  REQUIRE(put.has_error());
  CHECK(client->counters().retries > 1);
  CHECK(put.error().code() == request_errc::unknown);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> next_after_no_leader(test_loop* t) {
  script_server cut_off(t->loop, t->network, {finds_no_leader});
  script_server leader(t->loop, t->network, {answers});
  const auto client = t->connect_to({cut_off.endpoint(), leader.endpoint()});
  const coro::time_point before = t->loop.now();
  const auto put = co_await client->call(put_of("3"), t->in(6s));
  CHECK(revision_of(put) == 3);
  CHECK(client->endpoint() == leader.address());
  CHECK(t->loop.now() - before < 4s);
  co_await client->stop();
  co_await cut_off.stop();
  co_await leader.stop();
}

coro::task<void> next_after_frozen(test_loop* t) {
  script_server frozen(t->loop, t->network, {is_frozen});
  script_server leader(t->loop, t->network, {answers});
  const auto client = t->connect_to({frozen.endpoint(), frozen.endpoint(), leader.endpoint()});
  const auto put = co_await client->call(put_of("3"), t->in(1500ms));
  CHECK(revision_of(put) == 3);
  CHECK(client->endpoint() == leader.address());
  co_await client->stop();
  co_await frozen.stop();
  co_await leader.stop();
}

coro::task<void> freezes_on_the_way(test_loop* t) {
  script_server frozen(t->loop, t->network, {freezes_after_the_hello});
  script_server leader(t->loop, t->network, {answers});
  const std::vector<client::client_endpoint> both{frozen.endpoint(), leader.endpoint()};

  const auto reader = t->connect_to(both);
  const auto got = co_await reader->call(get_of("k"), t->in(1500ms));
  CHECK_MESSAGE(got.has_value(), (got.has_error() ? got.error().message() : ""));
  CHECK(reader->endpoint() == leader.address());
  CHECK(reader->counters().repeats == 0);
  co_await reader->stop();

  const auto importer = t->connect_to(both);
  const auto again = co_await importer->call(put_of("4"), t->in(1500ms), client::client::repeat::idempotent);
  CHECK(revision_of(again) == 4);
  CHECK(importer->counters().repeats == 1);
  co_await importer->stop();

  const auto writer = t->connect_to(both);
  const auto put = co_await writer->call(put_of("5"), t->in(900ms));
  REQUIRE(put.has_error());
  CHECK(put.error().code() == request_errc::unknown);
  co_await writer->stop();

  co_await frozen.stop();
  co_await leader.stop();
}

coro::task<void> nothing_is_left_behind(test_loop* t) {
  script_server late(t->loop, t->network, {wakes_late});
  script_server leader(t->loop, t->network, {answers});
  const auto client = t->connect_to({late.endpoint(), leader.endpoint()});
  const auto put = co_await client->call(put_of("4"), t->in(1000ms), client::client::repeat::idempotent);
  CHECK(revision_of(put) == 4);
  const auto next = co_await client->call(put_of("5"), t->in(1000ms), client::client::repeat::idempotent);
  CHECK(revision_of(next) == 5);
  constexpr coro::duration pause = 10ms;
  while (late.seen.empty()) co_await t->loop.timers().sleep_for(pause);
  CHECK(late.seen.front() == "nothing");
  co_await client->stop();
  co_await late.stop();
  co_await leader.stop();
}

coro::task<void> put_large(client::client* c, std::uint64_t number, const std::string* v, coro::time_point deadline,
                           std::map<std::uint64_t, client::call_result>* out) {
  const std::string key = std::to_string(number);
  client::call_result r = co_await c->call(put_of(key, *v), deadline);
  out->emplace(number, std::move(r));
}

coro::task<void> never_written(test_loop* t) {
  script_server frozen(t->loop, t->network, {freezes_after_the_hello, answers});
  const auto client = t->connect_to({frozen.endpoint()});
  constexpr std::uint64_t count = 64;
  const std::string value(1024 * 1024, 'x');
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group callers(t->loop);
  // One deadline for all: the first that ends breaks the connection, and what had time left would hear of that instead.
  const coro::time_point deadline = t->in(500ms);
  for (std::uint64_t i = 1; i <= count; ++i) callers.spawn(put_large(client.get(), i, &value, deadline, &results));
  co_await callers.join();
  REQUIRE(results.size() == count);
  std::size_t unknown = 0;
  for (const auto& [number, r] : results) {
    REQUIRE(r.has_error());
    if (r.error().code() == request_errc::unknown)
      ++unknown;
    else
      CHECK(r.error().code() == request_errc::timeout);
  }
  CHECK(unknown < count / 2); // the kernel cannot have taken 32 MiB
  CHECK(results.at(count).error().code() == request_errc::timeout);
  // What was taken back does not come after all, and the connection with half a request in it is of no more use.
  const auto put = co_await client->call(put_of("7"), t->in(5s));
  CHECK(revision_of(put) == 7);
  co_await client->stop();
  co_await frozen.stop();
}

} // namespace

// A server without a quorum says so at the end of the time that it was given: that is the answer, and the request is
// not sent again for the few milliseconds that are left, in which it could only become unknown.
TEST_CASE("no quorum is the answer to a put that was never proposed") {
  on_a_loop(without_a_leader);
}

// A read is refused, asked again, and nothing comes any more: what was learned is reported, not the silence.
TEST_CASE("a later silence does not hide why a read was refused") {
  on_a_loop(read_after_a_refusal);
}

// The first try of a put that may be repeated is unknown, the next ones are refused: it stays unknown.
TEST_CASE("a later refusal does not hide that a put may have been applied") {
  on_a_loop(unknown_stays);
}

// The first endpoint finds no leader: after its share of the time the second is asked.
TEST_CASE("an endpoint without a leader costs its share of the time") {
  on_a_loop(next_after_no_leader);
}

// Two endpoints accept and say nothing, as a stopped process does: the third answers within the deadline.
TEST_CASE("an endpoint that does not say hello is left for the next") {
  on_a_loop(next_after_frozen);
}

// The first endpoint freezes with a request under way: a read and an idempotent put are asked of the second, a put that
// must not be sent twice is unknown.
TEST_CASE("an endpoint that falls silent is left for the next") {
  on_a_loop(freezes_on_the_way);
}

// The first endpoint sleeps with a put in its socket, which the second then acknowledges: when the first wakes up it
// finds that the client has taken its put back, and the answer tells that it was sent twice.
TEST_CASE("a silent endpoint does not get what was given up there") {
  on_a_loop(nothing_is_left_behind);
}

// The server stops reading: puts of which no byte was written have certainly had no effect, then or later.
TEST_CASE("what was never written is not unknown") {
  on_a_loop(never_written);
}

} // namespace quorumd::tests
