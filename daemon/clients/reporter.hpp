#pragma once

#include "coro/loop.hpp"
#include "daemon/client/metrics.hpp"

#include <functional>

namespace quorumd::clients {

/// Who knows what this node has measured of itself. From any loop.
class reporter {
 public:
  using receiver = std::function<void(const client::metrics_reply&)>;

  virtual ~reporter() = default;
  /// Calls `done` once, later, on the loop `back`; false, and nothing follows, if too many ask at a time.
  [[nodiscard]] virtual bool report(coro::loop& back, receiver done) = 0;
};

} // namespace quorumd::clients
