#pragma once

#include "daemon/clients/etcd/fields.hpp"
#include "daemon/clients/etcd/message_writer.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/node/node.hpp"
#include "wire/byte_buffer.hpp"

#include <cstdint>

namespace quorumd::clients::etcd {

/// On the group's loop: of an answer that this node makes now.
[[nodiscard]] response_header header_now(node::node& n);

/// The state's answers as etcd's messages. From the store's views: before its next mutation.
class response_writer {
 public:
  /// The header's revision is the reply's. Of an answer about leases `what` was asked for.
  std::size_t append(wire::byte_buffer& out, response_header h, const kv::reply& r, method what = method::none);
  std::size_t append(wire::byte_buffer& out, response_header h, const kv::range_reply& r);

 private:
  message_writer writer_;
};

} // namespace quorumd::clients::etcd
