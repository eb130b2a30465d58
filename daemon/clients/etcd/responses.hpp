#pragma once

#include "daemon/clients/etcd/message_writer.hpp"
#include "daemon/kv/result.hpp"
#include "wire/byte_buffer.hpp"

#include <cstdint>

namespace quorumd::clients::etcd {

/// What every answer says of who gave it.
struct response_header {
  std::uint64_t cluster = 0;
  std::uint64_t member = 0;
  std::uint64_t term = 0;
  std::uint64_t revision = 0; ///< 0: it is left out
};

/// The state's answers as etcd's messages. From the store's views: before its next mutation.
class response_writer {
 public:
  /// The header's revision is the reply's.
  std::size_t append(wire::byte_buffer& out, response_header h, const kv::reply& r);
  std::size_t append(wire::byte_buffer& out, response_header h, const kv::range_reply& r);

 private:
  message_writer writer_;
};

} // namespace quorumd::clients::etcd
