#include "tests/cluster/networks.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

// The nodes are in network namespaces of their own, and what stands between them drops packets: the kernel's own TCP
// meets a partition, with its retransmissions, its windows and its connections that get no answer.
using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

/// The node knows that it does not lead any more.
void wait_stepped_down(cluster& c, std::size_t i) {
  const auto follows = [&] {
    const auto row = c.status(i);
    return row && row->role != quorumd::raft::role::leader;
  };
  REQUIRE(eventually(follows, seconds(3)));
}

/// A put through every node after the other, each within that time.
void put_through_all(cluster& c, const std::string& key, milliseconds at_most, std::vector<word>& acknowledged) {
  for (std::size_t i = 0; i < c.size(); ++i) {
    const word w{key + "." + c.node_name(i), "put through " + c.node_name(i)};
    const outcome o = put_once(c.client_place(i), w.key, w.value, at_most);
    REQUIRE_MESSAGE(o.code == request_errc::none, w.value << ": " << o.text);
    acknowledged.push_back(w);
  }
}

} // namespace

// The leader is cut off from both others: it acknowledges nothing and answers no linearizable read, the others elect
// another and an import goes on; healed, it follows, and has what they took and nothing of its own. Three times over.
TEST_CASE("network: a leader that is cut off from all others") {
  networks net(3);
  if (!net.made()) return;
  cluster c("namespace_symmetric", {.hosts = net.hosts()});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  bool unknown = false;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t old = c.wait_leader();
    run.feed(words, 2000 * i, 2000 * i + 1000);
    net.isolate(old);
    const outcome lost = put_once(c.client_place(old), "minority", "must not be acknowledged", milliseconds(1500));
    REQUIRE(lost.answered);
    REQUIRE(lost.code != request_errc::none);
    REQUIRE(lost.took < seconds(3));
    unknown = unknown || lost.code == request_errc::unknown;
    const std::size_t next = c.wait_leader(seconds(10), old);
    REQUIRE(next != old);
    wait_stepped_down(c, old);
    run.feed(words, 2000 * i + 1000, 2000 * (i + 1));
    REQUIRE(put_once(c.client_place(next), "majority", std::to_string(i), seconds(5)).code == request_errc::none);
    const command_result read = c.run({"get", "majority", "--endpoint", c.endpoint(old), "--timeout", "1s"});
    REQUIRE(read.code == 2);
    REQUIRE(read.output.empty());
    net.heal();
    c.wait_healthy(old, seconds(10));
  }
  run.finish(words.size());
  c.check_all_hold(words);
  if (!unknown) REQUIRE(c.anywhere({"get", "minority"}).code == 1);
}

// What the leader sends is lost, while it hears the others: they elect another one, from which it learns that.
TEST_CASE("network: a leader that nobody hears") {
  networks net(3);
  if (!net.made()) return;
  cluster c("namespace_mute", {.hosts = net.hosts()});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  run.feed(words, 0, 2000);
  const std::size_t mute = c.wait_leader();
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != mute) net.drop(mute, i);
  REQUIRE(c.wait_leader(seconds(10), mute) != mute);
  wait_stepped_down(c, mute);
  run.feed(words, 2000, 4000);
  const outcome refused = put_once(c.client_place(mute), "mute", "must not be acknowledged", milliseconds(1500));
  REQUIRE(refused.code != request_errc::none);
  net.heal();
  run.feed(words, 4000, 6000);
  run.finish(words.size());
  c.check_all_hold(words);
}

// The others hear the leader, but what they answer is lost: it steps down, though nothing is wrong as far as they see,
// another one leads, and the deaf one, which hears no votes, does not disturb it.
TEST_CASE("network: a leader that hears nobody") {
  networks net(3);
  if (!net.made()) return;
  cluster c("namespace_deaf", {.hosts = net.hosts()});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  run.feed(words, 0, 2000);
  const std::size_t deaf = c.wait_leader();
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != deaf) net.drop(i, deaf);
  const std::size_t next = c.wait_leader(seconds(10), deaf);
  wait_stepped_down(c, deaf);
  const auto before = c.status(next);
  REQUIRE(before.has_value());
  run.feed(words, 2000, 4000);
  std::this_thread::sleep_for(seconds(3)); // ten election time-outs
  const auto after = c.status(next);
  REQUIRE(after.has_value());
  CHECK(after->term == before->term);
  CHECK(after->leader == before->id);
  net.heal();
  run.feed(words, 4000, 6000);
  run.finish(words.size());
  c.check_all_hold(words);
}

// The followers do not reach each other, which is nobody's concern: the leader stays, and writes through every member
// are taken all the time.
TEST_CASE("network: followers that do not reach each other") {
  networks net(3);
  if (!net.made()) return;
  cluster c("namespace_followers", {.hosts = net.hosts()});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const auto before = c.status(leader);
  REQUIRE(before.has_value());
  const std::size_t one = (leader + 1) % 3;
  const std::size_t other = (leader + 2) % 3;
  REQUIRE(net.reaches(one, c.client_place(other)));
  net.cut(one, other);
  REQUIRE_FALSE(net.reaches(one, c.client_place(other)));
  auto words = make_words(6000);
  const std::size_t imported = words.size();
  import_run run(c);
  for (std::size_t i = 0; i < 6; ++i) {
    run.feed(words, 1000 * i, 1000 * (i + 1));
    put_through_all(c, "round" + std::to_string(i), seconds(2), words);
    std::this_thread::sleep_for(milliseconds(500));
  }
  run.finish(imported);
  const auto after = c.status(leader);
  REQUIRE(after.has_value());
  CHECK(after->leader == before->id);
  CHECK(after->term == before->term);
  c.check_all_hold(words); // before it is healed, too
  net.heal();
  c.check_all_hold(words);
}

// The leader and one follower do not reach each other, and the third reaches both. It hears the leader, and lets nobody
// take its place, though the other one has all that it has; an import goes on, and what the follower missed comes to it
// in the end.
TEST_CASE("network: a follower that reaches the other one alone") {
  networks net(3);
  if (!net.made()) return;
  cluster c("namespace_partial", {.hosts = net.hosts()});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  for (std::size_t i = 0; i < c.size(); ++i) // the last entries that come without being asked for
    REQUIRE(c.logged_within(leader, "recording the data directory of " + c.node_name(i), seconds(10)));
  REQUIRE(c.anywhere({"put", "first", "1"}).code == 0);
  c.check_all_hold({{"first", "1"}});
  const auto before = c.status(leader);
  REQUIRE(before.has_value());
  const std::size_t away = (leader + 1) % 3;
  REQUIRE(net.reaches(away, c.client_place(leader)));
  net.cut(leader, away);
  REQUIRE_FALSE(net.reaches(away, c.client_place(leader)));
  std::this_thread::sleep_for(seconds(2));
  const auto words = make_words(6000);
  import_run run(c);
  for (std::size_t i = 0; i < 6; ++i) {
    run.feed(words, 1000 * i, 1000 * (i + 1));
    REQUIRE(put_once(c.client_place(leader), "round", std::to_string(i), seconds(2)).code == request_errc::none);
    std::this_thread::sleep_for(milliseconds(500));
  }
  const auto after = c.status(leader);
  REQUIRE(after.has_value());
  CHECK(after->leader == before->id);
  CHECK(after->term == before->term);
  run.finish(words.size());
  net.heal();
  c.check_all_hold(words);
}
