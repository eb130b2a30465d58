#pragma once

#include "daemon/cli/args.hpp"

#include <string>
#include <vector>

namespace quorumd::cli {

/// Which keys `get` and `del` speak of, as kv::range_request wants it.
struct key_range {
  std::string key;
  std::string range_end; ///< empty: the one key
  [[nodiscard]] bool single() const { return range_end.empty(); }
};

/// From KEY, --prefix, --range-end and --from-key; the error names what contradicts itself.
[[nodiscard]] result<key_range> key_range_of(const invocation& in);

/// The options that key_range_of() reads, for a command's table.
[[nodiscard]] std::vector<option_spec> key_range_options();

} // namespace quorumd::cli
