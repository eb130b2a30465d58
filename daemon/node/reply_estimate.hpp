#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/store.hpp"

#include <cstddef>

namespace quorumd::node {

/// How many bytes of keys and values the command would answer with if it were applied now: of single keys what they
/// hold, of ranges the most that an answer may carry. Others that are under way may change what it will come to.
[[nodiscard]] std::size_t estimate_reply(const kv::store& s, const kv::command& c);

} // namespace quorumd::node
