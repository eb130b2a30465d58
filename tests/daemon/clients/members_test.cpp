#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
using client::member_action;

// What a client hears that asks a node, the only one of its cluster, about members.
namespace {

client::member_change change(member_action action, const std::string& name, const std::string& address = {}) {
  return {.action = action, .members = {{.name = name, .address = address, .new_name = {}}}};
}

/// The rows, or why there are none.
struct members_answer {
  explicit members_answer(const client::call_result& r)
      : error(r.has_error() ? r.error().message() : std::string())
      , code(r.has_error() ? r.error().code() : wire::request_errc::none) {
    if (r.has_value()) members = std::get<client::members_reply>(r->reply.body);
  }
  [[nodiscard]] bool says(const std::string& text) const { return error.find(text) != std::string::npos; }
  std::string error;
  wire::request_errc code;
  client::members_reply members;
};

} // namespace

TEST_CASE("the members are listed, and a learner is added and removed") {
  node_rig rig(with(1));
  REQUIRE(rig.call(kv::command(kv::put{.key = "a", .value = "1"})).has_value()); // it leads
  const members_answer first(rig.call(client::members_request{}));
  REQUIRE(first.members.rows.size() == 1);
  CHECK(first.members.cluster_name == "rig");
  CHECK(first.members.index == log_index(0));
  CHECK(first.members.from_leader);
  CHECK(first.members.rows[0].name == "n1");
  CHECK(first.members.rows[0].leader);
  CHECK(first.members.rows[0].role == client::member_role::voter);

  const members_answer added(rig.call(change(member_action::add, "n2", "127.0.0.1:2")));
  REQUIRE_MESSAGE(added.error.empty(), added.error);
  REQUIRE(added.members.rows.size() == 2);
  CHECK(added.members.index > log_index(0));
  CHECK_FALSE(added.members.changing);
  CHECK(added.members.rows[1].name == "n2");
  CHECK(added.members.rows[1].address == "127.0.0.1:2");
  CHECK(added.members.rows[1].role == client::member_role::learner);
  CHECK(added.members.rows[1].promotes);
  CHECK_FALSE(added.members.rows[1].connected);
  CHECK(added.members.rows[1].match == log_index(0));
  REQUIRE(rig.call(kv::command(kv::put{.key = "a", .value = "2"})).has_value()); // it does not count

  const members_answer joins(rig.call(client::join_request{.name = "n2", .address = "127.0.0.1:2"}));
  CHECK_MESSAGE(joins.error.empty(), joins.error);
  CHECK(joins.members.cluster == cluster_id(1));

  const members_answer moved(rig.call(change(member_action::update, "n2", "127.0.0.1:3")));
  REQUIRE(moved.members.rows.size() == 2);
  CHECK(moved.members.rows[1].address == "127.0.0.1:3");
  const members_answer removed(rig.call(change(member_action::remove, "n2")));
  CHECK(removed.members.rows.size() == 1);
  CHECK(members_answer(rig.call(client::members_request{})).members.index == removed.members.index);
}

TEST_CASE("what cannot be is refused by name, and nothing changes") {
  node_rig rig(with(1));
  REQUIRE(rig.call(kv::command(kv::put{.key = "a", .value = "1"})).has_value());
  REQUIRE(members_answer(rig.call(change(member_action::add, "n2", "127.0.0.1:2"))).error.empty());
  const auto refused = [&](const client::member_change& c, const std::string& why) {
    const members_answer a(rig.call(c));
    INFO(a.error);
    return a.says(why) && (a.code == wire::request_errc::refused || a.code == wire::request_errc::invalid);
  };
  CHECK(refused({.action = member_action::remove, .members = {}}, "no member is named"));
  CHECK(refused(change(member_action::add, "m", "127.0.0.1:9"), "'m' cannot be a member's name"));
  CHECK(refused(change(member_action::add, "n1", "127.0.0.1:9"), "n1 is a member already"));
  CHECK(refused(change(member_action::add, "n3", "nowhere"), "n3: expected the address"));
  CHECK(refused(change(member_action::add, "n3", "127.0.0.1:2"), "n3: n2 is at 127.0.0.1:2 already"));
  CHECK(refused(change(member_action::remove, "n9"), "n9 is no member"));
  CHECK(refused(change(member_action::remove, "n1"), "no voter would be left"));
  CHECK(refused(change(member_action::demote, "n1"), "no voter would be left"));
  CHECK(refused(change(member_action::demote, "n2"), "n2 is a learner already"));
  CHECK(refused(change(member_action::promote, "n1"), "n1 is a voter already"));
  CHECK(refused(change(member_action::promote, "n2"), "n2 does not answer"));
  CHECK(refused(change(member_action::replace, "n1"), "n1 is the leader, and well"));
  client::member_change both = change(member_action::remove, "n2");
  both.members.push_back({.name = "n9", .address = {}, .new_name = {}});
  CHECK(refused(both, "n9 is no member"));
  CHECK(members_answer(rig.call(client::members_request{})).members.rows.size() == 2);

  const members_answer stranger(rig.call(client::join_request{.name = "n7", .address = "10.0.0.7:2380"}));
  CHECK(stranger.says("run 'quorumd member add n7=10.0.0.7:2380'"));
  const members_answer voter(rig.call(client::join_request{.name = "n1", .address = {}}));
  CHECK(voter.says("quorumd member replace n1")); // an empty disk may have forgotten its votes

  CHECK(members_answer(rig.call(client::leader_transfer{})).says("nobody to lead"));
  CHECK(members_answer(rig.call(client::leader_transfer{"n2"})).says("n2 is a learner"));
  CHECK(members_answer(rig.call(client::leader_transfer{"n9"})).says("n9 is no member"));
  CHECK(members_answer(rig.call(client::leader_transfer{"n1"})).error.empty()); // it does lead
}

// A change that cannot come to its end ends at its deadline all the same, and is still under way then.
TEST_CASE("a change without a majority says so in time, and another is refused meanwhile") {
  node_rig rig(with(1));
  REQUIRE(rig.call(kv::command(kv::put{.key = "a", .value = "1"})).has_value());
  REQUIRE(members_answer(rig.call(change(member_action::add, "n2", "127.0.0.1:2"))).error.empty());
  rig.hold_disk();
  const members_answer late(rig.call(change(member_action::remove, "n2"), std::chrono::milliseconds(300)));
  CHECK(late.code == wire::request_errc::unknown);
  const members_answer second(rig.call(change(member_action::remove, "n2"), std::chrono::milliseconds(300)));
  CHECK(second.says("another change of the members is under way"));
  rig.release_disk();
}
