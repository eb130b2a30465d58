#pragma once

#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/codec/schema/command.capnp.h"
#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

/// The state machine's commands and replies in their schema, for the codecs of this folder and of daemon/client.
namespace quorumd::kv::codec {

using namespace wire;
using namespace wire::detail;

/// Pointers behind pointers: three for each transaction within a transaction, and what surrounds the outermost.
inline constexpr int command_nesting_max = 8 + 3 * static_cast<int>(txn_depth_max);

// What is behind the pointer of the struct, without the struct itself.
[[nodiscard]] std::size_t words_behind(const command& c, const session_call& call);
void fill(schema::Command::Builder to, const command& c, const session_call& call);
[[nodiscard]] logged_command read(schema::Command::Reader from);

/// What of a lease's time remains, where nothing was said of it.
inline constexpr std::uint64_t all_remains = std::numeric_limits<std::uint64_t>::max();
[[nodiscard]] inline std::optional<std::uint64_t> lease_remaining(std::uint64_t ms) {
  return ms == all_remains ? std::nullopt : std::optional(ms);
}

void fill(schema::Settings::Builder to, const settings& s);
[[nodiscard]] settings read(schema::Settings::Reader from);

[[nodiscard]] std::size_t words_behind(const range_request& r);
void fill(schema::Range::Builder to, const range_request& r);
[[nodiscard]] range_request read(schema::Range::Reader from);

[[nodiscard]] std::size_t words_behind(const result<reply>& r);
void fill(schema::Outcome::Builder to, const result<reply>& r);
[[nodiscard]] result<reply> read(schema::Outcome::Reader from);

[[nodiscard]] std::size_t words_behind(const range_reply& r);
void fill(schema::RangeReply::Builder to, const range_reply& r);
[[nodiscard]] range_reply read(schema::RangeReply::Reader from);

/// A key and its value, the struct included.
[[nodiscard]] std::size_t item_words(const key_value_view& k);
void fill_item(schema::KeyValue::Builder to, const key_value_view& k);
[[nodiscard]] key_value_view read_item(schema::KeyValue::Reader from);

[[nodiscard]] error read(schema::StoreError::Reader from);
void fill(schema::StoreError::Builder to, const error& e);

} // namespace quorumd::kv::codec
