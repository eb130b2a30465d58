#pragma once

#include "coro/entropy.hpp"
#include "coro/loop.hpp"
#include "coro/task_group.hpp"
#include "tests/support/named_network.hpp"
#include "tests/support/sample.hpp"
#include "wire/transport.hpp"

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

/// Nodes in one process over real sockets on loopback, and a member of plain blocking sockets that misbehaves.
namespace quorumd::wire::test {

inline const node_id n1(1);
inline const node_id n2(2);
inline const node_id n3(3);
inline const node_id n4(4);

/// Runs f on the loop and waits for its result.
template <class F>
auto on(coro::loop& l, F f) {
  std::promise<std::invoke_result_t<F>> done;
  l.post([&] {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      f();
      done.set_value();
    } else {
      done.set_value(f());
    }
  });
  return done.get_future().get();
}

using namespace testing;

/// Where the nodes of a test live.
struct world {
  coro::steady_clock clock;
  coro::loop loop{"wire", clock};
  named_network net;
  world() { loop.start(); }
  ~world() { loop.stop(); }
};

/// Writes down what a transport says.
class recorder final : public peer_handler, public peer_observer {
 public:
  void on_peer_up(node_id id, const peer_info& info) override;
  void on_peer_down(node_id id, const std::string& reason) override;
  void on_peer_messages(node_id from, std::vector<peer_message>& batch, inbound_hold hold) override;
  void on_peer_writable(node_id id, bool writable) override;
  std::optional<std::string> check_incarnation(node_id id, incarnation seen, log_index members_index) override;
  void on_dial_failed(node_id id, const std::string& address, const std::string& reason) override;
  void on_handshake_refused(node_id id, const std::string& remote, const std::string& reason) override;
  void on_refused_by_peer(node_id id, const std::string& remote, const std::string& reason) override;
  void on_bad_frame(node_id id, const std::string& remote, const std::string& reason) override;
  void on_stream_ended(node_id id, const std::string& remote, const std::string& reason) override;
  void on_stream_replaced(node_id id, const std::string& remote, const std::string& reason) override;

  /// Waits until an event starts with the text (after the first `skip` that do); false after ten seconds.
  bool saw(const std::string& text, std::size_t skip = 0);
  /// Waits until so many messages arrived.
  bool received(std::size_t count);
  std::vector<std::string> events();
  std::vector<std::string> messages();
  std::size_t count(const std::string& text);
  void refuse_incarnation(incarnation i);
  /// What arrives is not done with until false is said.
  void hold(bool on);

 private:
  void note(std::string event);
  template <class P>
  bool wait(P p);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
  std::vector<std::string> messages_;
  std::vector<peer_message> kept_; ///< so that chunks stay referred to
  std::vector<inbound_hold> holds_;
  bool holding_ = false;
  incarnation refused_;
};

local_identity identity(std::uint64_t id, std::uint64_t boot = 0);

/// A transport and its recorder on the loop.
class rig_node {
 public:
  rig_node(coro::loop& l, named_network& net, transport_options o);
  ~rig_node();

  void stop();
  [[nodiscard]] std::uint16_t port() const { return port_; }

  recorder seen;
  coro::loop& loop;
  std::unique_ptr<transport> wire;

 private:
  coro::system_entropy random_;
  coro::task_group stopping_;
  std::uint16_t port_ = 0;
};

transport_options options_for(std::uint64_t id, std::uint64_t boot = 0);

/// A member whose every byte the test decides.
class raw_peer {
 public:
  explicit raw_peer(std::uint16_t port);
  /// Takes a connection from a listening descriptor.
  static std::unique_ptr<raw_peer> accepted(int listener);
  ~raw_peer();
  raw_peer(const raw_peer&) = delete;
  raw_peer& operator=(const raw_peer&) = delete;

  void say(const byte_buffer& bytes);
  void say_hello(const hello& h);
  /// The next frame's content, copied; empty at the end of the stream or after ten seconds.
  std::vector<std::byte> hear();
  std::optional<hello> hear_hello();
  /// Reads on until a goodbye or the end; the goodbye's reason.
  std::string hear_goodbye();

 private:
  raw_peer(int fd, bool);
  int fd_;
  frame_reader reader_{peer_frame_max};
};

/// A listening descriptor on loopback, and its port.
class raw_listener {
 public:
  raw_listener();
  ~raw_listener();
  raw_listener(const raw_listener&) = delete;
  raw_listener& operator=(const raw_listener&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::unique_ptr<raw_peer> accept() { return raw_peer::accepted(fd_); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

} // namespace quorumd::wire::test
