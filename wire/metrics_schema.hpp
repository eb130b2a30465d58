#pragma once

#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include "wire/metrics.hpp"
#include "wire/schema/client.capnp.h"

namespace quorumd::wire::detail {

[[nodiscard]] std::size_t words_behind(const metrics_reply& m);
void fill(schema::MetricsReply::Builder to, const metrics_reply& m);
[[nodiscard]] metrics_reply read(schema::MetricsReply::Reader from);

} // namespace quorumd::wire::detail
