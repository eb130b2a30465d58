#include "wire/members_schema.hpp"

namespace quorumd::wire::detail {

std::size_t words_behind(const member_change& c) {
  std::size_t words = list_words<schema::MemberSpec>(c.members.size());
  for (const member_spec& m : c.members)
    words += text_words(m.name.size()) + text_words(m.address.size()) + text_words(m.new_name.size());
  return words;
}

void fill(schema::MemberChange::Builder to, const member_change& c) {
  to.setAction(static_cast<std::uint8_t>(c.action));
  to.setForce(c.force);
  to.setPromote(c.promote);
  auto members = to.initMembers(static_cast<unsigned>(c.members.size()));
  for (unsigned i = 0; i < members.size(); ++i) {
    auto at = members[i];
    copy_text(c.members[i].name, [&](unsigned n) { return at.initName(n); });
    copy_text(c.members[i].address, [&](unsigned n) { return at.initAddress(n); });
    copy_text(c.members[i].new_name, [&](unsigned n) { return at.initNewName(n); });
  }
}

member_change read(schema::MemberChange::Reader from) {
  member_change c;
  c.action = enumerator(from.getAction(), member_action::replace);
  c.force = from.getForce();
  c.promote = from.getPromote();
  const auto members = from.getMembers();
  require(members.size() <= member_rows_max, codec_errc::count, "a change names too many members");
  for (const schema::MemberSpec::Reader m : members)
    c.members.push_back({.name = std::string(text(m.getName())),
                         .address = std::string(text(m.getAddress())),
                         .new_name = std::string(text(m.getNewName()))});
  return c;
}

std::size_t words_behind(const join_request& r) {
  return text_words(r.name.size()) + text_words(r.address.size());
}

void fill(schema::JoinRequest::Builder to, const join_request& r) {
  copy_text(r.name, [&](unsigned n) { return to.initName(n); });
  copy_text(r.address, [&](unsigned n) { return to.initAddress(n); });
  to.setIncarnation(r.incarnation.value());
}

join_request read(schema::JoinRequest::Reader from) {
  return {.name = std::string(text(from.getName())),
          .address = std::string(text(from.getAddress())),
          .incarnation = incarnation(from.getIncarnation())};
}

std::size_t words_behind(const members_reply& r) {
  std::size_t words = text_words(r.cluster_name.size()) + list_words<schema::MemberRow>(r.rows.size());
  for (const member_row& m : r.rows)
    words += text_words(m.name.size()) + text_words(m.address.size()) + text_words(m.client_address.size());
  return words;
}

void fill(schema::MembersReply::Builder to, const members_reply& r) {
  to.setCluster(r.cluster.value());
  copy_text(r.cluster_name, [&](unsigned n) { return to.initClusterName(n); });
  to.setIndex(r.index.value());
  to.setChanging(r.changing);
  to.setFromLeader(r.from_leader);
  auto rows = to.initRows(static_cast<unsigned>(r.rows.size()));
  for (unsigned i = 0; i < rows.size(); ++i) {
    auto at = rows[i];
    const member_row& m = r.rows[i];
    at.setId(m.id.value());
    copy_text(m.name, [&](unsigned n) { return at.initName(n); });
    copy_text(m.address, [&](unsigned n) { return at.initAddress(n); });
    copy_text(m.client_address, [&](unsigned n) { return at.initClientAddress(n); });
    at.setRole(static_cast<std::uint8_t>(m.role));
    at.setPromotes(m.promotes);
    at.setLeader(m.leader);
    at.setConnected(m.connected);
    at.setMatch(m.match.value());
    at.setBehind(m.behind);
    at.setIncarnation(m.incarnation.value());
  }
}

members_reply read(schema::MembersReply::Reader from) {
  members_reply r{.cluster = cluster_id(from.getCluster()),
                  .cluster_name = std::string(text(from.getClusterName())),
                  .index = number<log_index>(from.getIndex()),
                  .changing = from.getChanging(),
                  .from_leader = from.getFromLeader(),
                  .rows = {}};
  const auto rows = from.getRows();
  require(rows.size() <= member_rows_max, codec_errc::count, "more members than a cluster has");
  r.rows.reserve(rows.size());
  for (const schema::MemberRow::Reader m : rows)
    r.rows.push_back({.id = node_id(m.getId()),
                      .name = std::string(text(m.getName())),
                      .address = std::string(text(m.getAddress())),
                      .client_address = std::string(text(m.getClientAddress())),
                      .role = enumerator(m.getRole(), member_role::outgoing),
                      .promotes = m.getPromotes(),
                      .leader = m.getLeader(),
                      .connected = m.getConnected(),
                      .match = number<log_index>(m.getMatch()),
                      .behind = m.getBehind(),
                      .incarnation = incarnation(m.getIncarnation())});
  return r;
}

} // namespace quorumd::wire::detail
