#pragma once

#include "daemon/client/members.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::cli {

/// The row that leads, or null.
[[nodiscard]] const client::member_row* leader_of(const client::members_reply& m);

/// A heading, a row a member, and whether a change is under way. What only the leader knows is `-` if another answered.
[[nodiscard]] std::string members_table(const client::members_reply& m);
/// The same and more as an object; null for what is not known.
[[nodiscard]] std::string members_json(const client::members_reply& m);

/// What the new members of a change are called.
[[nodiscard]] std::vector<std::string> new_names(const client::member_change& c);

/// For each new member the command that starts it on its machine, a line each. It asks a member that stays, or else
/// `endpoint`, who the cluster is.
[[nodiscard]] std::vector<std::string> join_commands(const client::member_change& c, const client::members_reply& m,
                                                     std::string_view endpoint);

/// Follows new members until each is a voter.
class promotion {
 public:
  /// `since` is what the change was answered with.
  promotion(std::vector<std::string> names, log_index since)
      : names_(std::move(names))
      , waiting_(names_)
      , since_(since) {}

  /// Takes an answer, and returns who became a voter since the last one. One from before the change says nothing.
  [[nodiscard]] std::vector<std::string> take(const client::members_reply& m);
  [[nodiscard]] bool done() const { return waiting_.empty(); }
  /// Who is not a voter yet.
  [[nodiscard]] const std::vector<std::string>& waiting() const { return waiting_; }
  /// The first of them that is no member any more; empty: all are.
  [[nodiscard]] const std::string& gone() const { return gone_; }

  /// Entries that they took since the first answer.
  [[nodiscard]] std::uint64_t taken() const { return match_ - first_match_; }
  /// Entries that they lack.
  [[nodiscard]] std::uint64_t behind() const { return behind_; }
  /// How much of the log they hold, 0 to 1; negative: not known.
  [[nodiscard]] double share() const;

 private:
  std::vector<std::string> names_;
  std::vector<std::string> waiting_;
  log_index since_;
  std::string gone_;
  bool begun_ = false; ///< the leader has answered
  std::uint64_t first_match_ = 0;
  std::uint64_t match_ = 0;
  std::uint64_t behind_ = 0;
};

} // namespace quorumd::cli
