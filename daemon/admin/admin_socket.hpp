#pragma once

#include "coro/loop.hpp"
#include "coro/net.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::admin {

/// The path of the admin socket, held by this process: a lock on `PATH.lock` says whose it is, so that a socket left
/// by a crash is removed and a running daemon's is not. The socket and the lock go with this object.
class admin_socket {
 public:
  /// Creates the directory if need be, locks, removes what is stale, listens, and lets every user connect (who may do
  /// what is decided by credentials). An error is a sentence that names the path.
  struct opened;
  [[nodiscard]] static opened open(coro::loop& owner, coro::network& net, const std::string& path);
  admin_socket(const admin_socket&) = delete;
  admin_socket& operator=(const admin_socket&) = delete;
  ~admin_socket();

 private:
  admin_socket(std::string path, int lock)
      : path_(std::move(path))
      , lock_(lock) {}
  std::string path_;
  int lock_; ///< file descriptor
};

struct admin_socket::opened {
  std::unique_ptr<admin_socket> socket;
  std::unique_ptr<coro::acceptor> acceptor;
  std::string error; ///< empty: both are there
};

/// Who may use the admin socket: root, the daemon's own user, and those that the configuration names.
class admins {
 public:
  /// Names are looked up now; what cannot be found is returned as sentences.
  [[nodiscard]] std::vector<std::string> add(const std::vector<std::string>& users,
                                             const std::vector<std::string>& groups);
  /// Nothing if they may, else who it is that may not.
  [[nodiscard]] std::optional<std::string> judge(const coro::credentials& c) const;

 private:
  std::vector<std::uint32_t> users_;
  std::vector<std::uint32_t> groups_;
};

} // namespace quorumd::admin
