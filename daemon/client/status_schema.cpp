#include "daemon/client/status_schema.hpp"

#include "consensus/types/invariant.hpp"
#include "wire/peer_message.hpp"

namespace quorumd::client::detail {

std::size_t words_behind(const status_row& r) {
  return text_words(r.name.size()) + text_words(r.address.size()) + text_words(r.version.size()) +
         text_words(r.error.size()) + text_words(r.corrupt.size()) + list_words<schema::StateMark>(r.marks.size()) +
         (r.settings ? struct_words<kv::schema::Settings> : 0);
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
  copy_text(r.corrupt, [&](unsigned n) { return to.initCorrupt(n); });
  copy_text(r.error, [&](unsigned n) { return to.initError(n); });
  to.setAccepting(r.accepting);
  to.setStoreBytes(r.store_bytes);
  to.setHistoryBytes(r.history_bytes);
  to.setSpeaks(r.speaks);
  to.setWitness(r.witness);
  to.setKeysHash(r.keys_hash);
  to.setCompacted(r.compacted.value());
  if (r.settings) fill(to.initSettings(), *r.settings);
  if (r.marks.empty()) return;
  auto marks = to.initMarks(static_cast<unsigned>(r.marks.size()));
  for (unsigned i = 0; i < marks.size(); ++i) {
    marks[i].setIndex(r.marks[i].index.value());
    marks[i].setHash(r.marks[i].hash);
    marks[i].setRevision(r.marks[i].revision.value());
  }
}

namespace {

std::vector<state_mark> read_marks(capnp::List<schema::StateMark>::Reader from) {
  require(from.size() <= state_marks_max, codec_errc::count, "a status has more marks than a member sends");
  std::vector<state_mark> marks;
  marks.reserve(from.size());
  for (const schema::StateMark::Reader m : from)
    marks.push_back({number<log_index>(m.getIndex()), m.getHash(), number<revision>(m.getRevision())});
  return marks;
}

} // namespace

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
          .store_bytes = from.getStoreBytes(),
          .history_bytes = from.getHistoryBytes(),
          .settings = from.hasSettings() ? std::optional<kv::settings>(read(from.getSettings())) : std::nullopt,
          .marks = read_marks(from.getMarks()),
          .speaks = from.getSpeaks(),
          .witness = from.getWitness(),
          .keys_hash = from.getKeysHash(),
          .compacted = number<revision>(from.getCompacted()),
          .corrupt = std::string(text(from.getCorrupt())),
          .error = std::string(text(from.getError()))};
}

} // namespace quorumd::client::detail

namespace quorumd::client {

using namespace detail;

std::vector<std::byte> encode_status(const status_row& r) {
  const std::size_t words = root_words<schema::StatusRow> + words_behind(r);
  std::vector<std::byte> bytes(words * word_bytes);
  bytes.resize(build_at<schema::StatusRow>(bytes.data(), words, 0, [&](auto to) { fill(to, r); }));
  QUORUMD_INVARIANT(bytes.size() <= wire::status_bytes_max, "a status is within its bound");
  return bytes;
}

decoded<status_row> decode_status(std::span<const std::byte> bytes) {
  return decode_segment<schema::StatusRow>(bytes, nesting_max,
                                           [](schema::StatusRow::Reader from) { return read(from); });
}

} // namespace quorumd::client
