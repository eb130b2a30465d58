#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

#include <cstring>

using namespace quorumd;
using namespace quorumd::client;
using namespace quorumd::kv;
using namespace quorumd::wire;
using namespace quorumd::testing;

namespace {

constexpr auto a_while = std::chrono::milliseconds(5);

template <class Body>
decoded<client_request> heard(const Body& asked) {
  byte_buffer out;
  encode_request(out, 1, a_while, asked);
  return decode_request(content(out));
}

decoded<client_reply> heard(const members_reply& m) {
  byte_buffer out;
  encode_reply(out, 1, m);
  CHECK(out.size() <= client_reply_frame_max);
  return decode_reply(content(out));
}

member_change adding(std::size_t count, const member_spec& each) {
  return {.action = member_action::add, .members = std::vector(count, each)};
}

} // namespace

// A change names so many members, each within its bounds; one that goes beyond is refused and not cut to another.
TEST_CASE("what is asked about members is bounded") {
  const member_spec longest{.name = std::string(member_name_max, 'n'),
                            .address = std::string(member_address_max, 'a'),
                            .new_name = std::string(member_name_max, 'm'),
                            .witness = true,
                            .priority = std::uint8_t{100}};
  const auto most = heard(adding(member_rows_max, longest));
  REQUIRE(most.has_value());
  CHECK(std::get<member_change>(most->body).members == std::vector(member_rows_max, longest));
  CHECK(heard(adding(member_rows_max + 1, longest)).error().code() == codec_errc::count);

  const std::string name(member_name_max + 1, 'n');
  const std::string address(member_address_max + 1, 'a');
  CHECK(heard(adding(1, {.name = name, .address = {}, .new_name = {}})).error().code() == codec_errc::length);
  CHECK(heard(adding(1, {.name = {}, .address = address, .new_name = {}})).error().code() == codec_errc::length);
  CHECK(heard(adding(1, {.name = {}, .address = {}, .new_name = name})).error().code() == codec_errc::length);
  CHECK(heard(leader_transfer{name}).error().code() == codec_errc::length);
  CHECK(heard(join_request{.name = name, .address = {}}).error().code() == codec_errc::length);
  CHECK(heard(join_request{.name = {}, .address = address}).error().code() == codec_errc::length);
}

// To hand the leadership to whoever is the best is to name nobody, and not to ask nothing.
TEST_CASE("a transfer to nobody in particular") {
  const auto asked = heard(leader_transfer{});
  REQUIRE(asked.has_value());
  CHECK(std::get<leader_transfer>(asked->body).to.empty());
}

// A later version's action, and its role, are refused: nothing else is done in their place.
TEST_CASE("unknown actions and roles are refused") {
  member_change c = adding(1, {.name = "n4", .address = "h:1", .new_name = {}});
  c.action = static_cast<member_action>(6);
  CHECK(heard(c).error().code() == codec_errc::unknown_kind);
  members_reply m;
  m.rows.emplace_back().role = static_cast<member_role>(4);
  CHECK(heard(m).error().code() == codec_errc::unknown_kind);
  CHECK(std::strcmp(name_of(member_action::replace), "replace") == 0);
  CHECK(std::strcmp(name_of(member_role::outgoing), "leaving") == 0);
}

// What a node says of its members always fits a reply that the client takes: texts are cut, and rows left out.
TEST_CASE("what is said of members is bounded") {
  member_row row;
  row.name = std::string(1000, 'n');
  row.address = std::string(1000, 'a');
  row.client_address = std::string(1000, 'c');
  members_reply m;
  m.cluster_name = std::string(1000, 'c');
  m.rows.assign(member_rows_max + 5, row);
  const auto answer = heard(m);
  REQUIRE(answer.has_value());
  const auto& said = std::get<members_reply>(answer->body);
  CHECK(said.cluster_name.size() == member_name_max);
  REQUIRE(said.rows.size() == member_rows_max);
  CHECK(said.rows.back().name.size() == member_name_max);
  CHECK(said.rows.back().address.size() == member_address_max);
  CHECK(said.rows.back().client_address.size() == member_address_max);

  m = {};
  m.rows.emplace_back().match = log_index(number_max + 1);
  CHECK(heard(m).error().code() == codec_errc::number);
}
