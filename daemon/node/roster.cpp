#include "daemon/node/roster.hpp"

#include "consensus/raft/quorum.hpp"
#include "consensus/types/hex.hpp"
#include "consensus/types/little_endian.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::node {
namespace {

constexpr std::uint16_t format = 1;
constexpr std::size_t header_bytes = 4;
constexpr std::size_t record_bytes = 8 + 8 + 1 + 1 + 2; // without the texts
constexpr std::uint8_t promotes_flag = 1;
constexpr std::uint8_t anew_flag = 2;
constexpr std::uint8_t witness_flag = 4;

void append_text(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

node_id roster::find(std::string_view name) const {
  const auto found = std::find_if(records.begin(), records.end(), [&](const auto& r) { return r.second.name == name; });
  return found == records.end() ? node_id() : found->first;
}

node_id roster::find_unnamed(std::string_view address) const {
  const auto found = std::find_if(records.begin(), records.end(),
                                  [&](const auto& r) { return r.second.unnamed() && r.second.address == address; });
  return found == records.end() ? node_id() : found->first;
}

std::string roster::name_of(node_id id) const {
  const auto found = records.find(id);
  if (found != records.end() && !found->second.name.empty()) return found->second.name;
  return hex64(id.value());
}

std::vector<node_id> roster::witnesses() const {
  std::vector<node_id> ids;
  for (const auto& [id, r] : records)
    if (r.witness) ids.push_back(id);
  return ids;
}

std::vector<wire::member> roster::listed() const {
  std::vector<wire::member> all;
  for (const auto& [id, r] : records) all.push_back({id, r.name, r.address});
  return all;
}

roster roster_of(const std::vector<wire::member>& configured) {
  roster r;
  for (const wire::member& m : configured) {
    r.members.voters.push_back(m.id);
    member_record& record = r.records[m.id];
    record.name = m.name;
    record.address = m.address;
  }
  std::sort(r.members.voters.begin(), r.members.voters.end());
  return r;
}

introduction introduction_from(const client::members_reply& told) {
  roster r{.index = told.index, .members = {}, .records = {}};
  for (const client::member_row& row : told.rows) {
    r.records[row.id] = {.name = row.name,
                         .address = row.address,
                         .promotes = row.promotes,
                         .begins_anew = false,
                         .void_data = {},
                         .witness = row.witness,
                         .priority = row.priority};
    const bool votes = row.role == client::member_role::voter || row.role == client::member_role::incoming;
    const bool voted = row.role == client::member_role::voter || row.role == client::member_role::outgoing;
    if (votes) r.members.voters.push_back(row.id);
    if (told.changing && voted) r.members.outgoing.push_back(row.id);
    if (row.role == client::member_role::learner) r.members.learners.push_back(row.id);
  }
  for (auto* ids : {&r.members.voters, &r.members.outgoing, &r.members.learners}) std::sort(ids->begin(), ids->end());
  if (r.members.outgoing == r.members.voters) r.members.outgoing.clear();
  return {std::move(r), told.term};
}

std::vector<std::byte> encode_details(const member_records& records) {
  std::vector<std::byte> out;
  append_le(out, format);
  append_le(out, static_cast<std::uint16_t>(records.size()));
  for (const auto& [id, r] : records) {
    append_le(out, static_cast<std::uint16_t>(record_bytes + r.name.size() + r.address.size() + 1));
    append_le(out, id.value());
    append_le(out, r.void_data.value());
    append_le(out, static_cast<std::uint8_t>((r.promotes ? promotes_flag : 0) | (r.begins_anew ? anew_flag : 0) |
                                             (r.witness ? witness_flag : 0)));
    append_le(out, static_cast<std::uint8_t>(r.name.size()));
    append_le(out, static_cast<std::uint16_t>(r.address.size()));
    append_text(out, r.name);
    append_text(out, r.address);
    append_le(out, r.priority);
  }
  return out;
}

std::optional<member_records> decode_details(std::span<const std::byte> details) {
  if (details.size() < header_bytes || load_le<std::uint16_t>(details.data()) != format) return std::nullopt;
  member_records all;
  const auto count = load_le<std::uint16_t>(details.data() + 2);
  std::span<const std::byte> rest = details.subspan(header_bytes);
  for (std::uint16_t i = 0; i < count; ++i) {
    if (rest.size() < 2) return std::nullopt;
    const std::size_t bytes = load_le<std::uint16_t>(rest.data());
    rest = rest.subspan(2);
    if (bytes < record_bytes || rest.size() < bytes) return std::nullopt;
    const std::byte* at = rest.data();
    const std::size_t name = load_le<std::uint8_t>(at + 17);
    const std::size_t address = load_le<std::uint16_t>(at + 18);
    const std::size_t texts_end = record_bytes + name + address;
    if (bytes < texts_end) return std::nullopt;
    all[node_id(load_le<std::uint64_t>(at))] = {
        .name = text_of(rest.subspan(record_bytes, name)),
        .address = text_of(rest.subspan(record_bytes + name, address)),
        .promotes = (load_le<std::uint8_t>(at + 16) & promotes_flag) != 0,
        .begins_anew = (load_le<std::uint8_t>(at + 16) & anew_flag) != 0,
        .void_data = incarnation(load_le<std::uint64_t>(at + 8)),
        .witness = (load_le<std::uint8_t>(at + 16) & witness_flag) != 0,
        .priority = bytes > texts_end ? load_le<std::uint8_t>(at + texts_end) : client::priority_default,
    };
    rest = rest.subspan(bytes);
  }
  if (!rest.empty()) return std::nullopt;
  return all;
}

std::vector<std::byte> encode_roster(const roster& r) {
  std::vector<std::byte> out;
  append_le(out, r.index.value());
  const auto payload = encode_configuration(r.members, encode_details(r.records));
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

std::optional<roster> decode_roster(std::span<const std::byte> bytes) {
  if (bytes.size() < 8) return std::nullopt;
  const auto index = load_le<std::uint64_t>(bytes.data());
  auto read = decode_configuration(bytes.subspan(8));
  if (!read || index > number_max) return std::nullopt;
  auto records = decode_details(read->details);
  if (!records) return std::nullopt;
  return roster{.index = log_index(index), .members = std::move(read->members), .records = std::move(*records)};
}

std::string difference(const std::vector<wire::member>& configured, const roster& r) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const wire::member& m : configured) {
    const auto known = r.records.find(m.id);
    if (known == r.records.end())
      add(m.name + " is no member");
    else if (known->second.address != m.address)
      add(m.name + " is at " + known->second.address + ", not " + m.address);
  }
  for (const auto& [id, record] : r.records)
    if (std::none_of(configured.begin(), configured.end(), [&](const auto& m) { return m.id == id; }))
      add(record.name + " at " + record.address + " is a member too");
  return text;
}

std::optional<roster> follow(const roster& before, const entry& e) {
  auto change = decode_configuration(e.payload());
  if (!change) return std::nullopt;
  auto records = change->details.empty() ? std::optional(before.records) : decode_details(change->details);
  if (!records) return std::nullopt;
  std::erase_if(*records, [&](const auto& r) { return !raft::is_member(change->members, r.first); });
  return roster{.index = e.index(), .members = std::move(change->members), .records = std::move(*records)};
}

} // namespace quorumd::node
