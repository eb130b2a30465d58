#include "wire/handshake.hpp"

#include "consensus/types/hex.hpp"

#include <algorithm>

namespace quorumd::wire {
namespace {

std::string named(const std::string& name, node_id id) {
  return name.empty() ? "node " + hex64(id.value()) : name + " (" + hex64(id.value()) + ")";
}

std::vector<member> sorted(std::vector<member> members) {
  std::sort(members.begin(), members.end(), [](const member& a, const member& b) { return a.id < b.id; });
  return members;
}

const member* find(const std::vector<member>& members, node_id id) {
  const auto at = std::find_if(members.begin(), members.end(), [&](const member& m) { return m.id == id; });
  return at == members.end() ? nullptr : &*at;
}

/// Every difference, in the order of ids; empty if there is none.
std::string difference(const std::vector<member>& here, const std::vector<member>& there) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const member& m : here) {
    const member* other = find(there, m.id);
    if (other == nullptr)
      add("member " + m.name + ": " + m.address + " here, missing there");
    else if (other->name != m.name)
      add("member " + hex64(m.id.value()) + ": named " + m.name + " here, " + other->name + " there");
    else if (other->address != m.address)
      add("member " + m.name + ": " + m.address + " here, " + other->address + " there");
  }
  for (const member& m : there)
    if (find(here, m.id) == nullptr) add("member " + m.name + ": missing here, " + m.address + " there");
  return text;
}

std::string no_member(const local_identity& self, const hello& other) {
  const std::string who = named(other.name, other.id) + " is not a member of cluster " + self.cluster_name;
  if (!self.members_index) return who + " as configured here";
  return who + " (its members were last changed at index " + std::to_string(self.members_index.value()) +
         "): it was removed, or never added. To make it a member, start it with an empty data directory and --join, "
         "and "
         "run 'quorumd member add " +
         other.name + "=HOST:PORT'";
}

std::optional<std::string> check_identities(const local_identity& self, const hello& other, node_id dialed) {
  if (other.id == self.id)
    return "the other end has this node's own id, " + named(self.name, self.id) +
           ": two nodes run with one name, or the address leads back here";
  if (dialed && other.id != dialed) {
    const member* wanted = find(self.members, dialed);
    return "dialed " + named(wanted == nullptr ? std::string() : wanted->name, dialed) + ", but " +
           named(other.name, other.id) + " answered";
  }
  if (other.expected != self.id)
    return named(other.name, other.id) + " expects to talk to node " + hex64(other.expected.value()) +
           ", but this is " + named(self.name, self.id);
  if (find(self.members, other.id) == nullptr && other.members_index <= self.members_index)
    return no_member(self, other);
  if (!other.incarnation || !other.boot) return named(other.name, other.id) + " has no incarnation or boot id";
  return std::nullopt;
}

} // namespace

hello make_hello(const local_identity& self, node_id expected) {
  hello h;
  h.cluster = self.cluster;
  h.cluster_name = self.cluster_name;
  h.id = self.id;
  h.name = self.name;
  h.incarnation = self.incarnation;
  h.boot = self.boot;
  h.expected = expected;
  h.client_address = self.client_address;
  h.software = self.software;
  h.features = self.features;
  h.members = sorted(self.members);
  h.members_index = self.members_index;
  return h;
}

std::optional<std::string> check_hello(const local_identity& self, const hello& other, node_id dialed) {
  if (other.version_min > peer_version_max || other.version_max < peer_version_min ||
      other.version_min > other.version_max)
    return "protocol versions " + std::to_string(peer_version_min) + " to " + std::to_string(peer_version_max) +
           " here, " + std::to_string(other.version_min) + " to " + std::to_string(other.version_max) + " there";
  // The cluster id derives from the members too, so that lists that differ are named before it is compared.
  if (other.cluster_name != self.cluster_name)
    return "cluster " + self.cluster_name + " here, cluster " + other.cluster_name + " there";
  if (auto reason = check_identities(self, other, dialed)) return reason;
  const bool from_files = !self.members_index && !other.members_index;
  if (const std::string text = from_files ? difference(sorted(self.members), sorted(other.members)) : std::string();
      !text.empty())
    return "the member lists differ: " + text +
           ". The members of a cluster that has begun are changed by 'quorumd member', not in the configuration files";
  if (other.cluster != self.cluster)
    return "cluster id " + hex64(self.cluster.value()) + " here, " + hex64(other.cluster.value()) +
           " there, though name and members are the same: one of the two was started in another cluster";
  return std::nullopt;
}

peer_info make_peer_info(const local_identity& self, const hello& other) {
  return {.id = other.id,
          .name = other.name,
          .client_address = other.client_address,
          .software = other.software,
          .incarnation = other.incarnation,
          .boot = other.boot,
          .version = std::min(other.version_max, peer_version_max),
          .features = other.features & self.features,
          .members_index = other.members_index};
}

} // namespace quorumd::wire
