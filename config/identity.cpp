#include "config/identity.hpp"

#include <algorithm>
#include <vector>

namespace quorumd::config {

namespace {

/// FNV-1a over length-prefixed texts, so that ("ab", "c") and ("a", "bc") differ.
class hasher {
 public:
  void add(std::string_view text) {
    const std::uint64_t size = text.size();
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<unsigned char>(size >> shift));
    for (const char c : text) byte(static_cast<unsigned char>(c));
  }

  /// splitmix64's finalizer: FNV-1a alone leaves the high bits of short texts alike.
  [[nodiscard]] std::uint64_t number() const {
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return z == 0 ? 1 : z;
  }

 private:
  void byte(unsigned char b) { state_ = (state_ ^ b) * 0x100000001b3ull; }

  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

} // namespace

node_id node_id_of(std::string_view cluster, std::string_view member_name) {
  hasher h;
  h.add("node");
  h.add(cluster);
  h.add(member_name);
  return node_id(h.number());
}

cluster_id cluster_id_of(std::string_view cluster, std::span<const std::string> member_names) {
  std::vector<std::string_view> sorted(member_names.begin(), member_names.end());
  std::sort(sorted.begin(), sorted.end());
  hasher h;
  h.add("cluster");
  h.add(cluster);
  for (const std::string_view name : sorted) h.add(name);
  return cluster_id(h.number());
}

cluster_id cluster_id_of(const cluster_settings& cluster) {
  std::vector<std::string> names;
  for (const member& m : cluster.members) names.push_back(m.name);
  return cluster_id_of(cluster.name, names);
}

} // namespace quorumd::config
