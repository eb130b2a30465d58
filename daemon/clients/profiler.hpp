#pragma once

#include "coro/loop.hpp"
#include "daemon/client/protocol.hpp"

#include <functional>
#include <optional>
#include <string>

namespace quorumd::clients {

/// Who can watch this process for a while. From any loop.
class profiler {
 public:
  struct outcome {
    std::string error; ///< empty: there is one
    std::string note;  ///< what the bytes show
    std::string bytes;
  };
  using receiver = std::function<void(const outcome&)>;

  virtual ~profiler() = default;
  /// Begins, and calls `done` once, on the loop `back`, when it is over; or says why nothing begins. One at a time.
  [[nodiscard]] virtual std::optional<std::string> begin(const void* who, client::profile_request what,
                                                         coro::loop& back, receiver done) = 0;
  /// Ends it early if it is for this one; `done` follows all the same.
  virtual void cancel(const void* who) = 0;
};

} // namespace quorumd::clients
