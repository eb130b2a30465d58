#pragma once

#include "daemon/cli/node_metrics.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace quorumd::cli {

/// One view of `quorumd top`, as lines without escapes: the cluster in two, then a row for each member. Rates and
/// quantiles are of what came between the two looks, so the first look alone has none.
[[nodiscard]] std::vector<std::string> top_frame(const std::vector<node_sight>& now,
                                                 const std::vector<node_sight>& earlier);

/// The line's first columns, without half of a UTF-8 sequence at the end.
[[nodiscard]] std::string cropped(const std::string& line, std::size_t columns);

} // namespace quorumd::cli
