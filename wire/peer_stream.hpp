#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task_group.hpp"
#include "wire/frame.hpp"
#include "wire/handshake.hpp"
#include "wire/inbound_window.hpp"
#include "wire/outbound_queue.hpp"
#include "wire/peer_message.hpp"
#include "wire/transport.hpp"

#include <memory>
#include <string>
#include <vector>

namespace quorumd::wire {

/// What a stream tells its owner, on their loop.
class peer_stream_events {
 public:
  virtual ~peer_stream_events() = default;
  virtual void on_messages(std::vector<peer_message>& batch, inbound_hold hold) = 0;
  virtual void on_writable(bool writable) = 0;
  /// So many bytes wait to be written.
  virtual void on_queue(std::size_t bytes) = 0;
  virtual void on_bad_frame(const std::string& reason) = 0;
  /// It failed or was ended; its tasks go on until join().
  virtual void on_ended() = 0;
};

/// One established stream to a member: a reader that hands over everything one turn brought, a writer that writes
/// everything that waits. Belongs to one loop.
class peer_stream {
 public:
  /// `reader` may hold bytes that came behind the greeting. The counters live as long as the stream.
  peer_stream(coro::loop& l, const transport_options& o, std::unique_ptr<coro::stream> s, frame_reader reader,
              peer_info info, bool dialed_here, peer_stream_events& events, peer_counters& counters);
  peer_stream(const peer_stream&) = delete;
  peer_stream& operator=(const peer_stream&) = delete;
  ~peer_stream();

  /// Begins to read and write.
  void start();
  /// Ends it at once; the first reason stays. The other end is told, if nothing is in the way.
  void end(goodbye::cause why, const std::string& reason);
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// Whether it has ended only since another stream with the same daemon stays.
  [[nodiscard]] bool replaced() const { return replaced_; }
  /// Returns when its tasks have ended; after end().
  [[nodiscard]] coro::task<void> join();

  // Queues; nothing once it has ended.
  void send(const peer_message& m);
  void send(group_id group, const raft::message& m);
  /// Asks for a sign of life now.
  void probe();
  /// Probes when it was silent for three heartbeats, ends it after three more without an answer. When to look again.
  coro::time_point watch(coro::duration heartbeat);

  [[nodiscard]] const peer_info& info() const { return info_; }
  [[nodiscard]] bool dialed_here() const { return dialed_here_; }
  [[nodiscard]] const std::string& remote() const { return stream_->remote(); }
  [[nodiscard]] std::size_t queued_bytes() const { return queue_.bytes(); }
  [[nodiscard]] coro::time_point since() const { return since_; }

 private:
  [[nodiscard]] coro::task<void> run_reader();
  [[nodiscard]] coro::task<void> run_writer();
  void read_batch();
  void decode_frames();
  void deliver();
  void note_queueing();
  void fail_io(const char* doing, const boost::system::error_code& error);
  void queued();
  void note_room();

  coro::loop& loop_;
  const transport_options& options_;
  std::unique_ptr<coro::stream> stream_;
  frame_reader reader_;
  const peer_info info_;
  const bool dialed_here_;
  peer_stream_events& events_;
  peer_counters& counters_;

  // The loop's.
  outbound_queue queue_;
  coro::time_point queued_since_; ///< the oldest of it
  chunk_arena arena_;
  const std::shared_ptr<inbound_window> window_;
  std::vector<peer_message> batch_;
  std::size_t batch_bytes_ = 0;
  bool paused_ = false; ///< the window is full
  coro::time_point since_;
  coro::time_point heard_;
  coro::time_point probed_at_;
  bool probed_ = false;
  bool writable_ = true;
  bool ended_ = false;
  bool replaced_ = false;
  std::string reason_;
  coro::event wake_;
  coro::task_group tasks_;
};

} // namespace quorumd::wire
