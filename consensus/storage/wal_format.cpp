#include "consensus/storage/wal_format.hpp"

#include "consensus/types/crc32c.hpp"
#include "consensus/types/hex.hpp"
#include "consensus/types/invariant.hpp"
#include "consensus/types/little_endian.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace quorumd::storage {
namespace {

constexpr std::uint64_t segment_magic = 0x57646d75726f7571; // "quorumdW"
constexpr std::uint32_t batch_magic = 0x54414251;           // "QBAT"
constexpr std::size_t record_header_bytes = 16;
constexpr std::size_t entries_head_bytes = 16;
constexpr std::size_t mark_head_bytes = 32;
constexpr std::uint32_t members_max = 1024;

std::uint64_t get64(std::span<const std::byte> b, std::size_t at) {
  return load_le<std::uint64_t>(b.data() + at);
}

std::size_t mark_bytes(const snapshot_mark& m) {
  return mark_head_bytes + 8 * (m.members.voters.size() + m.members.outgoing.size() + m.members.learners.size());
}

std::byte* put_mark(std::byte* at, const snapshot_mark& m) {
  store_le<std::uint64_t>(at, m.index.value());
  store_le<std::uint64_t>(at + 8, m.term.value());
  store_le<std::uint32_t>(at + 16, static_cast<std::uint32_t>(m.members.voters.size()));
  store_le<std::uint32_t>(at + 20, static_cast<std::uint32_t>(m.members.outgoing.size()));
  store_le<std::uint32_t>(at + 24, static_cast<std::uint32_t>(m.members.learners.size()));
  store_le<std::uint32_t>(at + 28, 0);
  at += mark_head_bytes;
  for (const auto* ids : {&m.members.voters, &m.members.outgoing, &m.members.learners})
    for (const node_id id : *ids) {
      store_le<std::uint64_t>(at, id.value());
      at += 8;
    }
  return at;
}

/// Reads a mark off the front of the bytes; false if they are too few or claim too much.
bool take_mark(std::span<const std::byte>& b, snapshot_mark& m) {
  if (b.size() < mark_head_bytes) return false;
  m.index = log_index(get64(b, 0));
  m.term = term(get64(b, 8));
  const std::uint32_t counts[] = {load_le<std::uint32_t>(b.data() + 16), load_le<std::uint32_t>(b.data() + 20),
                                  load_le<std::uint32_t>(b.data() + 24)};
  b = b.subspan(mark_head_bytes);
  std::vector<node_id>* const lists[] = {&m.members.voters, &m.members.outgoing, &m.members.learners};
  for (std::size_t l = 0; l < 3; ++l) {
    if (counts[l] > members_max || b.size() < std::size_t{8} * counts[l]) return false;
    for (std::uint32_t i = 0; i < counts[l]; ++i) lists[l]->push_back(node_id(get64(b, std::size_t{8} * i)));
    b = b.subspan(std::size_t{8} * counts[l]);
  }
  return m.index.value() <= number_max && m.term.value() <= number_max;
}

std::optional<record_body> parse_body(std::uint16_t kind, std::span<const std::byte> b) {
  switch (static_cast<record_kind>(kind)) {
  case record_kind::opening: {
    opening_record r;
    if (b.size() < 24) return std::nullopt;
    r.hard = {term(get64(b, 0)), node_id(get64(b, 8))};
    r.commit = log_index(get64(b, 16));
    b = b.subspan(24);
    if (!take_mark(b, r.start) || !take_mark(b, r.snapshot) || !b.empty()) return std::nullopt;
    return r;
  }
  case record_kind::hard_state:
    if (b.size() != 16) return std::nullopt;
    return hard_record{{term(get64(b, 0)), node_id(get64(b, 8))}};
  case record_kind::install: {
    install_record r;
    if (!take_mark(b, r.mark) || !b.empty()) return std::nullopt;
    return r;
  }
  case record_kind::entries:
  case record_kind::moved: {
    if (b.size() < entries_head_bytes) return std::nullopt;
    const entries_record r{log_index(get64(b, 0)), load_le<std::uint32_t>(b.data() + 8), b.subspan(entries_head_bytes)};
    if (static_cast<record_kind>(kind) == record_kind::moved) return moved_record{r};
    return r;
  }
  case record_kind::commit:
    if (b.size() != 8) return std::nullopt;
    return commit_record{log_index(get64(b, 0))};
  case record_kind::prefix: {
    prefix_record r;
    if (b.size() < 16) return std::nullopt;
    r.start = log_index(get64(b, 0));
    r.start_term = term(get64(b, 8));
    b = b.subspan(16);
    if (!take_mark(b, r.mark) || !b.empty()) return std::nullopt;
    return r;
  }
  }
  return std::nullopt;
}

} // namespace

std::string sequence_digits(std::uint64_t sequence) {
  return hex64(sequence);
}

std::optional<std::uint64_t> parse_sequence(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, e] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (e != std::errc() || sequence_digits(value) != digits) return std::nullopt;
  return value;
}

std::string segment_name(std::uint64_t sequence) {
  return sequence_digits(sequence) + ".log";
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (!name.ends_with(".log")) return std::nullopt;
  return parse_sequence(name.substr(0, name.size() - 4));
}

void encode(const segment_header& h, std::span<std::byte, block_bytes> into, std::uint32_t version) {
  std::fill(into.begin(), into.end(), std::byte{0});
  std::byte* p = into.data();
  store_le(p, segment_magic);
  store_le(p + 8, version);
  store_le(p + 16, h.id);
  store_le(p + 24, h.sequence);
  store_le(p + 32, h.oldest);
  store_le(p + 40, h.first_number);
  store_le(p + 48, h.previous_id);
  store_le(p + 56, h.previous_end);
  store_le(p + 12, crc32c(into.subspan(16), crc32c(into.first(12))));
}

parsed_segment_header parse_segment_header(std::span<const std::byte> block) {
  parsed_segment_header r;
  if (block.size() < block_bytes || get64(block, 0) != segment_magic) return r;
  block = block.first(block_bytes);
  if (load_le<std::uint32_t>(block.data() + 12) != crc32c(block.subspan(16), crc32c(block.first(12)))) return r;
  r.version = load_le<std::uint32_t>(block.data() + 8);
  if (r.version != wal_format_version) {
    r.state = header_state::other_version;
    return r;
  }
  r.header = {get64(block, 16), get64(block, 24), get64(block, 32),
              get64(block, 40), get64(block, 48), get64(block, 56)};
  r.state = header_state::good;
  return r;
}

std::optional<batch_header> peek_batch_header(std::span<const std::byte> bytes) {
  if (bytes.size() < batch_header_bytes || load_le<std::uint32_t>(bytes.data()) != batch_magic) return std::nullopt;
  return batch_header{.segment_id = get64(bytes, 8),
                      .number = get64(bytes, 16),
                      .durable = get64(bytes, 24),
                      .length = load_le<std::uint32_t>(bytes.data() + 32),
                      .records = load_le<std::uint32_t>(bytes.data() + 36)};
}

bool batch_checksum_holds(std::span<const std::byte> padded) {
  return load_le<std::uint32_t>(padded.data() + 4) == crc32c(padded.subspan(8));
}

std::optional<record> record_reader::next() {
  if (rest_.empty() || !problem_.empty()) return std::nullopt;
  if (rest_.size() < record_header_bytes) {
    problem_ = "a record is cut short";
    return std::nullopt;
  }
  const auto kind = load_le<std::uint16_t>(rest_.data());
  const auto bytes = load_le<std::uint32_t>(rest_.data() + 4);
  if (bytes % 8 != 0 || rest_.size() - record_header_bytes < bytes) {
    problem_ = "a record claims more bytes than its batch has";
    return std::nullopt;
  }
  const std::span<const std::byte> all = rest_.first(record_header_bytes + bytes);
  std::optional<record_body> body = parse_body(kind, all.subspan(record_header_bytes));
  if (!body) {
    problem_ = "a record of kind " + std::to_string(kind) + " is not understood";
    return std::nullopt;
  }
  record r{group_id(get64(all, 8)), std::move(*body), all};
  rest_ = rest_.subspan(all.size());
  return r;
}

void batch_builder::begin() {
  if (buffer_.size() < records_at) buffer_.resize(records_at);
  used_ = records_at;
  records_ = 0;
}

std::byte* batch_builder::grow(std::size_t bytes) {
  if (buffer_.size() < used_ + bytes) buffer_.resize(std::max(padded_to_block(used_ + bytes), buffer_.size() * 2));
  std::byte* at = buffer_.data() + used_;
  used_ += bytes;
  return at;
}

std::byte* batch_builder::add(record_kind kind, group_id g, std::size_t body_bytes) {
  QUORUMD_INVARIANT(body_bytes % 8 == 0 && body_bytes < UINT32_MAX, "a record's body is padded and within its bound");
  std::byte* at = grow(record_header_bytes + body_bytes);
  store_le<std::uint16_t>(at, static_cast<std::uint16_t>(kind));
  store_le<std::uint16_t>(at + 2, 0);
  store_le<std::uint32_t>(at + 4, static_cast<std::uint32_t>(body_bytes));
  store_le<std::uint64_t>(at + 8, g.value());
  ++records_;
  return at + record_header_bytes;
}

void batch_builder::add_opening(group_id g, const opening_record& r) {
  std::byte* at = add(record_kind::opening, g, 24 + mark_bytes(r.start) + mark_bytes(r.snapshot));
  store_le(at, r.hard.term.value());
  store_le(at + 8, r.hard.vote.value());
  store_le(at + 16, r.commit.value());
  put_mark(put_mark(at + 24, r.start), r.snapshot);
}

void batch_builder::add_hard_state(group_id g, const hard_state& h) {
  std::byte* at = add(record_kind::hard_state, g, 16);
  store_le(at, h.term.value());
  store_le(at + 8, h.vote.value());
}

void batch_builder::add_install(group_id g, const snapshot_mark& m) {
  put_mark(add(record_kind::install, g, mark_bytes(m)), m);
}

std::byte* batch_builder::add_entries_head(record_kind kind, group_id g, log_index first, std::uint32_t count,
                                           std::size_t bytes) {
  std::byte* at = add(kind, g, entries_head_bytes + bytes);
  store_le(at, first.value());
  store_le(at + 8, count);
  store_le<std::uint32_t>(at + 12, 0);
  return at + entries_head_bytes;
}

void batch_builder::add_moved(group_id g, log_index first, std::uint32_t count, std::span<const std::byte> entries) {
  std::memcpy(add_entries_head(record_kind::moved, g, first, count, entries.size()), entries.data(), entries.size());
}

void batch_builder::add_entries(group_id g, std::span<const entry> entries) {
  std::byte* at = add_entries_head(record_kind::entries, g, entries.front().index(),
                                   static_cast<std::uint32_t>(entries.size()), entries_bytes(entries));
  for (const entry& e : entries) {
    const std::span<const std::byte> bytes = e.encoded();
    std::memcpy(at, bytes.data(), bytes.size());
    at += bytes.size();
  }
}

void batch_builder::add_commit(group_id g, log_index i) {
  store_le(add(record_kind::commit, g, 8), i.value());
}

void batch_builder::add_prefix(group_id g, const prefix_record& r) {
  std::byte* at = add(record_kind::prefix, g, 16 + mark_bytes(r.mark));
  store_le(at, r.start.value());
  store_le(at + 8, r.start_term.value());
  put_mark(at + 16, r.mark);
}

void batch_builder::add_encoded(std::span<const std::byte> encoded) {
  std::memcpy(grow(encoded.size()), encoded.data(), encoded.size());
  ++records_;
}

std::span<const std::byte> batch_builder::finish(const batch_header& numbers, const segment_header* opening) {
  const std::size_t records = records_bytes();
  const std::size_t padded = batch_bytes(records);
  if (buffer_.size() < batch_at + padded) buffer_.resize(batch_at + padded);
  std::byte* at = buffer_.data() + batch_at;
  std::memset(buffer_.data() + used_, 0, batch_at + padded - used_);
  store_le(at, batch_magic);
  store_le(at + 8, numbers.segment_id);
  store_le(at + 16, numbers.number);
  store_le(at + 24, numbers.durable);
  store_le(at + 32, static_cast<std::uint32_t>(records));
  store_le(at + 36, records_);
  store_le(at + 4, crc32c({at + 8, padded - 8}));
  if (opening == nullptr) return {at, padded};
  encode(*opening, std::span<std::byte, block_bytes>(buffer_.data(), block_bytes));
  return {buffer_.data(), batch_at + padded};
}

std::size_t entries_bytes(std::span<const entry> entries) {
  std::size_t bytes = 0;
  for (const entry& e : entries) bytes += e.encoded().size();
  return bytes;
}

} // namespace quorumd::storage
