#pragma once

#include "tests/consensus/raft/harness.hpp"

#include <string>

namespace quorumd::raft::test {

/// `append 1 2 2 after 3 (term 1), term 2, commit 3`: the entries by their terms.
[[nodiscard]] std::string text_of(const message& m);
/// `… from node 1 to node 2`.
[[nodiscard]] std::string text_of(const envelope& e);
/// The deliberate bug of the core of that name, as the simulator spells it; nothing if there is none.
[[nodiscard]] std::optional<mutant> mutant_named(std::string_view name);
[[nodiscard]] std::string_view name_of(mutant m);

} // namespace quorumd::raft::test
