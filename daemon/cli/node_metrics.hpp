#pragma once

#include "coro/task.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/client/client.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::cli {

/// A member as `latency` and `top` see it at a moment.
struct node_sight {
  client::status_row row;
  std::optional<client::metrics_reply> metrics;
  std::string error; ///< why there are no metrics
};

/// Asks every member of a cluster for what it measured, each directly at the address that the status table names: the
/// member that the session talks to through that connection, the others through one of their own, kept for the next
/// time. Belongs to the session's loop; stop() it before it ends.
class fleet {
 public:
  /// `only`: the name of the one member to ask; empty: all.
  fleet(session& s, std::string only);
  ~fleet();

  /// Fails only if nobody can say who the members are, or none has that name.
  [[nodiscard]] coro::task<boost::system::result<std::vector<node_sight>, client::call_error>> look();
  [[nodiscard]] coro::task<void> stop();

 private:
  coro::task<void> ask(node_sight* n);
  [[nodiscard]] client::client* client_of(const node_sight& n);

  session& session_;
  const std::string only_;
  std::map<std::string, std::unique_ptr<client::client>> clients_; ///< by address
};

/// The histogram of that name, what it measured since `earlier` if that is given; empty if there is none.
[[nodiscard]] metrics::histogram measured(const client::metrics_reply& now, const client::metrics_reply* earlier,
                                          std::string_view name, std::string_view of = {});
/// The reading of that name; 0 if there is none.
[[nodiscard]] std::uint64_t reading_of(const client::metrics_reply& now, std::string_view name,
                                       std::string_view of = {});
/// What an earlier look saw of the same life of the node, or null.
[[nodiscard]] const client::metrics_reply* same_node(const std::vector<node_sight>& earlier, const node_sight& n);

/// 850ns, 12.3us, 4.56ms, 1.2s
[[nodiscard]] std::string short_time(double nanoseconds);
/// 12.3k, 4.56M
[[nodiscard]] std::string short_number(double number);
/// 512B, 12.3KiB
[[nodiscard]] std::string short_bytes(double bytes);

} // namespace quorumd::cli
