#pragma once

#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::coro {

/// A host name or address, and a port. Names are resolved at each dial.
struct endpoint {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const endpoint&, const endpoint&) = default;
};

/// `host:port`, with brackets around an IPv6 address.
[[nodiscard]] std::string to_string(const endpoint& e);
/// The opposite; nothing unless it has a host and a port of 0 to 65535.
[[nodiscard]] std::optional<endpoint> parse_endpoint(std::string_view text);

/// Who is at the other end of a local socket.
struct credentials {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

/// A connected byte stream whose other end, if it vanishes without a word, is noticed within a minute. At the
/// granularity of a system call: try, and wait only when it would block. Belongs to one loop; at most one coroutine
/// waits to read and one to write.
class stream {
 public:
  virtual ~stream() = default;
  /// At least one byte; `would_block` when there is none yet, `eof` when the other end has finished.
  [[nodiscard]] virtual boost::system::result<std::size_t> read_some(std::span<std::byte> into) = 0;
  /// At least one byte; `would_block` when there is no room.
  [[nodiscard]] virtual boost::system::result<std::size_t> write_some(std::span<const std::byte> from) = 0;
  /// Returns when a try may succeed or fail with its reason. Throws operation_aborted when cancelled or closed.
  [[nodiscard]] virtual task<void> readable() = 0;
  [[nodiscard]] virtual task<void> writable() = 0;
  /// Ends both directions; whoever waits is aborted.
  virtual void close() = 0;
  /// close() that takes back what was written as far as it can: what is still queued is not sent, and an end that heeds
  /// it reads no more of what it has got. Between the ends of a local socket it is close() alone.
  virtual void abort() = 0;
  /// From now on a connection that the other end aborted reads as reset, not first what had come before.
  virtual void heed_abort() = 0;
  /// The kernel refuses more once so much is queued unsent: what is urgent then waits behind little.
  virtual void limit_unsent(std::size_t bytes) = 0;
  /// For messages to a person.
  [[nodiscard]] virtual const std::string& remote() const = 0;
  /// Nothing unless it is a local socket.
  [[nodiscard]] virtual std::optional<credentials> peer_credentials() const = 0;
};

/// A listening socket; belongs to one loop.
class acceptor {
 public:
  virtual ~acceptor() = default;
  /// The next connection, owned by `owner`, which may be another loop. An error is of this connection or of the
  /// process (no file descriptors): the caller waits a little and goes on. Throws operation_aborted when cancelled or
  /// closed.
  [[nodiscard]] virtual task<boost::system::result<std::unique_ptr<stream>>> accept(loop& owner) = 0;
  virtual void close() = 0;
  /// What is bound, with the port that the system chose for port 0.
  [[nodiscard]] virtual endpoint local() const = 0;
};

/// The seam for the network.
class network {
 public:
  virtual ~network() = default;
  /// Resolves and connects, trying each address, within the timeout.
  [[nodiscard]] virtual task<boost::system::result<std::unique_ptr<stream>>> connect(loop& owner, endpoint to,
                                                                                     duration timeout) = 0;
  [[nodiscard]] virtual task<boost::system::result<std::unique_ptr<stream>>> connect_local(loop& owner,
                                                                                           std::string path) = 0;
  [[nodiscard]] virtual boost::system::result<std::unique_ptr<acceptor>> listen(loop& owner, endpoint at) = 0;
  /// A Unix socket; an existing file at the path is an error (the caller decides what is stale).
  [[nodiscard]] virtual boost::system::result<std::unique_ptr<acceptor>> listen_local(loop& owner,
                                                                                      const std::string& path) = 0;
};

} // namespace quorumd::coro
