#pragma once

#include "config/config.hpp"
#include "config/yaml_tree.hpp"

#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::config {

/// Where each setting came from. A member's path is `cluster.members.NAME`.
struct provenance {
  std::map<std::string, origin, std::less<>> given;
  std::set<std::string, std::less<>> bad; ///< what was complained about; no rule about it is checked
  origin nowhere;                         ///< for a complaint about settings that were not given

  /// What to blame when these keys contradict each other: the last one given on the command line, else the first
  /// one given at all.
  [[nodiscard]] origin culprit(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] bool any_bad(std::initializer_list<std::string_view> keys) const;
};

/// Fills in what is to be advertised, where it was not given.
void complete(settings& s, const provenance& from);

/// Checks that the settings, each of which is good by itself, fit each other.
void validate(const settings& s, const provenance& from, std::vector<mistake>& found);

} // namespace quorumd::config
