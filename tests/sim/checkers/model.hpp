#pragma once

#include "tests/sim/checkers/history.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quorumd::sim {

/// The least that a key-value store with revisions can be: every version of every key, and a way back. What the
/// histories of the simulator are judged by; shares nothing with the store that it judges.
class model {
 public:
  struct answer {
    bool succeeded = true;
    bool mutated = false;
    std::vector<action_result> results;
  };

  /// Runs the operation as the next one of the history; revision() grows by one if it changed something. A put of a
  /// lease that was revoked with its keys is refused: nothing is changed, and there are no results.
  answer apply(const operation& o);
  /// Reads the keys as of a revision not above the current one.
  [[nodiscard]] std::vector<seen_key> read(const action& get) const;

  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  /// Takes back the newest revisions, down to that one.
  void undo_to(std::uint64_t revision);
  /// Of everything there ever was.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  /// Whether the revision wrote that key and value.
  [[nodiscard]] bool wrote(std::uint64_t revision, const std::string& key, const std::string& value) const;

 private:
  struct version {
    std::uint64_t mod = 0;
    std::uint64_t create = 0;
    std::uint64_t number = 0; // 0: a tombstone
    std::string value;
    std::uint64_t lease = 0;
    std::uint64_t hash = 0;
  };
  using versions = std::vector<version>;

  [[nodiscard]] const version* at(const versions& all, std::uint64_t revision) const;
  [[nodiscard]] bool holds(const condition& c) const;
  void push(const std::string& key, version v);
  std::uint64_t erase(const action& a, std::uint64_t at_revision);
  void put(const action& a, std::uint64_t at_revision);
  [[nodiscard]] bool refuses(const std::vector<action>& actions) const;

  std::map<std::string, versions> keys_;
  std::vector<std::pair<std::uint64_t, std::string>> changes_; // which revision changed which key, in order
  std::map<std::uint64_t, std::uint64_t> ended_;               // which lease went in which revision
  std::uint64_t revision_ = 1;
  std::uint64_t hash_ = 0;
};

} // namespace quorumd::sim
