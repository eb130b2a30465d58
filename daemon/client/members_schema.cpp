#include "daemon/client/members_schema.hpp"

#include <algorithm>

namespace quorumd::client::detail {
namespace {

constexpr std::uint8_t priority_unsaid = 255;

// What is said of members is cut to its bounds. What is asked is not: it would be asked of another member.
std::string_view name_part(std::string_view name) {
  return name.substr(0, member_name_max);
}

std::string_view address_part(std::string_view address) {
  return address.substr(0, member_address_max);
}

std::string read_address(capnp::Text::Reader from) {
  require(from.size() <= member_address_max, codec_errc::length, "a member's address is longer than allowed");
  return std::string(text(from));
}

std::size_t words_behind(const member_spec& m) {
  return text_words(m.name.size()) + text_words(m.address.size()) + text_words(m.new_name.size());
}

void fill(schema::MemberSpec::Builder to, const member_spec& m) {
  copy_text(m.name, [&](unsigned n) { return to.initName(n); });
  copy_text(m.address, [&](unsigned n) { return to.initAddress(n); });
  copy_text(m.new_name, [&](unsigned n) { return to.initNewName(n); });
  to.setWitness(m.witness);
  to.setPriority(m.priority.value_or(priority_unsaid));
}

member_spec read(schema::MemberSpec::Reader from) {
  const std::uint8_t priority = from.getPriority();
  return {.name = read_member_name(from.getName()),
          .address = read_address(from.getAddress()),
          .new_name = read_member_name(from.getNewName()),
          .witness = from.getWitness(),
          .priority = priority == priority_unsaid ? std::nullopt : std::optional(priority)};
}

std::size_t words_behind(const member_row& r) {
  return text_words(name_part(r.name).size()) + text_words(address_part(r.address).size()) +
         text_words(address_part(r.client_address).size());
}

void fill(schema::MemberRow::Builder to, const member_row& r) {
  to.setId(r.id.value());
  copy_text(name_part(r.name), [&](unsigned n) { return to.initName(n); });
  copy_text(address_part(r.address), [&](unsigned n) { return to.initAddress(n); });
  copy_text(address_part(r.client_address), [&](unsigned n) { return to.initClientAddress(n); });
  to.setRole(static_cast<std::uint8_t>(r.role));
  to.setPromotes(r.promotes);
  to.setLeader(r.leader);
  to.setConnected(r.connected);
  to.setMatch(r.match.value());
  to.setBehind(r.behind);
  to.setIncarnation(r.incarnation.value());
  to.setWitness(r.witness);
  to.setPriority(r.priority);
}

member_row read(schema::MemberRow::Reader from) {
  return {.id = node_id(from.getId()),
          .name = read_member_name(from.getName()),
          .address = read_address(from.getAddress()),
          .client_address = read_address(from.getClientAddress()),
          .role = enumerator(from.getRole(), member_role::outgoing),
          .promotes = from.getPromotes(),
          .leader = from.getLeader(),
          .connected = from.getConnected(),
          .match = number<log_index>(from.getMatch()),
          .behind = from.getBehind(),
          .incarnation = incarnation(from.getIncarnation()),
          .witness = from.getWitness(),
          .priority = from.getPriority()};
}

} // namespace

std::string read_member_name(capnp::Text::Reader from) {
  require(from.size() <= member_name_max, codec_errc::length, "a member's name is longer than allowed");
  return std::string(text(from));
}

std::size_t words_behind(const member_change& c) {
  std::size_t words = list_words<schema::MemberSpec>(c.members.size());
  for (const member_spec& m : c.members) words += words_behind(m);
  return words;
}

void fill(schema::MemberChange::Builder to, const member_change& c) {
  to.setAction(static_cast<std::uint8_t>(c.action));
  to.setForce(c.force);
  to.setPromote(c.promote);
  auto members = to.initMembers(static_cast<unsigned>(c.members.size()));
  for (unsigned i = 0; i < members.size(); ++i) fill(members[i], c.members[i]);
}

member_change read(schema::MemberChange::Reader from) {
  member_change c{.action = enumerator(from.getAction(), member_action::replace),
                  .members = {},
                  .force = from.getForce(),
                  .promote = from.getPromote()};
  const auto members = from.getMembers(); // once: what a reader visits is bounded
  require(members.size() <= member_rows_max, codec_errc::count, "a change names more members than allowed");
  c.members.reserve(members.size());
  for (const schema::MemberSpec::Reader m : members) c.members.push_back(read(m));
  return c;
}

std::size_t words_behind(const join_request& j) {
  return text_words(j.name.size()) + text_words(j.address.size());
}

void fill(schema::JoinRequest::Builder to, const join_request& j) {
  copy_text(j.name, [&](unsigned n) { return to.initName(n); });
  copy_text(j.address, [&](unsigned n) { return to.initAddress(n); });
}

join_request read(schema::JoinRequest::Reader from) {
  return {.name = read_member_name(from.getName()), .address = read_address(from.getAddress())};
}

std::size_t words_behind(const members_reply& m) {
  const std::size_t rows = std::min(m.rows.size(), member_rows_max);
  std::size_t words = text_words(name_part(m.cluster_name).size()) + list_words<schema::MemberRow>(rows);
  for (std::size_t i = 0; i < rows; ++i) words += words_behind(m.rows[i]);
  return words;
}

void fill(schema::MembersReply::Builder to, const members_reply& m) {
  to.setCluster(m.cluster.value());
  copy_text(name_part(m.cluster_name), [&](unsigned n) { return to.initClusterName(n); });
  to.setIndex(m.index.value());
  to.setChanging(m.changing);
  to.setFromLeader(m.from_leader);
  to.setTerm(m.term.value());
  auto rows = to.initRows(static_cast<unsigned>(std::min(m.rows.size(), member_rows_max)));
  for (unsigned i = 0; i < rows.size(); ++i) fill(rows[i], m.rows[i]);
}

members_reply read(schema::MembersReply::Reader from) {
  members_reply m{.cluster = cluster_id(from.getCluster()),
                  .cluster_name = read_member_name(from.getClusterName()),
                  .index = number<log_index>(from.getIndex()),
                  .changing = from.getChanging(),
                  .from_leader = from.getFromLeader(),
                  .term = number<term>(from.getTerm()),
                  .rows = {}};
  const auto rows = from.getRows();
  require(rows.size() <= member_rows_max, codec_errc::count, "a node names more members than allowed");
  m.rows.reserve(rows.size());
  for (const schema::MemberRow::Reader r : rows) m.rows.push_back(read(r));
  return m;
}

} // namespace quorumd::client::detail
