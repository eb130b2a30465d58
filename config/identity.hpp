#pragma once

#include "config/config.hpp"
#include "consensus/types/ids.hpp"

#include <span>
#include <string>
#include <string_view>

namespace quorumd::config {

/// A member's number: a 64-bit FNV-1a hash of `node`, the cluster's name and the member's name, each preceded by its
/// length as eight little-endian bytes, then mixed by splitmix64's finalizer; 0 becomes 1. It is the same on every
/// machine and never changes for a name, wherever the member listens. That no two members of one cluster share a
/// number is checked when the configuration is read.
[[nodiscard]] node_id node_id_of(std::string_view cluster, std::string_view member_name);

/// The number of a cluster that is bootstrapped with these members: the same hash of `cluster`, the cluster's name,
/// and the members' names in ascending order. Addresses don't enter, so that a member can move; nor does the order
/// of the list.
[[nodiscard]] cluster_id cluster_id_of(std::string_view cluster, std::span<const std::string> member_names);

/// The same of a configuration.
[[nodiscard]] cluster_id cluster_id_of(const cluster_settings& cluster);

} // namespace quorumd::config
