#include "tests/wire/transport_rig.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::wire::test;

namespace {

member named(std::uint64_t i) {
  const std::string name = "n" + std::to_string(i);
  return {node_id(i), name, name + ":1"};
}

/// From now on the nodes 1 to `last` are the members, to this node, by the change at that index.
void change_members(rig_node& n, std::uint64_t index, std::uint64_t last) {
  std::vector<member> all;
  for (std::uint64_t i = 1; i <= last; ++i) all.push_back(named(i));
  on(n.loop, [&] { n.wire->set_members(log_index(index), all, all); });
}

/// A node that knows the members 1 to `last` by the change at that index.
transport_options knowing(std::uint64_t id, std::uint64_t index, std::uint64_t last) {
  transport_options o = options_for(id);
  o.self.members_index = log_index(index);
  o.self.members.clear();
  for (std::uint64_t i = 1; i <= last; ++i) o.self.members.push_back(named(i));
  return o;
}

raft_message heartbeat_of(std::uint64_t t) {
  return {group_id(1), raft::heartbeat{.term = term(t), .commit = {}, .round = 0}};
}

} // namespace

TEST_CASE("a member that is added is dialed, and one that is removed loses its stream") {
  world w;
  rig_node a(w.loop, w.net, knowing(1, 5, 2));
  rig_node d(w.loop, w.net, knowing(4, 9, 4));
  w.net.set("n1", 0); // node 4 cannot dial node 1
  change_members(a, 9, 4);
  REQUIRE(a.seen.saw("up n4"));
  REQUIRE(d.seen.saw("up n1"));
  CHECK(a.wire->connected(n4));
  a.wire->send(n4, heartbeat_of(3));
  REQUIRE(d.seen.received(1));

  change_members(a, 12, 2);
  REQUIRE(a.seen.saw("down n4"));
  w.net.set("n1", a.port());
  REQUIRE(d.seen.saw("refused by n1")); // it dials, and hears why
  CHECK_FALSE(a.wire->connected(n4));
}

TEST_CASE("a node that knows of a later change of members is let in, and gets answers, though it is none to this one") {
  world w;
  rig_node a(w.loop, w.net, knowing(1, 5, 2));
  rig_node d(w.loop, w.net, knowing(4, 9, 4));
  REQUIRE(a.seen.saw("up n4"));
  d.wire->send(n1, heartbeat_of(3));
  REQUIRE(a.seen.received(1));
  a.wire->send(n4, heartbeat_of(3));
  REQUIRE(d.seen.received(1));
  // And it stays when this node learns the same.
  change_members(a, 9, 4);
  a.wire->send(n4, heartbeat_of(4));
  REQUIRE(d.seen.received(2));
  CHECK(a.seen.count("down n4") == 0);
}

TEST_CASE("a node that knows of no later change and is no member is refused with a reason") {
  world w;
  rig_node a(w.loop, w.net, knowing(1, 9, 2));
  rig_node d(w.loop, w.net, knowing(4, 9, 4));
  REQUIRE(a.seen.saw("refused"));
  REQUIRE(d.seen.saw("refused by n1"));
  CHECK_FALSE(a.wire->connected(n4));
}

TEST_CASE("strangers are let in up to a bound") {
  world w;
  transport_options o = knowing(1, 5, 1);
  o.strangers_max = 2;
  rig_node a(w.loop, w.net, o);
  std::vector<std::unique_ptr<raw_peer>> peers;
  for (std::uint64_t i = 10; i < 12; ++i) {
    peers.push_back(std::make_unique<raw_peer>(a.port()));
    hello h = make_hello(identity(i), n1);
    h.members_index = log_index(9);
    peers.back()->say_hello(h);
    REQUIRE(peers.back()->hear_hello());
    REQUIRE(a.seen.saw("up n" + std::to_string(i)));
  }
  raw_peer third(a.port());
  hello h = make_hello(identity(12), n1);
  h.members_index = log_index(9);
  third.say_hello(h);
  CHECK(third.hear_goodbye().find("too many nodes that are no members") != std::string::npos);
}

TEST_CASE("a member with another address is dialed there") {
  world w;
  rig_node a(w.loop, w.net, knowing(1, 5, 2));
  const auto moved = [&](const std::string& address) {
    std::vector<member> all{named(1), {n2, "n2", address}};
    on(w.loop, [&] { a.wire->set_members(log_index(6), all, all); });
  };
  moved("elsewhere:1");
  w.net.set("n1", 0);
  rig_node b(w.loop, w.net, knowing(2, 6, 2));
  REQUIRE(a.seen.saw("dial failed n2 elsewhere:1")); // there is nobody
  w.net.set("elsewhere", b.port());
  REQUIRE(a.seen.saw("up n2"));
}
