#pragma once

#include "config/config.hpp"

#include <string>
#include <vector>

namespace quorumd::config {

/// A key of the configuration, for a person.
struct key_description {
  std::string path;         ///< `raft.heartbeat`
  std::string type;         ///< `duration`
  std::string default_text; ///< as it would be written; empty if the key is required
  std::string range;        ///< `10ms to 10s`; empty if the type says all
  std::string meaning;      ///< a sentence without its full stop
  bool required = false;
};

/// Every key there is, in the order of the example file. The parser reads exactly these.
[[nodiscard]] const std::vector<key_description>& describe_keys();
/// A key that differs between two configurations.
struct key_change {
  std::string path;
  std::string before; ///< as it would be written
  std::string after;
};
[[nodiscard]] std::vector<key_change> changed_keys(const settings& before, const settings& after);

/// They as a Markdown table, with a heading row; what the documents show.
[[nodiscard]] std::string keys_markdown();
/// The example file: every key with its default and a comment, the required ones with a cluster of one on loopback.
[[nodiscard]] std::string example_yaml();

} // namespace quorumd::config
