#include "consensus/types/configuration.hpp"

#include "consensus/types/little_endian.hpp"

#include <algorithm>
#include <functional>

namespace quorumd {
namespace {

constexpr std::uint16_t format = 1;
constexpr std::size_t header_bytes = 8;

} // namespace

std::optional<std::string> validate(const configuration& c) {
  if (c.voters.empty()) return "the configuration has no voters";
  for (const auto* set : {&c.voters, &c.outgoing, &c.learners}) {
    if (set->size() > voters_max) return "the configuration has more than " + std::to_string(voters_max) + " members";
    if (std::adjacent_find(set->begin(), set->end(), std::greater_equal<>()) != set->end())
      return "the members of the configuration are not sorted, or one is there twice";
    if (!set->empty() && !set->front()) return "the configuration names node 0";
  }
  for (const node_id id : c.learners)
    if (std::binary_search(c.voters.begin(), c.voters.end(), id))
      return "a member of the configuration is a voter and a learner";
  return std::nullopt;
}

std::vector<std::byte> encode_configuration(const configuration& c, std::span<const std::byte> details) {
  const std::size_t ids = c.voters.size() + c.outgoing.size() + c.learners.size();
  std::vector<std::byte> out(header_bytes + 8 * ids + details.size());
  std::byte* at = out.data();
  store_le(at, format);
  store_le(at + 2, static_cast<std::uint16_t>(c.voters.size()));
  store_le(at + 4, static_cast<std::uint16_t>(c.outgoing.size()));
  store_le(at + 6, static_cast<std::uint16_t>(c.learners.size()));
  at += header_bytes;
  for (const auto* set : {&c.voters, &c.outgoing, &c.learners})
    for (const node_id id : *set) {
      store_le(at, id.value());
      at += 8;
    }
  std::copy(details.begin(), details.end(), at);
  return out;
}

std::optional<configuration_view> decode_configuration(std::span<const std::byte> payload) {
  if (payload.size() < header_bytes || load_le<std::uint16_t>(payload.data()) != format) return std::nullopt;
  configuration_view v;
  const std::byte* counts = payload.data() + 2;
  std::span<const std::byte> rest = payload.subspan(header_bytes);
  for (auto* set : {&v.members.voters, &v.members.outgoing, &v.members.learners}) {
    const std::size_t count = load_le<std::uint16_t>(counts);
    counts += 2;
    if (count > voters_max || rest.size() < 8 * count) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) set->push_back(node_id(load_le<std::uint64_t>(rest.data() + 8 * i)));
    rest = rest.subspan(8 * count);
  }
  if (validate(v.members)) return std::nullopt;
  v.details = rest;
  return v;
}

} // namespace quorumd
