#pragma once

#include "consensus/raft/message.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "metrics/histogram.hpp"
#include "wire/handshake.hpp"
#include "wire/inbound_window.hpp"
#include "wire/peer_message.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::wire {

/// What the node does with its peers' messages. Called on the transport's loop; must not wait.
class peer_handler {
 public:
  virtual ~peer_handler() = default;
  /// The stream to the member stands; until on_peer_down. Messages sent from within reach it.
  virtual void on_peer_up(node_id id, const peer_info& info) = 0;
  /// The stream broke: whatever was sent and not answered may or may not have arrived.
  virtual void on_peer_down(node_id id, const std::string& reason) = 0;
  /// Everything that one turn of reading brought, in order; the handler may take what it wants out of the batch, and
  /// ends the hold when it is done with it: beyond transport_options::inbound_bytes_max nothing more is read.
  virtual void on_peer_messages(node_id from, std::vector<peer_message>& batch, inbound_hold hold) = 0;
  /// The queue to the member is full (pause: send no log, forwards or snapshots), or has room again.
  virtual void on_peer_writable(node_id id, bool writable) = 0;
  /// Whether the member may be who it says, judged by its data directory's incarnation: nothing if so, else the reason,
  /// which both sides report. `members_index` is that of the change of members which it knows: one of a later change
  /// than this node's may have been replaced meanwhile.
  [[nodiscard]] virtual std::optional<std::string> check_incarnation(node_id id, incarnation seen,
                                                                     log_index members_index) = 0;
};

/// What a log would want to know. Called on the transport's loop. Repeated failures of one kind are told once.
class peer_observer {
 public:
  virtual ~peer_observer() = default;
  /// The member could not be reached at the address; dialing goes on.
  virtual void on_dial_failed(node_id, const std::string& /*address*/, const std::string& /*reason*/) {}
  /// This node refused a stream at the handshake. The id is 0 if the remote did not say who it is.
  virtual void on_handshake_refused(node_id, const std::string& /*remote*/, const std::string& /*reason*/) {}
  /// The remote refused this node, for the reason it gave.
  virtual void on_refused_by_peer(node_id, const std::string& /*remote*/, const std::string& /*reason*/) {}
  /// A stream that stood has ended, and why; not said of one of two that met, when members dial each other at once.
  virtual void on_stream_ended(node_id, const std::string& /*remote*/, const std::string& /*reason*/) {}
  /// A frame that can't be; its stream is closed.
  virtual void on_bad_frame(node_id, const std::string& /*remote*/, const std::string& /*reason*/) {}
  /// Another stream with the same member took this one's place.
  virtual void on_stream_replaced(node_id, const std::string& /*remote*/, const std::string& /*reason*/) {}
  /// The listener could not accept (no file descriptors, …); it goes on after a pause.
  virtual void on_accept_failed(const std::string& /*reason*/) {}
};

struct transport_options {
  local_identity self;
  coro::endpoint listen; ///< port 0 lets the system choose

  coro::duration heartbeat = std::chrono::milliseconds(50); ///< a stream silent for three is probed, for six closed
  coro::duration connect_timeout = std::chrono::seconds(2);
  coro::duration handshake_timeout = std::chrono::seconds(10);
  coro::duration redial_min = std::chrono::milliseconds(50);
  coro::duration redial_max = std::chrono::seconds(1);
  coro::duration flush_timeout = std::chrono::milliseconds(250); ///< stop() waits so long for what is queued

  std::size_t queue_pause_bytes = std::size_t{32} * 1024 * 1024; ///< the queue to a peer is full; room again at half
  std::size_t queue_bytes_max = std::size_t{64} * 1024 * 1024;   ///< beyond, the stream is closed
  std::size_t unsent_bytes_max = std::size_t{128} * 1024;        ///< in the kernel
  std::size_t block_bytes = std::size_t{256} * 1024;             ///< written before what is more urgent gets its turn
  std::size_t coalesce_bytes = std::size_t{64} * 1024;           ///< of all classes, up to here, leave in one write
  std::size_t read_bytes = std::size_t{256} * 1024;              ///< of one read
  std::size_t batch_bytes_max = std::size_t{1024} * 1024;        ///< read before the batch is handed over
  std::size_t inbound_bytes_max = std::size_t{16} * 1024 * 1024; ///< of one stream, handed over and not done with
  std::size_t handshakes_max = 64;                               ///< accepted streams that have not said who they are
  std::size_t strangers_max = 64; ///< nodes that dialed and are no members as far as this node knows
  bool bulk_first = false;        ///< a deliberate bug that the simulator must find; never in production
};

/// For metrics and status.
struct peer_counters {
  node_id id;
  bool connected = false;
  std::uint64_t streams = 0; ///< established so far
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0; ///< queued
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t reads = 0; ///< system calls
  std::uint64_t writes = 0;
  std::uint64_t dropped = 0; ///< messages for a member without a stream
  std::size_t queued_bytes = 0;
  metrics::histogram queue_waits; ///< of the oldest bytes of each write, nanoseconds from when they were queued
  metrics::histogram write_bytes; ///< of each write
};

/// A message with its receiver.
struct peer_outgoing {
  node_id to;
  peer_message message;
};

/// The streams to all members, and to who may be one by a later change than this node knows: one listener, one dialer
/// and at most one stream each. Everything happens on its loop; what is sent from another loop crosses through a
/// mailbox, a batch at a time.
///
/// A message for a member without a stream is dropped: the core sends again, and whoever waits for an answer hears
/// on_peer_down. Messages of one class (raft appends and forwards; everything else; snapshot chunks) arrive in order.
class transport {
 public:
  transport(coro::loop& l, coro::network& net, coro::entropy& random, transport_options o, peer_handler& handler,
            peer_observer& observer);
  transport(const transport&) = delete;
  transport& operator=(const transport&) = delete;
  /// After stop() has returned, if it was started.
  ~transport();

  /// Listens and starts to dial; on the loop. An error is why the address can't be bound.
  [[nodiscard]] boost::system::result<void> start();
  /// Writes what is queued (within flush_timeout), says goodbye, closes every stream and ends; on the loop.
  [[nodiscard]] coro::task<void> stop();
  /// What is bound.
  [[nodiscard]] coro::endpoint listening() const;

  // From any loop. The messages are moved from; the vector is left empty with its memory.
  void send(node_id to, peer_message m);
  void send(group_id group, std::vector<raft::outgoing>& messages);
  void send(std::vector<peer_outgoing>& messages);

  /// From any loop: whether there is a stream, and whether its queue has room. A forward to a member that is not
  /// writable is to be refused as overloaded.
  [[nodiscard]] bool connected(node_id id) const;
  [[nodiscard]] bool writable(node_id id) const;
  /// How much may be queued to the member until it is not writable, with what is on its way to the queue; 0 without a
  /// stream.
  [[nodiscard]] std::size_t room(node_id id) const;

  // On the loop.
  /// From now on these are the members, from the change at that index; `reachable` are dialed, and what else there is
  /// a stream to loses it.
  void set_members(log_index index, std::vector<member> members, const std::vector<member>& reachable);
  /// What the member said of itself; nothing without a stream.
  [[nodiscard]] std::optional<peer_info> info(node_id id) const;
  [[nodiscard]] std::vector<peer_counters> counters() const;
  /// Closes the stream to the member, which is then dialed again.
  void disconnect(node_id id, const std::string& reason);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

} // namespace quorumd::wire
