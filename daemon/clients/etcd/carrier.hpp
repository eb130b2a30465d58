#pragma once

#include "coro/task.hpp"
#include "daemon/clients/etcd/status.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd::clients::etcd {

/// What carries calls: a connection.
class carrier {
 public:
  /// Somebody waits for its answer.
  [[nodiscard]] virtual bool is_open(std::int32_t id) const = 0;
  /// A message of the answer, prefix and all.
  virtual void answer(std::int32_t id, std::span<const std::byte> message) = 0;
  /// Nothing follows.
  virtual void end(std::int32_t id, const grpc_status& s) = 0;
  /// There is no place for the client: it asked for something that is not for those.
  virtual void no_place() = 0;
  /// Runs it; the connection lives until it has ended.
  virtual void run(coro::task<void> t) = 0;
  /// Sends what was said since.
  virtual void said() = 0;

 protected:
  ~carrier() = default;
};

} // namespace quorumd::clients::etcd
