#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd {

/// The most members that one list of a configuration may have.
inline constexpr std::size_t voters_max = 63;

/// Who votes in a group. Sorted, without repetition. `outgoing` is not empty only while a joint configuration is in
/// force (thesis §4.3): then `voters` are those that it leads to. Learners receive the log and do not vote; one that is
/// also outgoing is demoted by the change under way.
struct configuration {
  std::vector<node_id> voters;
  std::vector<node_id> outgoing;
  std::vector<node_id> learners;

  [[nodiscard]] bool joint() const { return !outgoing.empty(); }

  friend bool operator==(const configuration&, const configuration&) = default;
};

/// What is wrong with it, in words, or nothing: no voters, too many, out of order, or one twice.
[[nodiscard]] std::optional<std::string> validate(const configuration& c);

/// The payload of an entry of kind `members`: the configuration, which the core reads, and details of its members,
/// which only their owner does.
struct configuration_view {
  configuration members;
  std::span<const std::byte> details;
};

/// Little-endian: version u16 | voters u16 | outgoing u16 | learners u16 | ids u64 each | details.
[[nodiscard]] std::vector<std::byte> encode_configuration(const configuration& c, std::span<const std::byte> details);
/// Nothing if the payload is not of this form, or what it says is not valid.
[[nodiscard]] std::optional<configuration_view> decode_configuration(std::span<const std::byte> payload);

/// What a snapshot replaces: every entry up to `index`, whose term it remembers, and the configuration in force there.
struct snapshot_mark {
  log_index index;
  quorumd::term term;
  configuration members;

  friend bool operator==(const snapshot_mark&, const snapshot_mark&) = default;
};

/// What a node must remember across a crash before it answers (paper figure 2).
struct hard_state {
  quorumd::term term;
  node_id vote;

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// A stretch of the log in one term, from `first` to the next run's first.
struct term_run {
  log_index first;
  quorumd::term term;

  friend bool operator==(const term_run&, const term_run&) = default;
};

} // namespace quorumd
