#pragma once

#include "coro/task_group.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/kv/command.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace quorumd::cli {

/// A place in the queue for a name, by etcd's recipe, so that its clients stand in the same one: a key NAME/LEASE of a
/// lease that is renewed as long as the claim is held. Whose key is the oldest has the name.
class claim {
 public:
  claim(session& s, std::string name, std::string value, std::chrono::seconds ttl);
  ~claim();

  /// Takes a place; nothing, or the exit code.
  [[nodiscard]] coro::task<std::optional<int>> stand();
  /// Waits until it is the oldest; nothing, or the exit code. Ends early if `over` says so.
  [[nodiscard]] coro::task<std::optional<int>> wait(bool (*over)());
  /// Gives the place back, and whatever stood behind it moves up.
  [[nodiscard]] coro::task<void> leave();
  /// The lease is gone, and with it the key: somebody else may have the name.
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  coro::task<void> renew();
  [[nodiscard]] coro::task<bool> stands();
  coro::task<client::call_result> ask(client::client_body body);
  [[nodiscard]] coro::task<bool> gone(std::string key, revision from, bool (*over)());

  session& session_;
  const std::string name_;
  const std::string value_;
  const std::chrono::seconds ttl_;
  lease_id lease_;
  std::string key_;
  revision created_;
  bool lost_ = false;
  std::string why_;
  coro::task_group renewing_;
};

/// From now on SIGINT, SIGTERM and SIGHUP end no process at once: asked_to_end() says that one came.
void heed_signals();
[[nodiscard]] bool asked_to_end();

} // namespace quorumd::cli
