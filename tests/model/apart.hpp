#pragma once

#include <functional>
#include <string>

namespace quorumd::model {

/// Does the work in a process of its own, so that a broken invariant of the core ends only that, and gives what it
/// wrote to the descriptor. Its standard error is not shown.
[[nodiscard]] std::string apart(const std::function<void(int out)>& work);

} // namespace quorumd::model
