#pragma once

#include "daemon/client/protocol.hpp"
#include "daemon/client/schema.hpp"

#include <cstddef>
#include <span>

/// What is watched, and its changes, in the clients' schema.
namespace quorumd::client::detail {

// What is behind the pointer of the struct, without the struct itself.
[[nodiscard]] std::size_t words_behind(const watch_request& w);
void fill(schema::WatchRequest::Builder to, const watch_request& w);
[[nodiscard]] watch_request read(schema::WatchRequest::Reader from);

[[nodiscard]] std::size_t words_behind(std::span<const kv::event> events);
void fill(schema::WatchReply::Builder to, kv::change_place next, std::span<const kv::event> events);
[[nodiscard]] watch_reply read(schema::WatchReply::Reader from);

} // namespace quorumd::client::detail
