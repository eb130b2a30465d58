#pragma once

#include "coro/event.hpp"
#include "coro/mailbox.hpp"
#include "coro/task_group.hpp"
#include "wire/greeting.hpp"
#include "wire/peer_stream.hpp"
#include "wire/transport.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::wire {

/// A member, whether it has a stream or not. What others say of it in transport.hpp holds here.
struct transport_peer final : peer_stream_events {
  transport_peer(coro::loop& l, node_id n, peer_handler& h, peer_observer& o)
      : id(n)
      , handler(h)
      , observer(o)
      , changed(l)
      , lost(l) {
    counters.id = n;
  }

  void on_messages(std::vector<peer_message>& batch, inbound_hold hold) override {
    handler.on_peer_messages(id, batch, std::move(hold));
  }
  void on_writable(bool room) override {
    writable.store(room, std::memory_order_release);
    handler.on_peer_writable(id, room);
  }
  void on_queue(std::size_t bytes) override { queued_bytes.store(bytes, std::memory_order_relaxed); }
  void on_bad_frame(const std::string& reason) override {
    if (current) observer.on_bad_frame(id, current->remote(), reason);
  }
  void on_ended() override {
    connected.store(false, std::memory_order_release);
    writable.store(false, std::memory_order_release);
    queued_bytes.store(0, std::memory_order_relaxed);
    changed.set();
  }

  [[nodiscard]] bool has_stream() const { return current != nullptr || next != nullptr; }
  /// The stream that is or will be in force; null if there is none or it has ended.
  [[nodiscard]] const peer_stream* incumbent() const {
    if (next) return next.get();
    return current && !current->ended() ? current.get() : nullptr;
  }

  const node_id id;
  peer_handler& handler;
  peer_observer& observer;

  // Read by any thread.
  std::atomic<bool> connected{false};
  std::atomic<bool> writable{false};
  std::atomic<std::size_t> queued_bytes{0};
  std::atomic<std::size_t> inbox_bytes{0}; ///< large parts of messages that cross to the transport's loop

  // The transport's loop.
  std::string address; ///< to dial; empty: it has to dial
  peer_counters counters;
  std::unique_ptr<peer_stream> current;
  std::unique_ptr<peer_stream> next; ///< takes the place of `current` once that has ended
  coro::event changed;               ///< for the coroutine that runs the streams
  coro::event lost;                  ///< for the one that dials: there is no stream any more, or another address
  unsigned failures = 0;             ///< in a row
  // So that a repeated complaint is told once: about dialing it, and about its own dialing.
  std::string dial_complaint;
  std::string accept_complaint;
};

class transport::impl {
 public:
  impl(coro::loop& l, coro::network& net, coro::entropy& random, transport_options o, peer_handler& handler,
       peer_observer& observer);

  [[nodiscard]] boost::system::result<void> start();
  [[nodiscard]] coro::task<void> stop();

  /// From any loop; null if there is none.
  [[nodiscard]] transport_peer* find(node_id id) const;
  void set_members(log_index index, std::vector<member> members, const std::vector<member>& reachable);
  /// Until its queue is full.
  [[nodiscard]] std::size_t room(const transport_peer& p) const;
  void deliver(transport_peer* p, const peer_message& m);
  void deliver(transport_peer* p, group_id group, const raft::message& m);
  /// Whether the candidate may take or keep the place; the reason why not.
  enum class verdict { take, duplicate };
  [[nodiscard]] verdict judge(const transport_peer& p, boot_id boot, bool dialed_here) const;

  coro::loop& loop;
  coro::mailbox<peer_outgoing> inbox;
  std::unique_ptr<coro::acceptor> acceptor;
  std::vector<std::unique_ptr<transport_peer>> peers; ///< all that there ever were, each for good

 private:
  /// Those of `peers` that other loops can find, sorted by id. A table never changes; the older ones stay too, since
  /// another loop may be looking something up. There are as many as nodes that were ever met.
  using table = std::vector<transport_peer*>;
  transport_peer& find_or_add(node_id id);
  [[nodiscard]] std::size_t strangers() const;
  void start_peer(transport_peer& p);

  // accepting
  [[nodiscard]] coro::task<void> run_listener();
  [[nodiscard]] coro::task<void> run_greeting(std::unique_ptr<coro::stream> s);
  [[nodiscard]] coro::task<void> answer(greeting& g, hello other);
  [[nodiscard]] coro::task<void> refuse(greeting& g, node_id id, goodbye::cause why, std::string reason);
  // dialing
  [[nodiscard]] coro::task<void> run_dialer(transport_peer* p);
  [[nodiscard]] coro::task<bool> dial(transport_peer* p);
  [[nodiscard]] coro::task<bool> greet(transport_peer* p, std::unique_ptr<coro::stream> s);
  [[nodiscard]] coro::duration backoff(unsigned failures);
  // streams
  [[nodiscard]] coro::task<void> run_streams(transport_peer* p);
  /// Puts the stream in force, unless one that is better stands; whether it did.
  bool adopt(transport_peer& p, greeting& g, const hello& other, bool dialed_here);
  [[nodiscard]] coro::task<void> run_inbox();
  [[nodiscard]] coro::task<void> run_watch();
  [[nodiscard]] bool drained() const;
  [[nodiscard]] std::optional<std::string> objection(const hello& other, node_id dialed);

  coro::network& net_;
  coro::entropy& random_;
  transport_options options_; ///< the members in it change
  peer_handler& handler_;
  peer_observer& observer_;

  // The loop's.
  greeting::list greetings_;
  std::size_t accepted_ungreeted_ = 0;
  std::vector<peer_outgoing> taken_;
  coro::task_group tasks_;
  bool started_ = false;
  std::vector<std::unique_ptr<const table>> tables_;
  std::atomic<const table*> table_{nullptr};
};

} // namespace quorumd::wire
