#include "tests/daemon/client/scripts.hpp"

#include <doctest/doctest.h>

// What the client makes of requests about members, against a scripted server over loopback.
namespace quorumd::tests {
namespace {

using namespace std::chrono_literals;

client::client_body change() {
  client::member_change c;
  c.members.push_back({.name = "n4", .address = "127.0.0.1:1", .new_name = {}});
  return c;
}

/// Answers every request with the members.
coro::task<void> lists_members(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    client::members_reply m;
    m.rows.emplace_back().name = "n1";
    client::encode_reply(c->out, r.what.id, m);
    co_await c->send();
  }
}

coro::task<void> refuses(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    c->refuse(r.what.id, request_errc::refused, {}, "two of three members are away");
    co_await c->send();
  }
}

coro::task<void> changes_are_sent_once(test_loop* t) {
  const client::client_body all[]{change(), client::leader_transfer{.to = "n2"}};
  for (const client::client_body& asked : all) {
    script_server server(t->loop, t->network, {reads_one_and_closes, lists_members});
    const auto client = t->connect_to({server.endpoint()});
    client::client_body body = asked;
    const auto r = co_await client->call(std::move(body), t->in(long_enough));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == request_errc::unknown);
    CHECK(client->counters().retries == 0);
    CHECK(server.accepted() == 1);
    co_await client->stop();
    co_await server.stop();
  }
}

coro::task<void> questions_are_asked_again(test_loop* t) {
  const client::client_body all[]{client::members_request{}, client::join_request{.name = "n4", .address = "h:1"}};
  for (const client::client_body& asked : all) {
    script_server server(t->loop, t->network, {reads_one_and_closes, lists_members});
    const auto client = t->connect_to({server.endpoint()});
    client::client_body body = asked;
    const auto r = co_await client->call(std::move(body), t->in(long_enough));
    REQUIRE(r.has_value());
    CHECK(std::get<client::members_reply>(r->reply.body).rows.front().name == "n1");
    CHECK(client->counters().retries == 1);
    co_await client->stop();
    co_await server.stop();
  }
}

coro::task<void> sent_to_the_leader(test_loop* t) {
  script_server leader(t->loop, t->network, {lists_members});
  script_server follower(t->loop, t->network, {sends_to_the_other});
  follower.other = &leader;
  const auto client = t->connect_to({follower.endpoint()});
  const auto r = co_await client->call(change(), t->in(long_enough));
  REQUIRE(r.has_value());
  CHECK(client->endpoint() == leader.address());
  co_await client->stop();
  co_await follower.stop();
  co_await leader.stop();
}

coro::task<void> refused_for_good(test_loop* t) {
  script_server server(t->loop, t->network, {refuses});
  const auto client = t->connect_to({server.endpoint()});
  const auto r = co_await client->call(change(), t->in(long_enough));
  REQUIRE(r.has_error());
  CHECK(r.error().code() == request_errc::refused);
  CHECK(r.error().message() == server.address() + ": refused: two of three members are away");
  CHECK(client->counters().retries == 0);
  co_await client->stop();
  co_await server.stop();
}

} // namespace

// The connection breaks under a change, and under a transfer: the outcome is unknown, and it is not sent again.
TEST_CASE("a change of members is sent once") {
  on_a_loop(changes_are_sent_once);
}

// It breaks under a question: the next connection answers it.
TEST_CASE("questions about members are asked again") {
  on_a_loop(questions_are_asked_again);
}

// A follower names the leader, and the change goes there.
TEST_CASE("a change of members goes to the leader") {
  on_a_loop(sent_to_the_leader);
}

// A refusal says why, and is not tried again.
TEST_CASE("a refused change of members") {
  on_a_loop(refused_for_good);
}

} // namespace quorumd::tests
