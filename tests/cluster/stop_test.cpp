#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace quorumd::testing;
using quorumd::wire::request_errc;

// SIGTERM to the leader under an import: it exits with 0, another leads soon, and no put is left with an unknown
// outcome or waits for an election timeout.
TEST_CASE("SIGTERM hands leadership over") {
  cluster c("stop_leader");
  c.start_all();
  const auto words = make_words(6000);
  for (std::size_t round = 0; round < 3; ++round) {
    c.wait_all_healthy();
    const std::size_t leader = c.wait_leader();
    const auto row = c.status(leader);
    import_run run(c);
    run.feed(words, 2000 * round, 2000 * (round + 1));
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(c.stop(leader) == 0);
    REQUIRE(std::chrono::steady_clock::now() - began < seconds(10));
    const std::size_t next = c.wait_leader(seconds(5), leader);
    // A hand-over takes one election in the next term; waiting for timeouts could split votes and take more.
    REQUIRE(c.status(next)->term.value() == row->term.value() + 1);
    const command_result r = run.end();
    REQUIRE_MESSAGE(r.code == 0, r.errors);
    REQUIRE(r.output == "acknowledged 2000\n");
    c.start(leader);
  }
  c.check_all_hold(words);
}

// Who is about to stop takes no leadership from another that is, which would hand it back.
TEST_CASE("a cluster that stops at once does not hand leadership round") {
  cluster c("stop_all");
  c.start_all();
  for (int round = 0; round < 5; ++round) {
    c.wait_all_healthy();
    const std::uint64_t before = c.status(c.wait_leader())->term.value();
    for (std::size_t i = 0; i < c.size(); ++i) c.node(i).signal(SIGTERM);
    for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.node(i).wait(seconds(20)) == 0);
    for (std::size_t i = 0; i < c.size(); ++i) c.start(i);
    c.wait_all_healthy();
    CHECK(c.status(c.wait_leader())->term.value() <= before + 6); // those of one stop and one start
  }
}

// A put through a follower straight after the leader was told to stop succeeds without being sent again.
TEST_CASE("a stopping leader fails no request of a follower's client") {
  cluster c("stop_no_gap");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t f = (leader + 1) % c.size();
  c.node(leader).signal(SIGTERM);
  std::vector<word> words = make_words(200);
  for (const word& w : words) {
    outcome o = put_once(c.client_place(f), w.key, w.value, seconds(5));
    // What the old leader turned away was certainly not applied, and a client may send it again at once.
    for (int again = 0; again < 50 && quorumd::wire::worth_retrying(o.code); ++again) {
      pause_briefly();
      o = put_once(c.client_place(f), w.key, w.value, seconds(5));
    }
    REQUIRE_MESSAGE(o.code == request_errc::none, o.text);
    REQUIRE(o.took < seconds(2));
  }
  REQUIRE(c.node(leader).wait(seconds(20)) == 0);
  c.start(leader);
  c.check_all_hold(words);
}

// The leader is stopped in its tracks and continued: the others elect another, and what the old one believed to lead
// acknowledges nothing and serves no stale read.
TEST_CASE("a leader that was frozen serves nothing stale") {
  cluster c("stop_frozen");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t old = c.wait_leader();
  REQUIRE(c.at(old, {"put", "key", "before"}).code == 0);
  raw_connection early(c.client_place(old));
  c.pause(old);
  // This read reaches its socket while it is frozen: it may only be answered by what is current when it wakes.
  quorumd::wire::byte_buffer out;
  quorumd::client::encode_request(out, 1, seconds(20),
                                  quorumd::client::range_read{.request = {.key = "key"}, .serializable = false});
  REQUIRE(early.send(out));
  const std::size_t next = c.wait_leader(seconds(20), old);
  REQUIRE(c.at(next, {"put", "key", "after"}).code == 0);
  c.resume(old);
  const auto reply = early.receive(seconds(20));
  REQUIRE(reply.has_value());
  if (const auto* r = std::get_if<quorumd::kv::range_reply>(&reply->body)) {
    REQUIRE(r->kvs.size() == 1);
    REQUIRE(r->kvs.front().value == "after");
  }
  c.check_all_hold({{"key", "after"}});
}

// A majority is frozen: a put ends with an error within its deadline, and is answered again once they go on.
TEST_CASE("without a quorum every request ends within its deadline") {
  cluster c("stop_no_quorum");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  c.pause((leader + 1) % c.size());
  c.pause((leader + 2) % c.size());
  for (int i = 0; i < 4; ++i) {
    const outcome o = put_once(c.client_place(leader), "key", "value", milliseconds(500));
    REQUIRE(o.answered);
    REQUIRE(o.code != request_errc::none);
    REQUIRE(o.took >= milliseconds(0));
    REQUIRE(o.took < milliseconds(2500));
  }
  const command_result r = c.run({"put", "key", "value", "--timeout", "1s", "--endpoint", c.endpoint(leader)});
  REQUIRE(r.code == 2);
  REQUIRE(r.errors.find(c.endpoint(leader)) != std::string::npos);
  c.resume((leader + 1) % c.size());
  c.resume((leader + 2) % c.size());
  c.wait_all_healthy();
  REQUIRE(c.at(leader, {"put", "key", "later"}).code == 0);
  c.check_all_hold({{"key", "later"}});
}
