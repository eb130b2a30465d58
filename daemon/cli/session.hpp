#pragma once

#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "daemon/cli/args.hpp"
#include "daemon/client/client.hpp"
#include "daemon/client/session.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace quorumd::cli {

/// What a command that talks to a cluster has at hand, on the session's loop.
struct session {
  coro::loop& loop;
  coro::network& network;
  coro::entropy& entropy;
  client::client& client;
  const client::client_options& options;
  std::chrono::milliseconds timeout; ///< of one request
  bool json = false;

  [[nodiscard]] coro::time_point deadline() const { return loop.now() + timeout; }
};

inline constexpr std::chrono::milliseconds default_timeout{5000};

/// Runs the coroutine that `body` makes on a loop of its own, with a client for whomever the command line names, and
/// returns the coroutine's exit code. `patient` as in client::client_options. `body` must not be a coroutine itself.
[[nodiscard]] int run_client(const invocation& in, const std::function<coro::task<int>(session&)>& body,
                             bool patient = false);

/// Whether a command is sent again after an unknown outcome: then in a session of its own, so that it takes effect
/// once.
enum class again : std::uint8_t { no, yes };
[[nodiscard]] option_spec retry_option();
[[nodiscard]] again retry_of(const invocation& in);
/// Sends the command and returns its answer, by the session's timeout. What its views refer to lives until then.
[[nodiscard]] coro::task<client::call_result> send(session* s, kv::command c, again a);

/// How long the cluster keeps a session that nothing is asked in.
inline constexpr std::chrono::milliseconds session_idle_max = std::chrono::hours(1);
/// What a session that is over is given to say so.
inline constexpr std::chrono::milliseconds session_close_max{500};

/// Tells a person why a call failed, and returns the exit code for it.
[[nodiscard]] int complain(const client::call_error& e);

} // namespace quorumd::cli
