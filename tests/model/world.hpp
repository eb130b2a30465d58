#pragma once

#include "tests/model/steps.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::model {

inline constexpr std::size_t nodes_max = 5;
inline constexpr std::size_t terms_max = 5;

/// What may only happen so often.
enum class budget : std::uint8_t { timeouts, entries, crashes, duplicates, beats, compactions, changes, unlimited };
inline constexpr std::size_t budgets = static_cast<std::size_t>(budget::unlimited);
[[nodiscard]] budget budget_of(const action& a);
/// How often any number of times is.
inline constexpr std::uint8_t any_number = 0xff;

/// All nodes together at one moment: their states by number, the messages under way, what may still happen, and what
/// must be remembered of the past to tell whether a promise is broken. As a set the messages are under way in any
/// order; one that is never delivered is lost.
struct world {
  std::array<std::uint32_t, nodes_max> nodes{};
  std::array<std::uint8_t, budgets> left{};
  std::uint8_t slow_left = 0; ///< how often a disk may still fall behind

  std::array<std::uint8_t, terms_max + 1> leaders{};                      ///< by term; 0: none yet
  std::array<std::array<std::uint8_t, nodes_max>, terms_max + 1> votes{}; ///< that left, by term and voter; 0: none
  std::array<std::uint8_t, summary::log_max> committed{};                 ///< the terms of the entries, from index 1
  std::array<std::uint8_t, summary::log_max> committed_in{};              ///< the earliest term that committed it
  std::uint8_t committed_last = 0;

  std::vector<std::uint32_t> flying; ///< ascending

  /// A leader that crashed led in another life.
  static constexpr std::uint8_t dead = 0x80;

  [[nodiscard]] std::uint32_t& node(std::uint8_t n) { return nodes[n - 1]; }
  [[nodiscard]] std::uint32_t node(std::uint8_t n) const { return nodes[n - 1]; }
  [[nodiscard]] std::uint8_t& leader_of(std::uint8_t term) { return leaders[term]; }
  [[nodiscard]] bool has(std::uint32_t message) const;

  /// As bytes, which are the same only for the same world.
  void pack(std::string& into) const;
  [[nodiscard]] static world unpack(std::string_view bytes);
};

/// The thesis' invariants (figure 3.2), and that a node votes once a term whatever it forgets. Remembers in `w`, the
/// world after node n took a step from state `before`, what the step adds to the past. What is broken, or nothing.
[[nodiscard]] std::string check(const step_table& steps, world& w, std::uint8_t n, const step_table::result& r,
                                std::uint32_t before, const action& a, std::size_t nodes);

} // namespace quorumd::model
