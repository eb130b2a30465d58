#include "tests/daemon/client/scripts.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

// The client against a scripted server over loopback: what each side writes is real, what the server says is the
// test's.
namespace quorumd::tests {
namespace {

using namespace std::chrono_literals;

/// One of many callers.
coro::task<void> put_number(client::client* c, std::uint64_t number, coro::time_point deadline,
                            std::map<std::uint64_t, client::call_result>* results) {
  const std::string key = std::to_string(number);
  client::call_result r = co_await c->call(put_of(key), deadline);
  results->emplace(number, std::move(r));
}

/// A port at which nobody listens.
client::client_endpoint closed_port(test_loop* t) {
  auto listening = t->network.listen(t->loop, {"127.0.0.1", 0});
  const coro::endpoint at = listening.value()->local();
  listening.value()->close();
  return {at, {}};
}

coro::task<void> fragments(test_loop* t) {
  script_server server(t->loop, t->network, {answers_in_pieces});
  const auto client = t->connect_to({server.endpoint()});
  const auto put = co_await client->call(put_of("41"), t->in(long_enough));
  CHECK(revision_of(put) == 41);
  const auto got = co_await client->call(get_of("some key"), t->in(long_enough));
  REQUIRE(got.has_value());
  const auto& found = std::get<kv::range_reply>(got->reply.body);
  REQUIRE(found.kvs.size() == 1);
  CHECK(found.kvs[0].value == "some key");
  CHECK(client->node_name() == "scripted");
  CHECK(client->endpoint() == server.address());
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> reordered(test_loop* t) {
  script_server server(t->loop, t->network, {answers_three_backwards});
  const auto client = t->connect_to({server.endpoint()});
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group callers(t->loop);
  for (std::uint64_t i = 1; i <= 3; ++i) callers.spawn(put_number(client.get(), i, t->in(long_enough), &results));
  co_await callers.join();
  REQUIRE(results.size() == 3);
  for (const auto& [number, r] : results) CHECK(revision_of(r) == number);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> coalesced(test_loop* t) {
  script_server server(t->loop, t->network, {answers});
  const auto client = t->connect_to({server.endpoint()});
  const auto first = co_await client->call(put_of("1"), t->in(long_enough));
  CHECK(revision_of(first) == 1);
  const auto before = client->counters();
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group callers(t->loop);
  for (std::uint64_t i = 1; i <= 200; ++i) callers.spawn(put_number(client.get(), i, t->in(long_enough), &results));
  co_await callers.join();
  REQUIRE(results.size() == 200);
  for (const auto& [number, r] : results) CHECK(revision_of(r) == number);
  CHECK(client->counters().frames_out - before.frames_out == 200);
  CHECK(client->counters().writes - before.writes <= 4);
  CHECK(client->counters().connections == 1);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> redirected(test_loop* t) {
  script_server leader(t->loop, t->network, {answers});
  script_server follower(t->loop, t->network, {sends_to_the_other});
  follower.other = &leader;
  const auto client = t->connect_to({follower.endpoint()});
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group callers(t->loop);
  for (std::uint64_t i = 1; i <= 20; ++i) callers.spawn(put_number(client.get(), i, t->in(long_enough), &results));
  co_await callers.join();
  REQUIRE(results.size() == 20);
  for (const auto& [number, r] : results) CHECK(revision_of(r) == number);
  CHECK(client->endpoint() == leader.address());
  CHECK(leader.accepted() == 1);
  co_await client->stop();
  co_await follower.stop();
  co_await leader.stop();
}

coro::task<void> circular(test_loop* t) {
  script_server one(t->loop, t->network, {sends_to_the_other});
  script_server two(t->loop, t->network, {sends_to_the_other});
  one.other = &two;
  two.other = &one;
  const auto client = t->connect_to({one.endpoint()});
  const auto r = co_await client->call(put_of("1"), t->in(100ms));
  REQUIRE(r.has_error());
  CHECK(r.error().code() == request_errc::not_leader);
  CHECK(one.accepted() + two.accepted() <= 5);
  co_await client->stop();
  co_await one.stop();
  co_await two.stop();
}

coro::task<void> next_without_leader(test_loop* t) {
  script_server leaderless(t->loop, t->network, {sends_to_the_other});
  script_server leader(t->loop, t->network, {answers});
  const auto client = t->connect_to({leaderless.endpoint(), leader.endpoint()});
  const auto r = co_await client->call(put_of("9"), t->in(long_enough));
  CHECK(revision_of(r) == 9);
  CHECK(client->endpoint() == leader.address());
  co_await client->stop();
  co_await leaderless.stop();
  co_await leader.stop();
}

coro::task<void> closed_midway(test_loop* t) {
  script_server server(t->loop, t->network, {reads_one_and_closes, reads_one_and_closes, answers});
  const auto client = t->connect_to({server.endpoint()});
  const auto put = co_await client->call(put_of("1"), t->in(long_enough));
  REQUIRE(put.has_error());
  CHECK(put.error().code() == request_errc::unknown);
  CHECK(put.error().endpoint() == server.address());
  CHECK(put.error().message().starts_with(server.address() + ": the outcome is unknown"));
  // A read may be sent again: the second connection breaks under it, the third answers.
  const auto got = co_await client->call(get_of("k"), t->in(long_enough));
  CHECK(got.has_value());
  CHECK(server.accepted() == 3);
  CHECK(client->counters().retries == 1);
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> half_sent(test_loop* t) {
  script_server server(t->loop, t->network, {reads_one_and_closes, answers});
  const auto client = t->connect_to({server.endpoint()});
  constexpr std::uint64_t count = 64;
  const std::string value(1024 * 1024, 'x');
  std::vector<client::call_result> results;
  coro::task_group callers(t->loop);
  const auto put_large = [](client::client* c, std::uint64_t number, const std::string* v, coro::time_point deadline,
                            std::vector<client::call_result>* out) -> coro::task<void> {
    const std::string key = std::to_string(number);
    client::call_result r = co_await c->call(put_of(key, *v), deadline);
    out->push_back(std::move(r));
  };
  for (std::uint64_t i = 1; i <= count; ++i)
    callers.spawn(put_large(client.get(), i, &value, t->in(long_enough), &results));
  co_await callers.join();
  REQUIRE(results.size() == count);
  std::size_t unknown = 0;
  for (const auto& r : results) {
    if (r.has_value()) continue;
    CHECK(r.error().code() == request_errc::unknown);
    ++unknown;
  }
  CHECK(unknown >= 1);    // the one that the server read, at the least
  CHECK(unknown < count); // the kernel cannot have taken 64 MiB: the others were sent again
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> past_deadline(test_loop* t) {
  script_server server(t->loop, t->network, {never_answers});
  const auto client = t->connect_to({server.endpoint()});
  const auto put = co_await client->call(put_of("1"), t->in(40ms));
  REQUIRE(put.has_error());
  CHECK(put.error().code() == request_errc::unknown);
  const auto got = co_await client->call(get_of("1"), t->in(40ms));
  REQUIRE(got.has_error());
  CHECK(got.error().code() == request_errc::timeout);
  CHECK(got.error().message() == server.address() + ": no reply by the deadline");
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> failover(test_loop* t) {
  script_server server(t->loop, t->network, {answers});
  const auto client = t->connect_to({closed_port(t), server.endpoint()});
  const auto r = co_await client->call(put_of("5"), t->in(long_enough));
  CHECK(revision_of(r) == 5);
  CHECK(client->endpoint() == server.address());
  co_await client->stop();
  co_await server.stop();
}

coro::task<void> nobody_there(test_loop* t) {
  const auto one = closed_port(t);
  const auto two = closed_port(t);
  const auto client = t->connect_to({one, two});
  const auto r = co_await client->call(put_of("5"), t->in(long_enough));
  REQUIRE(r.has_error());
  CHECK(r.error().code() == request_errc::none);
  CHECK(r.error().message() == one.name() + ": Connection refused; " + two.name() + ": Connection refused");
  co_await client->stop();

  const auto patient = t->connect_to({one}, true);
  const auto late = co_await patient->call(put_of("5"), t->in(40ms));
  REQUIRE(late.has_error());
  CHECK(late.error().code() == request_errc::none);
  CHECK(late.error().message().find("Connection refused") != std::string::npos);
  co_await patient->stop();
}

coro::task<void> overloaded(test_loop* t) {
  script_server passing(t->loop, t->network, {is_overloaded_twice});
  const auto client = t->connect_to({passing.endpoint()});
  const auto r = co_await client->call(put_of("6"), t->in(long_enough));
  CHECK(revision_of(r) == 6);
  CHECK(client->counters().retries == 2);
  co_await client->stop();
  co_await passing.stop();

  script_server lasting(t->loop, t->network, {is_always_overloaded});
  const auto second = t->connect_to({lasting.endpoint()});
  const auto refused = co_await second->call(put_of("6"), t->in(50ms));
  REQUIRE(refused.has_error());
  CHECK(refused.error().code() == request_errc::overloaded);
  CHECK(refused.error().message() == lasting.address() + ": overloaded: the queue is full");
  co_await second->stop();
  co_await lasting.stop();
}

coro::task<void> server_unsure(test_loop* t) {
  script_server server(t->loop, t->network, {does_not_know_the_outcome});
  const auto client = t->connect_to({server.endpoint()});
  const auto r = co_await client->call(put_of("6"), t->in(long_enough));
  REQUIRE(r.has_error());
  CHECK(r.error().code() == request_errc::unknown);
  co_await client->stop();

  const auto reader = t->connect_to({server.endpoint()});
  const auto got = co_await reader->call(get_of("6"), t->in(long_enough));
  CHECK(got.has_value());
  co_await reader->stop();
  co_await server.stop();
}

coro::task<void> not_the_protocol(test_loop* t) {
  script_server http(t->loop, t->network, {talks_http});
  const auto client = t->connect_to({http.endpoint()});
  const auto r = co_await client->call(put_of("6"), t->in(long_enough));
  REQUIRE(r.has_error());
  CHECK(r.error().message().starts_with(http.address() + ": it does not speak quorumd's client protocol"));
  co_await client->stop();
  co_await http.stop();

  script_server closed(t->loop, t->network, {denies});
  const auto second = t->connect_to({closed.endpoint()});
  const auto denied = co_await second->call(put_of("6"), t->in(long_enough));
  REQUIRE(denied.has_error());
  CHECK(denied.error().message() == closed.address() + ": denied: uid 7 may not");
  co_await second->stop();
  co_await closed.stop();
}

coro::task<void> direct(test_loop* t) {
  script_server server(t->loop, t->network, {answers, reads_one_and_closes});
  const auto client = t->connect_to({server.endpoint()});
  CHECK_FALSE(client->submit(put_of("1"), t->in(long_enough), 1));
  const auto up = co_await client->connect(t->in(long_enough));
  REQUIRE(up.has_value());
  std::set<std::uint64_t> open;
  for (std::uint64_t tag = 0; tag < 100; ++tag) {
    CHECK(client->submit(put_of("1"), t->in(long_enough), tag));
    open.insert(tag);
  }
  std::vector<client::client::completion> ended;
  while (!open.empty()) {
    ended.clear();
    co_await client->take_completions(ended);
    for (const auto& c : ended) {
      CHECK(c.code == request_errc::none);
      CHECK(open.erase(c.tag) == 1);
    }
  }
  co_await client->stop();

  const auto second = t->connect_to({server.endpoint()});
  const auto again = co_await second->connect(t->in(long_enough));
  REQUIRE(again.has_value());
  CHECK(second->submit(put_of("1"), t->in(long_enough), 77));
  ended.clear();
  co_await second->take_completions(ended);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].tag == 77);
  CHECK(ended[0].code == request_errc::unknown);
  co_await second->stop();
  co_await server.stop();
}

coro::task<void> stopped(test_loop* t) {
  script_server server(t->loop, t->network, {never_answers});
  const auto client = t->connect_to({server.endpoint()});
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group callers(t->loop);
  callers.spawn(put_number(client.get(), 1, t->in(long_enough), &results));
  const auto up = co_await client->connect(t->in(long_enough));
  REQUIRE(up.has_value());
  co_await client->stop();
  co_await callers.join();
  REQUIRE(results.size() == 1);
  CHECK(results.at(1).has_error());
  co_await server.stop();
}

coro::task<void> cancelled(test_loop* t) {
  script_server server(t->loop, t->network, {answers_three_backwards});
  const auto client = t->connect_to({server.endpoint()});
  std::map<std::uint64_t, client::call_result> results;
  coro::task_group given_up(t->loop);
  given_up.spawn(put_number(client.get(), 1, t->in(long_enough), &results));
  given_up.spawn(put_number(client.get(), 2, t->in(long_enough), &results));
  const auto up = co_await client->connect(t->in(long_enough));
  REQUIRE(up.has_value());
  const coro::duration turn(0);
  co_await t->loop.timers().sleep_for(turn); // they are on their way
  given_up.cancel();
  co_await given_up.join();
  CHECK(results.empty());
  // The server answers all three now; the two late replies are nobody's.
  const auto r = co_await client->call(put_of("3"), t->in(long_enough));
  CHECK(revision_of(r) == 3);
  co_await client->stop();
  co_await server.stop();
}

} // namespace

// Replies that arrive three bytes at a time are put together, puts and reads alike.
TEST_CASE("fragmented replies") {
  on_a_loop(fragments);
}

// Three requests are answered in the opposite order, and each caller has its own answer.
TEST_CASE("reordered replies") {
  on_a_loop(reordered);
}

// Two hundred callers ask in one turn: their requests leave in a handful of writes over one connection.
TEST_CASE("requests coalesce") {
  on_a_loop(coalesced);
}

// A follower refuses twenty puts and names the leader: the client moves once, and all succeed there.
TEST_CASE("redirect to the leader") {
  on_a_loop(redirected);
}

// Two servers each name the other as the leader: the client gives up going around and reports by the deadline.
TEST_CASE("servers that redirect in a circle") {
  on_a_loop(circular);
}

// A server that knows no leader is left for the next endpoint.
TEST_CASE("no leader known") {
  on_a_loop(next_without_leader);
}

// The server reads a request and closes: a put is unknown and names the endpoint, a read is sent again.
TEST_CASE("connection lost midway") {
  on_a_loop(closed_midway);
}

// Sixty-four puts of 1 MiB meet a server that reads one and closes: those that had not left are sent again.
TEST_CASE("what never left is sent again") {
  on_a_loop(half_sent);
}

// Nothing answers: the deadline ends the call, as unknown for a put and as a timeout for a read.
TEST_CASE("deadline") {
  on_a_loop(past_deadline);
}

// Nobody listens at the first endpoint; the second serves.
TEST_CASE("endpoint failover") {
  on_a_loop(failover);
}

// Nobody listens anywhere: an impatient client says so at once for each endpoint, a patient one at the deadline.
TEST_CASE("no endpoint can be reached") {
  on_a_loop(nobody_there);
}

// Refused as overloaded twice, a put is tried a third time; refused until the deadline, it fails as overloaded.
TEST_CASE("overloaded") {
  on_a_loop(overloaded);
}

// The server itself does not know a put's outcome: that is reported and not sent again, but a read is.
TEST_CASE("the server does not know the outcome") {
  on_a_loop(server_unsure);
}

// The other end speaks HTTP, or denies the hello: the message says which.
TEST_CASE("no hello") {
  on_a_loop(not_the_protocol);
}

// A hundred requests without coroutines end under their tags; a broken connection ends one as unknown.
TEST_CASE("direct requests") {
  on_a_loop(direct);
}

// A client that is stopped ends the calls that wait.
TEST_CASE("stop ends waiting calls") {
  on_a_loop(stopped);
}

// Two calls are cancelled on their way: their late replies disturb nobody.
TEST_CASE("cancelled calls") {
  on_a_loop(cancelled);
}

} // namespace quorumd::tests
