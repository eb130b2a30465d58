#include "wire/handshake.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>

using namespace quorumd;
using namespace quorumd::wire;

namespace {

local_identity identity(std::uint64_t id) {
  local_identity self;
  self.cluster = cluster_id(77);
  self.cluster_name = "demo";
  self.id = node_id(id);
  self.name = "n" + std::to_string(id);
  self.incarnation = incarnation(100 + id);
  self.boot = boot_id(200 + id);
  self.client_address = "127.0.0.1:2379";
  self.features = 0b0110;
  for (std::uint64_t m = 1; m <= 3; ++m)
    self.members.push_back({node_id(m), "n" + std::to_string(m), "127.0.0.1:1238" + std::to_string(m)});
  return self;
}

/// Why n1, which dialed n2, refuses n2's greeting after the change.
std::string refusal(const std::function<void(hello&)>& change, node_id dialed = node_id(2)) {
  hello other = make_hello(identity(2), node_id(1));
  change(other);
  return check_hello(identity(1), other, dialed).value_or("accepted");
}

} // namespace

// Two nodes of one cluster accept each other, and agree on what both have.
TEST_CASE("members of one cluster accept each other") {
  CHECK(refusal([](hello&) {}) == "accepted");
  CHECK(refusal([](hello&) {}, node_id()) == "accepted");
  hello other = make_hello(identity(2), node_id(1));
  other.features = 0b0011;
  other.version_max = 9;
  const peer_info info = make_peer_info(identity(1), other);
  CHECK(info.features == 0b0010);
  CHECK(info.version == peer_version_max);
  CHECK(info.id == node_id(2));
  CHECK(info.client_address == "127.0.0.1:2379");
}

// The order in which a configuration lists the members means nothing.
TEST_CASE("the order of members does not matter") {
  local_identity self = identity(1);
  std::swap(self.members[0], self.members[2]);
  CHECK_FALSE(check_hello(self, make_hello(identity(2), node_id(1)), node_id(2)).has_value());
}

// Each mismatch is refused with a sentence that names what differs.
TEST_CASE("each mismatch is named") {
  const std::string advice =
      ". The members of a cluster that has begun are changed by 'quorumd member', not in the configuration files";
  CHECK(refusal([](hello& h) { h.version_min = h.version_max = 9; }) == "protocol versions 2 to 2 here, 9 to 9 there");
  CHECK(refusal([](hello& h) { h.cluster_name = "prod"; }) == "cluster demo here, cluster prod there");
  CHECK(refusal([](hello& h) { h.cluster = cluster_id(78); }).starts_with("cluster id 000000000000004d here"));
  CHECK(refusal([](hello& h) { h.id = node_id(1); }).find("this node's own id") != std::string::npos);
  CHECK(refusal([](hello&) {}, node_id(3)) == "dialed n3 (0000000000000003), but n2 (0000000000000002) answered");
  CHECK(refusal([](hello& h) { h.expected = node_id(3); }) ==
        "n2 (0000000000000002) expects to talk to node 0000000000000003, but this is n1 (0000000000000001)");
  CHECK(refusal(
            [](hello& h) {
              h.id = node_id(9);
              h.name = "n9";
            },
            node_id()) == "n9 (0000000000000009) is not a member of cluster demo as configured here");
  CHECK(refusal([](hello& h) { h.incarnation = incarnation(); }).find("no incarnation") != std::string::npos);
  CHECK(refusal([](hello& h) { h.members[2].address = "127.0.0.1:9"; }) ==
        "the member lists differ: member n3: 127.0.0.1:12383 here, 127.0.0.1:9 there" + advice);
  CHECK(refusal([](hello& h) { h.members[2].name = "x"; }) ==
        "the member lists differ: member 0000000000000003: named n3 here, x there" + advice);
  CHECK(refusal([](hello& h) { h.members.pop_back(); }) ==
        "the member lists differ: member n3: 127.0.0.1:12383 here, missing there" + advice);
  CHECK(refusal([](hello& h) {
          h.members.push_back({node_id(4), "n4", "a:1"});
          h.members[0].address = "b:2";
        }) ==
        "the member lists differ: member n1: 127.0.0.1:12381 here, b:2 there; member n4: missing here, a:1 there" +
            advice);
}

// Once the log says who the members are, files that say otherwise mean nothing; who knows of a later change may be one.
TEST_CASE("after a change of members the later one counts") {
  const auto refusal_at = [](std::uint64_t here, std::uint64_t there, const std::function<void(hello&)>& change) {
    local_identity self = identity(1);
    self.members_index = log_index(here);
    hello other = make_hello(identity(2), node_id(1));
    other.members_index = log_index(there);
    change(other);
    return check_hello(self, other, node_id()).value_or("accepted");
  };
  const auto other_list = [](hello& h) { h.members.pop_back(); };
  CHECK(refusal_at(0, 0, other_list).find("quorumd member") != std::string::npos);
  CHECK(refusal_at(7, 0, other_list) == "accepted");
  CHECK(refusal_at(0, 7, other_list) == "accepted");
  CHECK(refusal_at(7, 9, other_list) == "accepted");

  const auto stranger = [](hello& h) {
    h.id = node_id(4);
    h.name = "n4";
  };
  CHECK(refusal_at(0, 0, stranger).find("n4 (0000000000000004) is not a member of cluster demo as configured here") !=
        std::string::npos);
  CHECK(refusal_at(7, 9, stranger) == "accepted");
  CHECK(refusal_at(0, 9, stranger) == "accepted");
  for (const std::uint64_t there : {0, 7}) {
    const std::string why = refusal_at(7, there, stranger);
    CHECK(why.find("it was removed, or never added") != std::string::npos);
    CHECK(why.find("quorumd member add n4=HOST:PORT") != std::string::npos);
  }
}
