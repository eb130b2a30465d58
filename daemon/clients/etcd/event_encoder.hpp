#pragma once

#include "daemon/clients/etcd/message_writer.hpp"
#include "daemon/kv/watch.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd::clients::etcd {

/// The events of a delivery as the `events` fields of a WatchResponse. What many watchers get is made once. Belongs to
/// the group's loop.
class event_encoder {
 public:
  /// Until the next call.
  [[nodiscard]] std::span<const std::byte> encode(const kv::delivery& d);

 private:
  message_writer writer_;
  wire::byte_buffer bytes_;
  std::uint64_t number_ = 0; ///< of the delivery that bytes_ are of
};

} // namespace quorumd::clients::etcd
