#pragma once

#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include "wire/schema/command.capnp.h"
#include "wire/status.hpp"

namespace quorumd::wire::detail {

[[nodiscard]] std::size_t words_behind(const status_row& r);
void fill(schema::StatusRow::Builder to, const status_row& r);
[[nodiscard]] status_row read(schema::StatusRow::Reader from);

} // namespace quorumd::wire::detail
