#pragma once

#include "tests/daemon/client/script_peer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

// What the scripted servers of the client's tests do.
namespace quorumd::tests {

using namespace std::chrono_literals;
using wire::request_errc;

inline constexpr auto long_enough = 20s;

/// The revision that a put was done at.
inline std::uint64_t revision_of(const client::call_result& r) {
  REQUIRE_MESSAGE(r.has_value(), r.error().message());
  return std::get<kv::reply>(r->reply.body).revision.value();
}

inline void on_a_loop(test_loop::body b) {
  test_loop t;
  t.run(b);
}

inline client::client_body put_of(std::string_view key, std::string_view value = "v") {
  return kv::command(kv::put{.key = key, .value = value});
}
inline client::client_body get_of(std::string_view key) {
  client::range_read r;
  r.request.key = key;
  return r;
}
inline std::string_view key_of(const request& r) {
  if (const auto* c = std::get_if<kv::command>(&r.what.body)) return std::get<kv::put>(*c).key;
  return std::get<client::range_read>(r.what.body).request.key;
}
/// Answers every put with the number in its key, every get with its key as the value.
inline void answer(script_connection* c, const request& r) {
  if (std::holds_alternative<kv::command>(r.what.body)) {
    c->answer_put(r.what.id, std::stoull(std::string(key_of(r))));
    return;
  }
  kv::range_reply found;
  found.revision = revision(7);
  found.count = 1;
  found.kvs.push_back({key_of(r), key_of(r), revision(3), revision(4), 2, {}});
  client::encode_reply(c->out, r.what.id, kv::result<kv::range_reply>(found));
}

inline coro::task<void> answers(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    answer(c, r);
    co_await c->send();
  }
}

inline coro::task<void> answers_in_pieces(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    answer(c, r);
    co_await c->send(3);
  }
}

inline coro::task<void> answers_three_backwards(script_connection* c, script_server*) {
  co_await c->greet();
  std::vector<request> all;
  while (all.size() < 3) {
    request r = co_await c->read();
    all.push_back(std::move(r));
  }
  std::reverse(all.begin(), all.end());
  for (const request& r : all) answer(c, r);
  co_await c->send();
  const request end = co_await c->read();
  CHECK(end.what.id == 0);
}

inline coro::task<void> sends_to_the_other(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    const std::string leader = s->other == nullptr ? std::string() : s->other->address();
    c->refuse(r.what.id, request_errc::not_leader, leader);
    co_await c->send();
  }
}

inline coro::task<void> reads_one_and_closes(script_connection* c, script_server*) {
  co_await c->greet();
  const request r = co_await c->read();
  CHECK(r.what.id != 0);
  c->close();
}

inline coro::task<void> never_answers(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
  }
}

inline coro::task<void> is_overloaded_twice(script_connection* c, script_server*) {
  co_await c->greet();
  for (int i = 0;; ++i) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    if (i < 2)
      c->refuse(r.what.id, request_errc::overloaded, {}, "the queue is full");
    else
      answer(c, r);
    co_await c->send();
  }
}

inline coro::task<void> is_always_overloaded(script_connection* c, script_server*) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    c->refuse(r.what.id, request_errc::overloaded, {}, "the queue is full");
    co_await c->send();
  }
}

inline coro::task<void> does_not_know_the_outcome(script_connection* c, script_server*) {
  co_await c->greet();
  const request r = co_await c->read();
  c->refuse(r.what.id, request_errc::unknown, {}, "the leader changed");
  co_await c->send();
  for (;;) {
    const request next = co_await c->read();
    if (next.what.id == 0) co_return;
    answer(c, next);
    co_await c->send();
  }
}

inline coro::task<void> talks_http(script_connection* c, script_server*) {
  const request hello = co_await c->read();
  CHECK(std::holds_alternative<client::client_hello>(hello.what.body));
  const std::string_view text = "HTTP/1.1 400 Bad Request\r\n\r\n    ";
  c->out.append(std::as_bytes(std::span(text)));
  co_await c->send();
  const request end = co_await c->read();
  CHECK(end.what.id == 0);
}

inline coro::task<void> denies(script_connection* c, script_server*) {
  const request hello = co_await c->read();
  c->refuse(hello.what.id, request_errc::denied, {}, "uid 7 may not");
  co_await c->send();
}

} // namespace quorumd::tests
