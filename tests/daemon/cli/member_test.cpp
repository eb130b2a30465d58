#include "daemon/cli/commands.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/member_table.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

using words = std::vector<std::string>;
using client::member_action;
using client::member_role;

result<member_order> ordered(words w) {
  w.insert(w.begin(), "member");
  const auto r = parse_command_line(all_commands(), std::move(w));
  if (r.has_error()) return r.error();
  return read_member_order(std::get<invocation>(*r));
}

member_order understood_order(words w) {
  const auto o = ordered(std::move(w));
  REQUIRE(o.has_value());
  return *o;
}

std::string order_mistake(words w) {
  const auto o = ordered(std::move(w));
  if (!o.has_error()) return "no mistake";
  CHECK(o.error().exit_code() == 64);
  return o.error().message();
}

client::member_spec spec(std::string name, std::string address = {}, std::string new_name = {}) {
  return {.name = std::move(name), .address = std::move(address), .new_name = std::move(new_name)};
}

client::member_row row(std::uint64_t id, member_role role) {
  client::member_row r;
  r.id = node_id(id);
  r.name = "n" + std::to_string(id);
  r.address = "10.0.0." + std::to_string(id) + ":2380";
  r.client_address = "10.0.0." + std::to_string(id) + ":2379";
  r.role = role;
  r.connected = true;
  r.match = log_index(90);
  return r;
}

/// n1 leads n2 and n3; n4 learns, and has told nobody where clients find it.
client::members_reply four() {
  client::members_reply m;
  m.cluster = cluster_id(0xabc);
  m.cluster_name = "demo";
  m.index = log_index(7);
  m.from_leader = true;
  for (const std::uint64_t id : {1, 2, 3}) m.rows.push_back(row(id, member_role::voter));
  m.rows[0].leader = true;
  m.rows[0].incarnation = incarnation(0x11);
  m.rows[1].connected = false;
  m.rows.push_back(row(4, member_role::learner));
  m.rows[3].promotes = true;
  m.rows[3].client_address.clear();
  m.rows[3].match = log_index(0);
  m.rows[3].behind = 90;
  return m;
}

client::members_reply reply_of(std::uint64_t index, member_role role, std::uint64_t match, std::uint64_t behind) {
  client::members_reply m = four();
  m.index = log_index(index);
  m.rows[3].role = role;
  m.rows[3].match = log_index(match);
  m.rows[3].behind = behind;
  return m;
}

} // namespace

// Each action with its members and options.
TEST_CASE("what a member command asks for") {
  CHECK_FALSE(understood_order({"list"}).change);
  const member_order add = understood_order({"add", "n4=10.0.0.4:2380", "n5=[::1]:2380", "--force"});
  REQUIRE(add.change);
  CHECK(add.change->action == member_action::add);
  CHECK(add.change->members == std::vector{spec("n4", "10.0.0.4:2380"), spec("n5", "[::1]:2380")});
  CHECK(add.change->force);
  CHECK(add.change->promote);
  CHECK(add.wait);
  const member_order learner = understood_order({"add", "n4=h:1", "--no-promote"});
  CHECK_FALSE(learner.change->promote);
  CHECK_FALSE(learner.wait); // there is nothing to wait for
  CHECK(understood_order({"add", "n4=h:1", "--no-wait"}).change->promote);
  CHECK_FALSE(understood_order({"add", "n4=h:1", "--no-wait"}).wait);

  const member_order remove = understood_order({"remove", "n2", "n3"});
  CHECK(remove.change->action == member_action::remove);
  CHECK(remove.change->members == std::vector{spec("n2"), spec("n3")});
  CHECK_FALSE(remove.change->force);
  CHECK_FALSE(remove.wait);
  CHECK(understood_order({"promote", "n4"}).change->action == member_action::promote);
  CHECK(understood_order({"demote", "n4"}).change->action == member_action::demote);
  CHECK(understood_order({"update", "n4=h:2"}).change->members == std::vector{spec("n4", "h:2")});

  const member_order replace = understood_order({"replace", "n3=h:3", "--as", "n6"});
  CHECK(replace.change->action == member_action::replace);
  CHECK(replace.change->members == std::vector{spec("n3", "h:3", "n6")});
  CHECK(replace.wait);
  CHECK(understood_order({"replace", "n3"}).change->members == std::vector{spec("n3")});
  CHECK(understood_order({"replace", "n3", "--as", "n3"}).change->members == std::vector{spec("n3")});
}

// Every mistake names the action and what is wrong with which member.
TEST_CASE("mistakes of a member command") {
  const std::vector<std::pair<words, std::string>> cases = {
      {{}, "member: list|add|remove|promote|demote|update|replace is missing (see 'quorumd help member')"},
      {{"lst"},
       "member: expected list, add, remove, promote, demote, update or replace, not 'lst', did you mean 'list'? (see "
       "'quorumd help member')"},
      {{"list", "n1"}, "member list: 'n1' is one argument too many"},
      {{"list", "--force"}, "member list: --force goes with a change of the members"},
      {{"add"}, "member add: NAME=HOST:PORT is missing (see 'quorumd help member')"},
      {{"add", "n4"}, "member add: expected NAME=HOST:PORT and got 'n4'"},
      {{"add", "=h:1"},
       "member add: '' is no name of a member: 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"},
      {{"add", "n4=h:1", "n 5=h:2"},
       "member add: 'n 5' is no name of a member: 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"},
      {{"add", "n4=h:1", "n5=0.0.0.0:2380"},
       "member add: n5: 0.0.0.0:2380 is every interface: say where the other members dial it"},
      {{"add", "n4=h:1", "n4=h:2"}, "member add: n4 is named twice"},
      {{"add", "n4=h:1", "n5=h:1"}, "member add: n4 and n5 have the same address, h:1"},
      {{"add", "n4=h:1", "--as", "n5"}, "member add: --as goes with replace"},
      {{"remove", "n4=h:1"}, "member remove: expected a member's name and got 'n4=h:1'"},
      {{"remove", "n4", "--no-wait"}, "member remove: --no-wait goes with add and replace"},
      {{"promote", "n4", "--no-promote"}, "member promote: --no-promote goes with add and replace"},
      {{"update", "n4"}, "member update: expected NAME=HOST:PORT and got 'n4'"},
      {{"update", "n4", "--priority", "101"},
       "member update: --priority: expected a number from 0 to 100 and got '101'"},
      {{"update", "n4", "--priority", "high"},
       "member update: --priority: expected a number from 0 to 100 and got 'high'"},
      {{"remove", "n4", "--priority", "1"}, "member remove: --priority goes with add and update"},
      {{"promote", "n4", "--witness"}, "member promote: --witness goes with add"},
      {{"replace"}, "member replace: NAME or NAME=HOST:PORT is missing (see 'quorumd help member')"},
      {{"replace", "n2", "n3", "--as", "n6"},
       "member replace: --as names one new member, and goes with one that it replaces"},
      {{"replace", "n2", "--as", "-6"},
       "member replace: --as: '-6' is no name of a member: 1 to 64 letters, digits, '.', '_' and '-', a letter or "
       "digit "
       "first"},
  };
  for (const auto& [w, what] : cases) {
    CAPTURE(what);
    CHECK(order_mistake(w) == what);
  }
  CHECK(order_mistake({"add", "n4=h:1", "n5=10.0.0.5"})
            .starts_with("member add: n5: expected HOST:PORT, such as 127.0.0.1:2379"));
  words many{"remove"};
  for (std::size_t i = 0; i <= client::member_rows_max; ++i) many.push_back("n" + std::to_string(i));
  CHECK(order_mistake(many) == "member remove: at most 128 members are changed at once");
}

// etcdctl's spellings of a change are answered by those of this one.
TEST_CASE("other words for a change of members") {
  CHECK(order_mistake({"add", "n4", "--peer-urls=http://h:1"}).find("NAME=HOST:PORT") != std::string::npos);
  CHECK(order_mistake({"add", "n4", "--learner"}).find("--no-promote") != std::string::npos);
}

// The leader knows how far everybody is.
TEST_CASE("table of the members") {
  CHECK(members_table(four()) == "name  role     leader  address        client         priority  connected  behind\n"
                                 "n1    voter    yes     10.0.0.1:2380  10.0.0.1:2379  50        yes        0\n"
                                 "n2    voter    -       10.0.0.2:2380  10.0.0.2:2379  50        no         0\n"
                                 "n3    voter    -       10.0.0.3:2380  10.0.0.3:2379  50        yes        0\n"
                                 "n4    learner  -       10.0.0.4:2380  -              50        yes        90      a "
                                 "voter once it has caught up\n");
}

// A witness votes, and is called what it is; who is to lead shows in the priorities.
TEST_CASE("table of members of which one is a witness") {
  client::members_reply m = four();
  m.rows[2].witness = m.rows[3].witness = true;
  m.rows[0].priority = 100;
  CHECK(
      members_table(m) ==
      "name  role     leader  address        client         priority  connected  behind\n"
      "n1    voter    yes     10.0.0.1:2380  10.0.0.1:2379  100       yes        0\n"
      "n2    voter    -       10.0.0.2:2380  10.0.0.2:2379  50        no         0\n"
      "n3    witness  -       10.0.0.3:2380  10.0.0.3:2379  50        yes        0\n"
      "n4    learner  -       10.0.0.4:2380  -              50        yes        90      a witness once it has caught "
      "up\n");
}

TEST_CASE("priorities and witnesses in a change") {
  const auto updated = understood_order({"update", "n1", "n2=h:1", "--priority", "80"});
  REQUIRE(updated.change);
  CHECK(updated.change->members ==
        std::vector<client::member_spec>{{.name = "n1", .address = {}, .new_name = {}, .priority = 80},
                                         {.name = "n2", .address = "h:1", .new_name = {}, .priority = 80}});
  const auto added = understood_order({"add", "n3=h:1", "--witness"});
  REQUIRE(added.change);
  CHECK(added.change->members ==
        std::vector<client::member_spec>{{.name = "n3", .address = "h:1", .new_name = {}, .witness = true}});
}

// A follower does not; and a change of voters is on its way.
TEST_CASE("table of the members during a change") {
  client::members_reply m = four();
  m.from_leader = false;
  m.changing = true;
  m.rows[2].role = member_role::outgoing;
  m.rows[3].role = member_role::incoming;
  m.rows.resize(4);
  CHECK(members_table(m) == "name  role     leader  address        client         priority  connected  behind\n"
                            "n1    voter    yes     10.0.0.1:2380  10.0.0.1:2379  50        yes        -\n"
                            "n2    voter    -       10.0.0.2:2380  10.0.0.2:2379  50        -          -\n"
                            "n3    leaving  -       10.0.0.3:2380  10.0.0.3:2379  50        yes        -\n"
                            "n4    joining  -       10.0.0.4:2380  -              50        yes        -\n"
                            "a change of the members is under way\n");
}

// The same as JSON, with null for what is not known.
TEST_CASE("members as json") {
  client::members_reply m = four();
  m.rows = {m.rows[0], m.rows[3]};
  CHECK(
      members_json(m) ==
      R"({"cluster":"0000000000000abc","cluster_name":"demo","index":7,"changing":false,"from_leader":true,)"
      R"("members":[{"id":"0000000000000001","name":"n1","address":"10.0.0.1:2380","client_address":"10.0.0.1:2379",)"
      R"("role":"voter","promotes":false,"leader":true,"witness":false,"priority":50,"connected":true,"match":90,"behind":0,)"
      R"("incarnation":"0000000000000011"},)"
      R"({"id":"0000000000000004","name":"n4","address":"10.0.0.4:2380","client_address":null,)"
      R"("role":"learner","promotes":true,"leader":false,"witness":false,"priority":50,"connected":true,"match":null,"behind":90,)"
      R"("incarnation":null}]})"
      "\n");
  m.from_leader = false;
  m.rows = {four().rows[1]};
  CHECK(members_json(m).find(R"("connected":null,"match":90,"behind":null)") != std::string::npos);
}

// A new member is told to ask the leader, or whoever else stays; at an address that was not given it has the old one.
TEST_CASE("how a new member is started") {
  client::member_change add{.action = member_action::add, .members = {spec("n4", "10.0.0.4:2380"), spec("n5", "h:1")}};
  CHECK(join_commands(add, four(), "h:2379") ==
        words{"quorumd serve --join 10.0.0.1:2379 --set node.name=n4 --set listen.peer=10.0.0.4:2380 --data-dir "
              "/var/lib/quorumd",
              "quorumd serve --join 10.0.0.1:2379 --set node.name=n5 --set listen.peer=h:1 --data-dir "
              "/var/lib/quorumd"});
  const client::member_change replace{.action = member_action::replace, .members = {spec("n1", {}, "n4")}};
  CHECK(new_names(replace) == words{"n4"});
  CHECK(join_commands(replace, four(), "h:2379")
            .front()
            .find("--join 10.0.0.2:2379 --set node.name=n4 --set listen.peer=10.0.0.4:2380 ") != std::string::npos);
  client::members_reply alone;
  CHECK(join_commands(add, alone, "h:2379").front().find("--join h:2379 ") != std::string::npos);
}

// A new member learns, joins, and is a voter; what a node says that has not heard of the change counts for nothing.
TEST_CASE("a new member becomes a voter") {
  promotion p({"n4"}, log_index(7));
  CHECK(p.share() < 0);
  CHECK(p.take(reply_of(7, member_role::learner, 100, 900)).empty());
  CHECK(p.share() == doctest::Approx(0.1));
  CHECK(p.taken() == 0);
  client::members_reply old;
  old.index = log_index(6);
  CHECK(p.take(old).empty());
  CHECK(p.gone().empty());
  CHECK(p.take(reply_of(7, member_role::learner, 600, 400)).empty());
  CHECK(p.taken() == 500);
  CHECK(p.behind() == 400);
  CHECK(p.take(reply_of(8, member_role::incoming, 1000, 0)).empty());
  CHECK_FALSE(p.done());
  CHECK(p.take(reply_of(9, member_role::voter, 1000, 0)) == words{"n4"});
  CHECK(p.done());
  CHECK(p.take(reply_of(9, member_role::voter, 1000, 0)).empty());
}

// Of two new members one is removed before it is a voter, by another change.
TEST_CASE("a new member is removed again") {
  promotion p({"n3", "n4"}, log_index(7));
  CHECK(p.take(four()) == words{"n3"});
  CHECK(p.waiting() == words{"n4"});
  client::members_reply m = reply_of(8, member_role::learner, 0, 0);
  m.rows.pop_back();
  CHECK(p.take(m).empty());
  CHECK(p.gone() == "n4");
}

} // namespace quorumd::cli
