#include "daemon/kv/codec/snapshot_codec.hpp"

#include "consensus/types/little_endian.hpp"
#include "daemon/kv/codec/schema.hpp"
#include "daemon/kv/codec/schema/snapshot.capnp.h"
#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include <algorithm>
#include <string>

namespace quorumd::kv {

using namespace codec;
using namespace wire;
using namespace wire::detail;

namespace {

void write_head(std::byte* at, snapshot_section kind, std::size_t body_bytes,
                std::uint16_t version = snapshot_section_version) {
  store_le(at, static_cast<std::uint16_t>(kind));
  store_le(at + 2, version);
  store_le(at + 4, static_cast<std::uint32_t>(body_bytes));
}

template <class Root, class Fill>
void append_message(byte_buffer& out, snapshot_section kind, std::size_t words_max, Fill fill,
                    std::uint16_t version = snapshot_section_version) {
  std::byte* at = out.prepare(snapshot_section_head_bytes + words_max * word_bytes);
  const std::size_t used = build_at<Root>(at + snapshot_section_head_bytes, words_max, 0, fill);
  write_head(at, kind, used, version);
  out.commit(snapshot_section_head_bytes + used);
}

void fill_record(schema::SnapshotRecord::Builder to, const record_view& r) {
  to.setKey(data(r.key));
  if (!r.value.empty()) to.setValue(data(r.value));
  to.setCreateRevision(r.create_revision.value());
  to.setModRevision(r.mod_revision.value());
  to.setSub(r.sub);
  to.setVersion(r.version);
  to.setLease(r.lease.value());
}

record_view read_record(schema::SnapshotRecord::Reader from) {
  return {.key = view(from.getKey()),
          .value = view(from.getValue()),
          .create_revision = number<revision>(from.getCreateRevision()),
          .mod_revision = number<revision>(from.getModRevision()),
          .sub = from.getSub(),
          .version = from.getVersion(),
          .lease = lease_id(from.getLease())};
}

// --- a session ---

enum : std::uint8_t { kept_plain_put = 0, kept_nothing = 1, kept_outcome = 2 };

bool has_outcome(const kept_answer& k) {
  return std::holds_alternative<error>(k.what) || std::holds_alternative<std::shared_ptr<const owned_reply>>(k.what);
}

std::size_t outcome_words(const kept_answer& k) {
  return has_outcome(k) ? struct_words<schema::Outcome> + words_behind(k.answer()) : 0;
}

void fill_answer(schema::SnapshotAnswer::Builder to, const kept_answer& k) {
  to.setSequence(k.sequence);
  to.setAfter(k.after.value());
  if (std::holds_alternative<kept_answer::not_kept>(k.what)) to.setKept(kept_nothing);
  if (!has_outcome(k)) return;
  to.setKept(kept_outcome);
  fill(to.initOutcome(), k.answer());
}

kept_answer read_answer(schema::SnapshotAnswer::Reader from) {
  kept_answer k{
      .sequence = from.getSequence(), .after = number<revision>(from.getAfter()), .what = kept_answer::plain_put{}};
  if (from.getKept() == kept_plain_put) return k;
  if (from.getKept() == kept_nothing) {
    k.what = kept_answer::not_kept{};
    return k;
  }
  require(from.getKept() == kept_outcome, codec_errc::unknown_kind, "a session's answer is of an unknown kind");
  const result<reply> r = read(from.getOutcome());
  if (r)
    k.what = std::make_shared<const owned_reply>(*r);
  else
    k.what = r.error();
  return k;
}

} // namespace

void encode_snapshot_section(byte_buffer& out, snapshot_section kind, std::span<const std::byte> body) {
  const std::size_t padded = data_words(body.size()) * word_bytes;
  std::byte* at = out.prepare(snapshot_section_head_bytes + padded);
  write_head(at, kind, body.size());
  std::copy(body.begin(), body.end(), at + snapshot_section_head_bytes);
  std::fill_n(at + snapshot_section_head_bytes + body.size(), padded - body.size(), std::byte{0});
  out.commit(snapshot_section_head_bytes + padded);
}

decoded<snapshot_section_view> take_snapshot_section(std::span<const std::byte>& rest) {
  return decoding([&] {
    require(rest.size() >= snapshot_section_head_bytes, codec_errc::malformed, "a section's head is cut short");
    const auto kind = load_le<std::uint16_t>(rest.data());
    const auto version = load_le<std::uint16_t>(rest.data() + 2);
    const std::size_t bytes = load_le<std::uint32_t>(rest.data() + 4);
    const bool settings = kind == static_cast<std::uint16_t>(snapshot_section::settings);
    if (kind < static_cast<std::uint16_t>(snapshot_section::state) ||
        kind > static_cast<std::uint16_t>(snapshot_section::leases) || version < snapshot_section_version ||
        version > (settings ? snapshot_settings_version : snapshot_section_version))
      refuse(codec_errc::unknown_kind, "a section of kind " + std::to_string(kind) + ", version " +
                                           std::to_string(version) + ", which this quorumd does not know");
    rest = rest.subspan(snapshot_section_head_bytes);
    const std::size_t padded = data_words(bytes) * word_bytes;
    require(padded <= rest.size(), codec_errc::malformed, "a section is cut short");
    const snapshot_section_view view{static_cast<snapshot_section>(kind), rest.first(bytes)};
    rest = rest.subspan(padded);
    return view;
  });
}

void encode_snapshot_header(byte_buffer& out, const snapshot_header& header) {
  append_message<schema::SnapshotHeader>(out, snapshot_section::state, root_words<schema::SnapshotHeader>,
                                         [&](schema::SnapshotHeader::Builder to) {
                                           to.setApplied(header.applied.value());
                                           to.setCurrent(header.current.value());
                                           to.setCompacted(header.compacted.value());
                                           to.setContentHash(header.content_hash);
                                           to.setLevel(header.level);
                                           to.setTimeMs(header.time_ms);
                                         });
  if (!header.settings) return;
  append_message<schema::Settings>(
      out, snapshot_section::settings, root_words<schema::Settings>,
      [&](schema::Settings::Builder to) { fill(to, *header.settings); },
      header.settings->keep_for_ms != 0 ? snapshot_settings_version : snapshot_section_version);
}

decoded<settings> decode_snapshot_settings(std::span<const std::byte> body) {
  return decode_segment<schema::Settings>(body, nesting_max, [](schema::Settings::Reader from) { return read(from); });
}

decoded<snapshot_header> decode_snapshot_header(std::span<const std::byte> body) {
  return decode_segment<schema::SnapshotHeader>(body, nesting_max, [](schema::SnapshotHeader::Reader from) {
    return snapshot_header{.applied = number<log_index>(from.getApplied()),
                           .current = number<revision>(from.getCurrent()),
                           .compacted = number<revision>(from.getCompacted()),
                           .settings = {},
                           .level = from.getLevel(),
                           .time_ms = from.getTimeMs(),
                           .content_hash = from.getContentHash()};
  });
}

void encode_snapshot_session(byte_buffer& out, const session_record& s) {
  std::size_t words = root_words<schema::SnapshotSession> + list_words<schema::SnapshotAnswer>(s.kept.size());
  for (const kept_answer& k : s.kept) words += outcome_words(k);
  append_message<schema::SnapshotSession>(out, snapshot_section::session, words,
                                          [&](schema::SnapshotSession::Builder to) {
                                            to.setId(s.id.value());
                                            to.setIdleMsMax(s.idle_ms_max);
                                            to.setUsedMs(s.used_ms);
                                            to.setAnswered(s.answered);
                                            auto list = to.initAnswers(static_cast<unsigned>(s.kept.size()));
                                            for (unsigned i = 0; i < list.size(); ++i) fill_answer(list[i], s.kept[i]);
                                          });
}

decoded<session_record> decode_snapshot_session(std::span<const std::byte> body) {
  return decode_segment<schema::SnapshotSession>(body, command_nesting_max, [](schema::SnapshotSession::Reader from) {
    session_record s{.id = session_id(from.getId()),
                     .idle_ms_max = from.getIdleMsMax(),
                     .used_ms = from.getUsedMs(),
                     .answered = from.getAnswered(),
                     .kept = {}};
    const auto list = from.getAnswers();
    require(list.size() <= session_window, codec_errc::count, "a session has more answers than it may");
    for (const schema::SnapshotAnswer::Reader a : list) s.kept.push_back(read_answer(a));
    return s;
  });
}

void encode_snapshot_leases(byte_buffer& out, std::span<const lease_record> leases) {
  const std::size_t words = root_words<schema::SnapshotLeases> + list_words<schema::SnapshotLease>(leases.size());
  append_message<schema::SnapshotLeases>(out, snapshot_section::leases, words, [&](schema::SnapshotLeases::Builder to) {
    auto list = to.initLeases(static_cast<unsigned>(leases.size()));
    for (unsigned i = 0; i < list.size(); ++i) {
      list[i].setId(leases[i].id.value());
      list[i].setTtlS(leases[i].ttl_s);
      list[i].setGranted(leases[i].granted.value());
      list[i].setRemainingMs(leases[i].remaining_ms.value_or(all_remains));
    }
  });
}

decoded<std::vector<lease_record>> decode_snapshot_leases(std::span<const std::byte> body) {
  return decode_segment<schema::SnapshotLeases>(body, nesting_max, [&](schema::SnapshotLeases::Reader from) {
    const auto list = from.getLeases();
    require(list.size() <= body.size() / word_bytes, codec_errc::count, "a block has more leases than fit it");
    std::vector<lease_record> leases;
    leases.reserve(list.size());
    for (const schema::SnapshotLease::Reader l : list)
      leases.push_back({.id = lease_id(l.getId()),
                        .ttl_s = l.getTtlS(),
                        .granted = number<log_index>(l.getGranted()),
                        .remaining_ms = lease_remaining(l.getRemainingMs())});
    return leases;
  });
}

void encode_snapshot_records(byte_buffer& out, std::span<const record_view> records) {
  std::size_t words = root_words<schema::SnapshotRecords> + list_words<schema::SnapshotRecord>(records.size());
  for (const record_view& r : records) words += data_words(r.key.size()) + data_words(r.value.size());
  append_message<schema::SnapshotRecords>(out, snapshot_section::records, words,
                                          [&](schema::SnapshotRecords::Builder to) {
                                            auto list = to.initRecords(static_cast<unsigned>(records.size()));
                                            for (unsigned i = 0; i < list.size(); ++i) fill_record(list[i], records[i]);
                                          });
}

decoded<void> decode_snapshot_records(std::span<const std::byte> body, std::vector<record_view>& out) {
  out.clear();
  return decode_segment<schema::SnapshotRecords>(body, nesting_max, [&](schema::SnapshotRecords::Reader from) {
    const auto list = from.getRecords();
    require(list.size() <= body.size() / word_bytes, codec_errc::count, "a block has more records than fit it");
    out.reserve(list.size());
    for (const schema::SnapshotRecord::Reader r : list) out.push_back(read_record(r));
  });
}

} // namespace quorumd::kv
