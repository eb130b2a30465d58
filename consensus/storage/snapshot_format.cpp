#include "consensus/storage/snapshot_format.hpp"

#include "consensus/types/crc32c.hpp"
#include "consensus/types/little_endian.hpp"

#include <charconv>
#include <cstdio>

namespace quorumd::storage {
namespace {

constexpr std::uint64_t snapshot_magic = 0x53646d75726f7571; // "quorumdS"
constexpr std::uint32_t footer_magic = 0x444e4553;           // "SEND"
constexpr std::size_t header_crc_at = 68;

template <class T>
T get(std::span<const std::byte> b, std::size_t at) {
  return load_le<T>(b.data() + at);
}

/// Of the whole header with its own field as zero.
std::uint32_t header_crc(std::span<const std::byte> header) {
  constexpr std::byte none[4] = {};
  std::uint32_t crc = crc32c(header.first(header_crc_at));
  crc = crc32c(none, crc);
  return crc32c(header.subspan(header_crc_at + 4), crc);
}

} // namespace

std::vector<std::byte> encode_snapshot_header(const snapshot_info& info) {
  const configuration& m = info.mark.members;
  std::vector<std::byte> h(snapshot_header_bytes_min + 8 * (m.voters.size() + m.outgoing.size() + m.learners.size()));
  std::byte* p = h.data();
  store_le<std::uint64_t>(p, snapshot_magic);
  store_le<std::uint32_t>(p + 8, snapshot_format_version);
  store_le<std::uint32_t>(p + 12, static_cast<std::uint32_t>(h.size()));
  store_le<std::uint64_t>(p + 16, info.cluster.value());
  store_le<std::uint64_t>(p + 24, info.group.value());
  store_le<std::uint64_t>(p + 32, info.created_unix_ms);
  store_le<std::uint64_t>(p + 40, info.mark.index.value());
  store_le<std::uint64_t>(p + 48, info.mark.term.value());
  store_le<std::uint32_t>(p + 56, static_cast<std::uint32_t>(m.voters.size()));
  store_le<std::uint32_t>(p + 60, static_cast<std::uint32_t>(m.outgoing.size()));
  store_le<std::uint32_t>(p + 64, static_cast<std::uint32_t>(m.learners.size()));
  std::byte* at = p + snapshot_header_bytes_min;
  for (const auto* ids : {&m.voters, &m.outgoing, &m.learners})
    for (const node_id id : *ids) {
      store_le<std::uint64_t>(at, id.value());
      at += 8;
    }
  store_le<std::uint32_t>(p + header_crc_at, header_crc(h));
  return h;
}

std::optional<std::size_t> peek_snapshot_header_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() < 16 || get<std::uint64_t>(bytes, 0) != snapshot_magic) return std::nullopt;
  const auto claimed = get<std::uint32_t>(bytes, 12);
  if (claimed < snapshot_header_bytes_min || claimed > snapshot_header_bytes_max || claimed % 8 != 0)
    return std::nullopt;
  return claimed;
}

parsed_snapshot_header parse_snapshot_header(std::span<const std::byte> h) {
  parsed_snapshot_header r;
  if (peek_snapshot_header_bytes(h) != h.size() || get<std::uint32_t>(h, header_crc_at) != header_crc(h)) return r;
  r.version = get<std::uint32_t>(h, 8);
  r.state = parsed_snapshot_header::state::other_version;
  if (r.version != snapshot_format_version) return r;
  r.state = parsed_snapshot_header::state::damaged;
  r.info.cluster = cluster_id(get<std::uint64_t>(h, 16));
  r.info.group = group_id(get<std::uint64_t>(h, 24));
  r.info.created_unix_ms = get<std::uint64_t>(h, 32);
  r.info.mark.index = log_index(get<std::uint64_t>(h, 40));
  r.info.mark.term = term(get<std::uint64_t>(h, 48));
  configuration& m = r.info.mark.members;
  std::size_t at = snapshot_header_bytes_min;
  const std::size_t count_at[] = {56, 60, 64};
  std::vector<node_id>* const lists[] = {&m.voters, &m.outgoing, &m.learners};
  for (std::size_t l = 0; l < 3; ++l)
    for (std::uint32_t n = get<std::uint32_t>(h, count_at[l]); n > 0; --n, at += 8) {
      if (at + 8 > h.size()) return r;
      lists[l]->push_back(node_id(get<std::uint64_t>(h, at)));
    }
  if (at == h.size()) r.state = parsed_snapshot_header::state::good;
  return r;
}

void encode(const snapshot_block_head& h, std::byte* at) {
  store_le<std::uint32_t>(at, h.bytes);
  store_le<std::uint32_t>(at + 4, h.crc);
}

snapshot_block_head parse_block_head(std::span<const std::byte> bytes) {
  return {get<std::uint32_t>(bytes, 0), get<std::uint32_t>(bytes, 4)};
}

std::uint32_t snapshot_block_crc(std::span<const std::byte> block) {
  std::byte length[4];
  store_le<std::uint32_t>(length, static_cast<std::uint32_t>(block.size()));
  return crc32c(block, crc32c(length));
}

std::vector<std::byte> encode(const snapshot_footer& f) {
  std::vector<std::byte> b(snapshot_footer_bytes);
  std::byte* p = b.data(); // the first four bytes are the length 0 of a block
  store_le<std::uint64_t>(p + 8, f.blocks);
  store_le<std::uint64_t>(p + 16, f.bytes);
  store_le<std::uint32_t>(p + 24, f.crc);
  store_le<std::uint32_t>(p + 28, footer_magic);
  store_le<std::uint32_t>(p + 4, crc32c(std::span(b).subspan(8)));
  return b;
}

std::optional<snapshot_footer> parse_snapshot_footer(std::span<const std::byte> b) {
  if (b.size() != snapshot_footer_bytes || get<std::uint32_t>(b, 0) != 0 || get<std::uint32_t>(b, 28) != footer_magic ||
      get<std::uint32_t>(b, 4) != crc32c(b.subspan(8)))
    return std::nullopt;
  return snapshot_footer{get<std::uint64_t>(b, 8), get<std::uint64_t>(b, 16), get<std::uint32_t>(b, 24)};
}

std::string snapshot_name(group_id group, log_index index, quorumd::term term, std::string_view kind) {
  char text[64];
  std::snprintf(text, sizeof text, "%016llx-%016llx-%016llx", static_cast<unsigned long long>(group.value()),
                static_cast<unsigned long long>(index.value()), static_cast<unsigned long long>(term.value()));
  return text + std::string(kind);
}

std::optional<parsed_snapshot_name> parse_snapshot_name(std::string_view name, std::string_view kind) {
  if (name.size() != 50 + kind.size()) return std::nullopt;
  std::uint64_t values[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    const char* from = name.data() + 17 * i;
    const auto [end, e] = std::from_chars(from, from + 16, values[i], 16);
    if (e != std::errc() || end != from + 16) return std::nullopt;
  }
  const parsed_snapshot_name parsed{group_id(values[0]), log_index(values[1]), term(values[2])};
  if (snapshot_name(parsed.group, parsed.index, parsed.term, kind) != name) return std::nullopt;
  return parsed;
}

} // namespace quorumd::storage
