#pragma once

#include "daemon/client/verification.hpp"

#include <string>

namespace quorumd::cli {

/// A line for a person.
[[nodiscard]] std::string verification_text(const client::verification& v);

} // namespace quorumd::cli
