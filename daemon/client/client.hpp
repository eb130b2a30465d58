#pragma once

#include "coro/entropy.hpp"
#include "coro/event.hpp"
#include "coro/net.hpp"
#include "coro/task_group.hpp"
#include "daemon/client/calls.hpp"
#include "daemon/client/protocol.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/frame.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::client {

/// Where a client dials: a host and port, or the path of a Unix socket.
struct client_endpoint {
  coro::endpoint tcp;
  std::string socket_path; ///< if not empty, this and not `tcp`

  /// As messages name it.
  [[nodiscard]] std::string name() const { return socket_path.empty() ? coro::to_string(tcp) : socket_path; }
  friend bool operator==(const client_endpoint&, const client_endpoint&) = default;
};

struct client_options {
  std::vector<client_endpoint> endpoints; ///< at least one; the next is tried when one fails
  std::string software = "quorumd " QUORUMD_VERSION;
  bool bulk = false; ///< yield to other clients
  /// Keep dialing until a call's deadline, where otherwise a call fails once every endpoint was tried in vain.
  bool patient = false;
  std::chrono::milliseconds connect_timeout{2000}; ///< for a connection, for its hello, for one endpoint, at the most
  std::chrono::milliseconds backoff_min{20};       ///< between rounds of dialing, and between tries of a call
  std::chrono::milliseconds backoff_max{500};
};

/// What an answer says, with the bytes that its views refer to.
struct client_answer {
  client_reply reply;
  chunk_ref bytes;
};

/// Why a call has no answer.
class call_error {
 public:
  call_error() = default;
  call_error(request_errc code, std::string endpoint, const std::string& what, kv::error store = {})
      : code_(code)
      , endpoint_(std::move(endpoint))
      , message_(endpoint_.empty() ? what : endpoint_ + ": " + what)
      , store_(store) {}

  /// The server's word, or `unknown` or `timeout` if it was the client that gave up; `none` if no endpoint could be
  /// reached. Only after `unknown` may a command have taken effect, or still take it.
  [[nodiscard]] request_errc code() const { return code_; }
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  /// One line that names the endpoint.
  [[nodiscard]] const std::string& message() const { return message_; }
  /// The store's own error, if the code is `store`.
  [[nodiscard]] const kv::error& store() const { return store_; }

 private:
  request_errc code_ = request_errc::none;
  std::string endpoint_;
  std::string message_;
  kv::error store_;
};
[[noreturn]] void throw_exception_from_error(const call_error& e, const boost::source_location& where);

using call_result = boost::system::result<client_answer, call_error>;
using client_body = decltype(client_request::body);

struct client_counters {
  std::uint64_t connections = 0; ///< made, hello included
  std::uint64_t retries = 0;     ///< requests sent again
  std::uint64_t repeats = 0;     ///< of them commands whose first outcome is unknown (client::repeat::idempotent)
  std::uint64_t writes = 0;      ///< system calls
  std::uint64_t frames_out = 0;
};

/// A session with the cluster over one connection at a time. Any number of coroutines call at once: their requests
/// leave together in one write, one reader completes them in whatever order the replies come, and one timer watches
/// all deadlines. It goes to the leader that a server names, to the next endpoint when one fails, says nothing or finds
/// no leader for its share of the time, and sends again what certainly had no effect (reads; what never left; what the
/// server says was not applied) until the deadline. The outcome of a command whose connection broke is `unknown` and
/// left to the caller; a silent server is not left while such a command waits for it.
///
/// Belongs to one loop. stop() it before it ends; by then every call has ended or its coroutine was cancelled.
class client {
 public:
  client(coro::loop& l, coro::network& n, coro::entropy& e, client_options o);
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client();

  /// Whether a command whose outcome is unknown may be sent again.
  enum class repeat : std::uint8_t {
    certain,    ///< no: only what certainly had no effect
    idempotent, ///< yes: twice has the effect of once
  };

  /// Sends a request and returns its answer, which is never a client_error: that is the error. What the views of
  /// `body` refer to lives until then. A server's answer that says why is never replaced by this client's own expiry.
  /// A command of a session says which one it is.
  [[nodiscard]] coro::task<call_result> call(client_body body, coro::time_point deadline, repeat r = repeat::certain,
                                             kv::session_call as = {});

  // --- for whoever keeps many requests in flight from one coroutine: nothing is sent again ---

  struct completion {
    std::uint64_t tag = 0;
    request_errc code = request_errc::none; ///< none: it succeeded; not_applied: the connection broke before it left
  };
  /// Makes sure of a connection.
  [[nodiscard]] coro::task<boost::system::result<void, call_error>> connect(coro::time_point deadline);
  [[nodiscard]] bool connected() const { return up_ && !moving_; }
  /// Sends a request whose end take_completions() tells by its tag; false, and nothing done, without a connection. It
  /// is not sent again, but another endpoint is dialed where this one says that it cannot serve it.
  [[nodiscard]] bool submit(const client_body& body, coro::time_point deadline, std::uint64_t tag);
  /// Waits until requests have ended and adds them to `out`. `out` outlives the wait; one waiter at a time.
  [[nodiscard]] coro::task<void> take_completions(std::vector<completion>& out);

  /// The connection's other end, or the last one's; empty before the first.
  [[nodiscard]] const std::string& endpoint() const { return endpoint_name_; }
  /// What the server said at the hello; empty before the first.
  [[nodiscard]] const std::string& node_name() const { return node_name_; }
  [[nodiscard]] const client_counters& counters() const { return counters_; }

  /// Ends the connection; waiting calls fail.
  [[nodiscard]] coro::task<void> stop();

 private:
  class call_scope;
  struct verdict;

  coro::task<void> run_connection();
  coro::task<void> run_writer();
  coro::task<void> run_sweeper();

  coro::task<std::string> establish(client_endpoint to);
  coro::task<std::string> await_hello();
  coro::task<std::string> read_replies();
  coro::task<bool> wait_readable(std::shared_ptr<coro::stream> s);
  coro::task<void> wait_for_connection(client_call* c);
  coro::task<void> back_off(unsigned attempt, coro::time_point deadline);

  std::string take_bytes();
  std::string take_frames();
  void take_reply(client_reply reply);
  bool flush(coro::stream& s);
  void encode(client_call& c, const client_body& body, const kv::session_call& as = {});
  void complete(client_call& c, call_end how);
  void wake_ready();
  void sweep();
  bool take_back(const client_call& c);
  [[nodiscard]] bool is_silent(coro::time_point now);
  void leave(const std::string& why);
  void close_stream();
  [[nodiscard]] std::chrono::milliseconds share_of(std::chrono::milliseconds left) const;
  [[nodiscard]] std::chrono::milliseconds dial_limit();
  void dial_failed(const client_endpoint& at, const std::string& why);
  void lose_connection(const std::string& why);
  void follow(std::string_view leader);
  void move_on();
  void finish_move();
  [[nodiscard]] bool wanted() const { return calls_.open_count() != 0; }
  [[nodiscard]] verdict judge(client_call& c) const;

  // All of these: the loop's. The first never change.
  coro::loop& loop_;
  coro::network& network_;
  coro::entropy& entropy_;
  const client_options options_;

  coro::task_group tasks_;
  coro::event demand_; ///< a call waits for a connection
  coro::event output_; ///< there is something to write
  coro::event sweep_wanted_;
  client_calls calls_;
  std::vector<std::uint64_t> ready_; ///< ids of calls to be resumed
  std::vector<std::uint64_t> waking_;
  std::vector<completion> completions_;
  client_waiter completed_;
  bool waking_now_ = false;
  bool stopped_ = false;

  // The connection.
  std::shared_ptr<coro::stream> stream_;
  wire::frame_reader reader_;
  byte_buffer out_;
  std::uint64_t enqueued_bytes_ = 0; ///< of this connection
  std::uint64_t written_bytes_ = 0;
  std::size_t in_flight_ = 0;
  bool given_up_ = false;     ///< something that was sent on it will not be waited for any more
  coro::time_point heard_at_; ///< when a byte last came, or left
  bool up_ = false;           ///< and the hello is over
  bool moving_ = false;       ///< to another endpoint, once what is in flight has ended
  std::optional<coro::time_point> hello_deadline_;
  std::string endpoint_name_;
  std::string node_name_;
  client_endpoint current_;

  // Where to dial next.
  std::size_t next_ = 0;
  std::optional<client_endpoint> redirect_;
  std::optional<std::string> sent_away_; ///< by an answer to what was submitted: to that leader, or just away
  unsigned redirects_ = 0;               ///< followed since the last answer that was none
  unsigned rounds_ = 0;                  ///< of dialing in vain
  std::size_t failed_in_round_ = 0;
  std::string failures_; ///< of this round
  std::string last_failure_;
  std::string why_lost_;
  client_counters counters_;
};

} // namespace quorumd::client
