#include "daemon/node/membership.hpp"

#include "consensus/types/little_endian.hpp"

#include <cstdio>

namespace quorumd::node {
namespace {

constexpr std::uint16_t format = 1;
constexpr std::size_t header_bytes = 8;
constexpr std::size_t record_bytes = 16;

template <class T>
void append(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof value);
  store_le<T>(out.data() + out.size() - sizeof value, value);
}

void append_header(std::vector<std::byte>& out, std::size_t count) {
  append(out, format);
  append(out, std::uint16_t{0});
  append(out, static_cast<std::uint32_t>(count));
}

} // namespace

std::optional<incarnation> membership::recorded(node_id member) const {
  const auto found = recorded_.find(member);
  return found == recorded_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::byte> membership::encode(node_id member, incarnation i) {
  membership one;
  one.recorded_.emplace(member, i);
  return one.encode();
}

std::vector<std::byte> membership::encode() const {
  std::vector<std::byte> out;
  append_header(out, recorded_.size());
  for (const auto& [member, i] : recorded_) {
    append(out, member.value());
    append(out, i.value());
  }
  return out;
}

bool membership::apply(std::span<const std::byte> payload) {
  if (payload.size() < header_bytes || load_le<std::uint16_t>(payload.data()) != format) return false;
  const auto count = load_le<std::uint32_t>(payload.data() + 4);
  if (payload.size() != header_bytes + std::size_t{count} * record_bytes) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* at = payload.data() + header_bytes + i * record_bytes;
    recorded_.emplace(node_id(load_le<std::uint64_t>(at)), incarnation(load_le<std::uint64_t>(at + 8)));
  }
  return true;
}

std::string incarnation_refusal(incarnation recorded, incarnation seen) {
  char text[320];
  std::snprintf(
      text, sizeof text,
      "the data directory is not the one that joined the cluster (incarnation %016llx is on record, this one is "
      "%016llx): it was wiped or mixed up, and may have forgotten votes and entries. Put the original "
      "directory back, or replace the member under a new name",
      static_cast<unsigned long long>(recorded.value()), static_cast<unsigned long long>(seen.value()));
  return text;
}

} // namespace quorumd::node
