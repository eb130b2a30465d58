#pragma once

#include "daemon/client/schema.hpp"

#include "daemon/client/status.hpp"

namespace quorumd::client::detail {

[[nodiscard]] std::size_t words_behind(const status_row& r);
void fill(schema::StatusRow::Builder to, const status_row& r);
[[nodiscard]] status_row read(schema::StatusRow::Reader from);

} // namespace quorumd::client::detail
