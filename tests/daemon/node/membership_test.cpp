#include "daemon/node/membership.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using node::membership;

// Two entries race to record one member: the log's order decides, the same on every node.
TEST_CASE("the first incarnation on record stays") {
  membership m;
  CHECK(m.record(membership::encode(node_id(1), incarnation(10))));
  CHECK(m.record(membership::encode(node_id(1), incarnation(11))));
  CHECK(m.record(membership::encode(node_id(2), incarnation(20))));
  CHECK(m.recorded(node_id(1)) == incarnation(10));
  CHECK(m.recorded(node_id(2)) == incarnation(20));
  CHECK_FALSE(m.recorded(node_id(3)));
}

// What a snapshot carries is what was on record.
TEST_CASE("the record survives its encoding") {
  membership m;
  CHECK(m.record(membership::encode(node_id(1), incarnation(10))));
  CHECK(m.record(membership::encode(node_id(9), incarnation(90))));
  membership copy;
  CHECK(copy.restore(m.encode()));
  CHECK(copy == m);
}

// Bytes of another form change nothing.
TEST_CASE("a record that is cut short, too long or of another version is refused") {
  const auto good = membership::encode(node_id(1), incarnation(10));
  for (std::size_t n = 0; n < good.size(); ++n) {
    membership m;
    CHECK_FALSE(m.record(std::span(good).first(n)));
    CHECK(m == membership());
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  auto later = good;
  later[0] = std::byte{2};
  membership m;
  CHECK_FALSE(m.record(longer));
  CHECK_FALSE(m.record(later));
  CHECK(m == membership());
}

namespace {

entry change_to(std::uint64_t index, configuration c, const node::member_records& records) {
  return entry::make(group_id(1), term(1), log_index(index), entry_kind::members,
                     encode_configuration(c, node::encode_details(records)));
}

configuration voting(std::vector<std::uint64_t> voters, std::vector<std::uint64_t> outgoing = {},
                     std::vector<std::uint64_t> learners = {}) {
  configuration c;
  for (const std::uint64_t n : voters) c.voters.push_back(node_id(n));
  for (const std::uint64_t n : outgoing) c.outgoing.push_back(node_id(n));
  for (const std::uint64_t n : learners) c.learners.push_back(node_id(n));
  return c;
}

node::member_records named(std::vector<std::uint64_t> ids) {
  node::member_records all;
  for (const std::uint64_t n : ids) {
    const std::string name = "n" + std::to_string(n);
    all[node_id(n)] = {.name = name, .address = name + ":1", .promotes = n > 3, .begins_anew = n == 5, .void_data = {}};
  }
  return all;
}

/// Three members, each with a data directory on record.
membership of_three() {
  membership m(node::roster_of({{node_id(1), "n1", "n1:1"}, {node_id(2), "n2", "n2:1"}, {node_id(3), "n3", "n3:1"}}));
  for (std::uint64_t n = 1; n <= 3; ++n) CHECK(m.record(membership::encode(node_id(n), incarnation(10 * n))));
  return m;
}

} // namespace

// Until the log says who the members are, nobody else's snapshot says so either.
TEST_CASE("the first members count until the log says otherwise") {
  membership m = of_three();
  CHECK(m.roster().index == log_index(0));
  CHECK(m.roster().members.voters.size() == 3);
  membership other(node::roster_of({{node_id(9), "n9", "n9:1"}}));
  CHECK(other.restore(m.encode()));
  CHECK(other.roster().find("n9") == node_id(9));
  CHECK(other.recorded(node_id(2)) == incarnation(20));

  CHECK(m.change(change_to(7, voting({1, 2, 3}, {}, {4}), named({1, 2, 3, 4}))));
  CHECK(m.roster().index == log_index(7));
  CHECK(m.roster().records.at(node_id(4)).promotes);
  m.begin_with(node::roster());
  CHECK(m.roster().index == log_index(7));
  CHECK(other.restore(m.encode()));
  CHECK(other == m);
}

// Its data directory may have forgotten what the cluster will rely on without it.
TEST_CASE("the data directory of a removed member is void once the change is over") {
  membership m = of_three();
  CHECK(m.change(change_to(7, voting({1, 2}, {1, 2, 3}), named({1, 2, 3}))));
  CHECK_FALSE(m.objection(node_id(3), incarnation(30)));
  CHECK(m.change(change_to(8, voting({1, 2}), named({1, 2, 3}))));
  CHECK(m.is_void(incarnation(30)));
  CHECK_FALSE(m.recorded(node_id(3)));
  CHECK(m.objection(node_id(3), incarnation(30))->find("--join") != std::string::npos);
  CHECK_FALSE(m.roster().records.contains(node_id(3)));

  // Added again it may come with another directory, and with that one only.
  CHECK(m.change(change_to(9, voting({1, 2}, {}, {3}), named({1, 2, 3}))));
  CHECK(m.record(membership::encode(node_id(3), incarnation(30))));
  CHECK_FALSE(m.recorded(node_id(3)));
  CHECK(m.record(membership::encode(node_id(3), incarnation(31))));
  CHECK(m.recorded(node_id(3)) == incarnation(31));
  CHECK(m.objection(node_id(3), incarnation(32))->find("quorumd member replace n3") != std::string::npos);
  membership copy;
  CHECK(copy.restore(m.encode()));
  CHECK(copy == m);
}

TEST_CASE("the data directory of a replaced member is void, that which comes next is not") {
  membership m = of_three();
  auto records = named({1, 2, 3});
  records[node_id(3)].void_data = incarnation(30);
  CHECK(m.change(change_to(7, voting({1, 2}, {1, 2, 3}, {3}), records)));
  CHECK(m.recorded(node_id(3)) == incarnation(30));
  CHECK(m.change(change_to(8, voting({1, 2}, {}, {3}), records)));
  CHECK(m.is_void(incarnation(30)));
  CHECK(m.record(membership::encode(node_id(3), incarnation(31))));
  // An entry that repeats it changes nothing more.
  CHECK(m.change(change_to(9, voting({1, 2, 3}), records)));
  CHECK(m.recorded(node_id(3)) == incarnation(31));
}

TEST_CASE("an entry without details leaves the records of those who stay") {
  membership m = of_three();
  CHECK(m.change(change_to(7, voting({1, 2}, {1, 2, 3}), named({1, 2, 3}))));
  const entry leave =
      entry::make(group_id(1), term(1), log_index(8), entry_kind::members, encode_configuration(voting({1, 2}), {}));
  CHECK(m.change(leave));
  CHECK(m.roster().records == named({1, 2}));
}

// Earlier versions end a member with its address.
TEST_CASE("a member's priority and kind are kept, and one of an earlier version has neither") {
  node::member_records said = named({1, 2});
  said[node_id(1)].priority = 80;
  said[node_id(2)].witness = true;
  auto bytes = node::encode_details(said);
  CHECK(node::decode_details(bytes) == said);
  CHECK(node::roster{.index = {}, .members = {}, .records = said}.witnesses() == std::vector{node_id(2)});
  // The last member is the second.
  const std::size_t last = bytes.size() - 1;
  CHECK(bytes[last] == std::byte{client::priority_default});
  said[node_id(2)].priority = 7;
  CHECK(node::encode_details(said)[last] == std::byte{7});
  bytes.pop_back();
  const std::size_t length_at =
      bytes.size() - (2 + 20 + said[node_id(2)].name.size() + said[node_id(2)].address.size());
  bytes[length_at] = static_cast<std::byte>(std::to_integer<unsigned>(bytes[length_at]) - 1);
  const auto earlier = node::decode_details(bytes);
  REQUIRE(earlier);
  CHECK(earlier->at(node_id(2)).priority == client::priority_default);
  CHECK(earlier->at(node_id(2)).witness);
}

TEST_CASE("what is said of members in an unknown form is refused and changes nothing") {
  const membership before = of_three();
  membership m = before;
  const auto whole = encode_configuration(voting({1, 2}), node::encode_details(named({1, 2})));
  const std::size_t configuration_only = encode_configuration(voting({1, 2}), {}).size();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    if (n == configuration_only) continue; // has no details, which is a form
    const std::span<const std::byte> cut = std::span(whole).first(n);
    CHECK_FALSE(m.change(entry::make(group_id(1), term(1), log_index(7), entry_kind::members, cut)));
    CHECK(m == before);
  }
  CHECK(m.change(entry::make(group_id(1), term(1), log_index(7), entry_kind::members, whole)));
  const auto section = m.encode();
  for (std::size_t n = 0; n < section.size(); ++n) {
    membership copy;
    CHECK_FALSE(copy.restore(std::span(section).first(n)));
    CHECK(copy == membership());
  }
}

TEST_CASE("a roster is read as it was written, and compared with a configuration file") {
  const node::roster r{.index = log_index(7), .members = voting({1, 2}, {}, {4, 5}), .records = named({1, 2, 4, 5})};
  CHECK(node::decode_roster(node::encode_roster(r)) == r);
  CHECK(r.find("n4") == node_id(4));
  CHECK(r.find("n3") == node_id());
  CHECK(r.name_of(node_id(3)) == "0000000000000003");
  CHECK(node::difference(r.listed(), r) == "");
  CHECK(node::difference({{node_id(1), "n1", "n1:1"}, {node_id(2), "n2", "b:2"}, {node_id(3), "n3", "n3:1"}}, r) ==
        "n2 is at n2:1, not b:2; n3 is no member; n4 at n4:1 is a member too; n5 at n5:1 is a member too");
}
