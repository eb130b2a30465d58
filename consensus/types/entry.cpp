#include "consensus/types/entry.hpp"

#include "consensus/types/crc32c.hpp"
#include "consensus/types/invariant.hpp"
#include "consensus/types/little_endian.hpp"

#include <cstring>
#include <utility>

namespace quorumd {
namespace {

constexpr std::size_t header_crc_at = 36;

} // namespace

std::optional<entry_header> read_entry_header(std::span<const std::byte> bytes) {
  if (bytes.size() < entry_header_bytes) return std::nullopt;
  const std::byte* p = bytes.data();
  if (load_le<std::uint32_t>(p + header_crc_at) != crc32c(bytes.first(header_crc_at))) return std::nullopt;
  return entry_header{.version = load_le<std::uint16_t>(p),
                      .kind = static_cast<entry_kind>(load_le<std::uint16_t>(p + 2)),
                      .payload_bytes = load_le<std::uint32_t>(p + 4),
                      .group = group_id(load_le<std::uint64_t>(p + 8)),
                      .term = term(load_le<std::uint64_t>(p + 16)),
                      .index = log_index(load_le<std::uint64_t>(p + 24)),
                      .payload_crc = load_le<std::uint32_t>(p + 32)};
}

entry::parsed entry::parse(chunk_ref chunk, std::span<const std::byte> bytes, group_id group) {
  if (bytes.size() < entry_header_bytes) return {std::nullopt, parse_error::truncated};
  const std::optional<entry_header> header = read_entry_header(bytes);
  if (!header) return {std::nullopt, parse_error::header_checksum};
  if (header->version != entry_version) return {std::nullopt, parse_error::version};
  if (header->payload_bytes > entry_payload_max) return {std::nullopt, parse_error::length};
  if (header->term.value() == 0 || header->term.value() > number_max || header->index.value() == 0 ||
      header->index.value() > number_max)
    return {std::nullopt, parse_error::number};
  if (header->group != group) return {std::nullopt, parse_error::group};
  if (bytes.size() < entry_encoded_bytes(header->payload_bytes)) return {std::nullopt, parse_error::truncated};
  if (crc32c(bytes.subspan(entry_header_bytes, header->payload_bytes)) != header->payload_crc)
    return {std::nullopt, parse_error::payload_checksum};

  entry e;
  e.chunk_ = std::move(chunk);
  e.data_ = bytes.data();
  e.payload_bytes_ = header->payload_bytes;
  e.kind_ = header->kind;
  e.term_ = header->term;
  e.index_ = header->index;
  return {std::move(e), parse_error::truncated};
}

const char* describe(entry::parse_error error) {
  switch (error) {
  case entry::parse_error::truncated:
    return "the entry is cut short";
  case entry::parse_error::version:
    return "the entry has a version that this quorumd does not know";
  case entry::parse_error::length:
    return "the entry is longer than an entry may be";
  case entry::parse_error::header_checksum:
    return "the checksum of the entry's header does not hold";
  case entry::parse_error::payload_checksum:
    return "the checksum of the entry's payload does not hold";
  case entry::parse_error::number:
    return "the entry's term or index is out of range";
  case entry::parse_error::group:
    return "the entry belongs to another group";
  }
  return "unknown";
}

proposal::proposal(chunk_arena& arena, std::size_t payload_bytes, entry_kind kind)
    : payload_bytes_(static_cast<std::uint32_t>(payload_bytes))
    , kind_(kind) {
  QUORUMD_INVARIANT(payload_bytes <= entry_payload_max, "a payload is within its bound");
  chunk_arena::piece piece = arena.allocate(entry_encoded_bytes(payload_bytes));
  chunk_ = std::move(piece.chunk);
  data_ = piece.data;
}

void proposal::finish() {
  const std::size_t used = entry_header_bytes + payload_bytes_;
  std::memset(data_ + used, 0, encoded_bytes() - used);
  payload_crc_ = crc32c(std::as_const(*this).payload());
}

entry proposal::seal(group_id group, quorumd::term term, log_index index) && {
  store_le<std::uint16_t>(data_, entry_version);
  store_le<std::uint16_t>(data_ + 2, static_cast<std::uint16_t>(kind_));
  store_le<std::uint32_t>(data_ + 4, payload_bytes_);
  store_le<std::uint64_t>(data_ + 8, group.value());
  store_le<std::uint64_t>(data_ + 16, term.value());
  store_le<std::uint64_t>(data_ + 24, index.value());
  store_le<std::uint32_t>(data_ + 32, payload_crc_);
  store_le<std::uint32_t>(data_ + header_crc_at, crc32c({data_, header_crc_at}));

  entry e;
  e.chunk_ = std::move(chunk_);
  e.data_ = data_;
  e.payload_bytes_ = payload_bytes_;
  e.kind_ = kind_;
  e.term_ = term;
  e.index_ = index;
  return e;
}

entry entry::make(group_id group, quorumd::term term, log_index index, entry_kind kind,
                  std::span<const std::byte> payload) {
  chunk_arena arena(0); // each piece a chunk of its own
  proposal p(arena, payload.size(), kind);
  if (!payload.empty()) std::memcpy(p.payload().data(), payload.data(), payload.size());
  p.finish();
  return std::move(p).seal(group, term, index);
}

} // namespace quorumd
