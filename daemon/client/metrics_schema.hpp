#pragma once

#include "daemon/client/schema.hpp"

#include "daemon/client/metrics.hpp"

namespace quorumd::client::detail {

[[nodiscard]] std::size_t words_behind(const metrics_reply& m);
void fill(schema::MetricsReply::Builder to, const metrics_reply& m);
[[nodiscard]] metrics_reply read(schema::MetricsReply::Reader from);

} // namespace quorumd::client::detail
