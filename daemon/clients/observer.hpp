#pragma once

#include <string>

namespace quorumd::clients {

/// What a log would want to know of the client port. Called on the loops of the connections.
class observer {
 public:
  virtual ~observer() = default;
  /// Something that is not a request: its connection is closed.
  virtual void bad_client(const std::string& /*remote*/, const std::string& /*why*/) {}
  /// Its replies were not read and passed the bound: its connection is closed.
  virtual void slow_client(const std::string& /*remote*/, std::size_t /*queued_bytes*/) {}
  /// Not allowed on the admin socket.
  virtual void denied(const std::string& /*who*/) {}
  virtual void accept_failed(const std::string& /*where*/, const std::string& /*why*/) {}
  /// The bound on connections is reached and this one was refused.
  virtual void too_many(const std::string& /*remote*/) {}
};

} // namespace quorumd::clients
