#include "wire/status_schema.hpp"

namespace quorumd::wire::detail {

std::size_t words_behind(const status_row& r) {
  return text_words(r.name.size()) + text_words(r.address.size()) + text_words(r.version.size()) +
         text_words(r.error.size());
}

void fill(schema::StatusRow::Builder to, const status_row& r) {
  to.setId(r.id.value());
  copy_text(r.name, [&](unsigned n) { return to.initName(n); });
  copy_text(r.address, [&](unsigned n) { return to.initAddress(n); });
  copy_text(r.version, [&](unsigned n) { return to.initVersion(n); });
  to.setGroup(r.group.value());
  to.setRole(static_cast<std::uint8_t>(r.role));
  to.setLeader(r.leader.value());
  to.setTerm(r.term.value());
  to.setCommit(r.commit.value());
  to.setApplied(r.applied.value());
  to.setRevision(r.revision.value());
  to.setKeys(r.keys);
  to.setDiskBytes(r.disk_bytes);
  to.setLag(r.lag);
  copy_text(r.error, [&](unsigned n) { return to.initError(n); });
  to.setAccepting(r.accepting);
}

status_row read(schema::StatusRow::Reader from) {
  return {.id = node_id(from.getId()),
          .name = std::string(text(from.getName())),
          .address = std::string(text(from.getAddress())),
          .version = std::string(text(from.getVersion())),
          .group = group_id(from.getGroup()),
          .role = enumerator(from.getRole(), raft::role::leader),
          .leader = node_id(from.getLeader()),
          .term = number<term>(from.getTerm()),
          .commit = number<log_index>(from.getCommit()),
          .applied = number<log_index>(from.getApplied()),
          .revision = number<revision>(from.getRevision()),
          .keys = from.getKeys(),
          .disk_bytes = from.getDiskBytes(),
          .lag = from.getLag(),
          .accepting = from.getAccepting(),
          .error = std::string(text(from.getError()))};
}

} // namespace quorumd::wire::detail
