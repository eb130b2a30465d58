#pragma once

#include "consensus/types/chunk.hpp"
#include "coro/event.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/clients/admission.hpp"
#include "daemon/clients/observer.hpp"
#include "daemon/clients/profiler.hpp"
#include "daemon/clients/reply_channel.hpp"
#include "daemon/clients/reporter.hpp"
#include "daemon/clients/session_metrics.hpp"
#include "daemon/clients/shared_memory.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/node/node.hpp"
#include "daemon/node/request.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/client_protocol.hpp"
#include "wire/frame.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::clients {

struct session_options {
  std::chrono::milliseconds timeout_default{5'000}; ///< of a request that brings none
  std::chrono::milliseconds timeout_max{60'000};
  std::size_t inflight_max = 4'096; ///< requests of one connection
  /// What requests under way and replies not yet taken may hold; half is for each.
  std::size_t queue_bytes_max = std::size_t{16} * 1024 * 1024;
  std::size_t request_bytes_max = kv::request_bytes_max; ///< keys and values of one command
  std::chrono::milliseconds handshake_timeout{10'000};   ///< for the first whole frame
  bool only_health = false; ///< there is no place for it: it may ask for health and status, and not for long
};

/// What a client is told for whom there is no place.
inline constexpr const char* too_many_clients = "this node has as many clients as limits.clients_max allows";

/// One client connection, on the client port or the admin socket: one reader and one writer. The reader takes all
/// that the socket has, hands it to the group as one batch, and goes on; replies come back through a channel and
/// leave in one write.
///
/// A client holds only so much of this node's memory. While its requests or its replies take as much as they may,
/// nothing more is read from it, so that what it sends waits in its own socket; and a large reply is made only while
/// the replies before it leave room.
///
/// Every request that was handed on is answered once, by its deadline at the latest, and the session lives until then.
class session final : public node::reply_sink {
 public:
  /// `reports` may be null: then it tells nothing of what the node measures; `profiles` is, but for operators.
  session(coro::loop& l, std::unique_ptr<coro::stream> s, node::node& n, admission& a, shared_memory& m,
          const session_options& o, observer& watcher, session_metrics& measured, reporter* reports,
          profiler* profiles);
  ~session() override;

  // On the session's loop.
  /// Serves the connection until it ends, every answer has come and is written. Not to be cancelled.
  [[nodiscard]] coro::task<void> serve();
  /// Reads no further request; what is under way is answered.
  void stop_reading();
  /// Writes nothing more either: serve() returns once what is under way was answered, to nobody.
  void break_off();
  /// Looks after it every now and then: whether it says something at all, takes its replies, and may be read again.
  void look_after(coro::time_point now);
  /// Answers with one error and closes: for connections that are not admitted.
  [[nodiscard]] static coro::task<void> refuse(std::unique_ptr<coro::stream> s, wire::request_errc code,
                                               std::string text);

  // On the group's loop.
  void wrote(const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const node::reply_to& to, node::request_errc why, std::string_view detail) override;
  void flush() override;
  [[nodiscard]] bool has_room(const node::reply_to& to) const override;
  void reserve(const node::reply_to& to) override;
  void unreserve(const node::reply_to& to) override;
  [[nodiscard]] bool gone(const node::reply_to& to) const override;

 private:
  /// What a reply_to's slot says of a request.
  enum class asked : std::uint32_t { plain, health };
  struct time_limits {
    coro::time_point deadline;
    coro::time_point leader_by;
  };

  coro::task<void> run_reader();
  coro::task<void> run_writer();
  coro::task<bool> read_once();
  coro::task<void> write_out();
  void give_up_slow();
  [[nodiscard]] coro::duration frame_patience() const;
  [[nodiscard]] bool too_slow() const;
  [[nodiscard]] bool settled() const { return inflight_ == 0 && out_.empty(); }
  /// How much of it this client may hold now.
  [[nodiscard]] std::size_t share(const shared_pool& pool) const;
  [[nodiscard]] bool may_ask() const;
  [[nodiscard]] bool make_room_for_frame();
  [[nodiscard]] bool take_frames();
  [[nodiscard]] bool has_place(const wire::client_request& r);
  [[nodiscard]] bool refuse_too_large(const std::string& why);
  void take(std::span<const std::byte> frame);
  void take(const wire::client_request& r);
  void take_command(std::uint64_t id, time_limits until, const kv::command& c, const kv::session_call& call);
  void read_transaction(std::uint64_t id, time_limits until, const proposal& encoded);
  void take_range(std::uint64_t id, time_limits until, const wire::range_read& r, asked what);
  void take_status(std::uint64_t id, bool all);
  void take_metrics(std::uint64_t id);
  bool take_members(std::uint64_t id, time_limits until, const wire::client_request& r);
  void take_profile(std::uint64_t id, const wire::profile_request& p);
  void take_snapshot(std::uint64_t id, const wire::snapshot_request& r);
  void submit();
  [[nodiscard]] bool admit(std::uint64_t id, bool urgent = false);
  [[nodiscard]] node::reply_to answer(std::uint64_t id, asked what, std::size_t request_bytes);
  template <class Body>
  void reply_at_once(std::uint64_t id, const Body& body);
  void left(std::size_t reply_bytes);
  void discard_replies();
  void refuse_request(std::uint64_t id, wire::request_errc code, std::string_view text);
  void take_replies();
  void answered_here();
  void bad(const std::string& why);
  void answer_made(const node::reply_to& to);

  coro::loop& loop_;
  node::node& node_;
  admission& admission_;
  shared_memory& memory_;
  const session_options options_;
  observer& observer_;
  reporter* const reporter_;
  profiler* const profiler_;

  // The session's loop.
  session_metrics& metrics_;
  coro::time_point read_at_;       ///< the socket was read last
  coro::time_point replies_since_; ///< the oldest reply that is not written was handed over
  std::size_t replies_unwritten_ = 0;
  std::unique_ptr<coro::stream> stream_;
  coro::task_group reading_;
  coro::task_group writing_;
  coro::event wake_;
  coro::event settled_; ///< all is answered and written
  coro::event resume_;  ///< the reader may have room again
  wire::frame_reader reader_;
  chunk_arena arena_;
  std::vector<node::write_request> writes_;
  std::vector<node::read_request> reads_;
  wire::byte_buffer out_;
  std::size_t inflight_ = 0;
  std::size_t request_bytes_ = 0; ///< of what is under way
  std::size_t frame_bytes_ = 0;   ///< of a large one that is being read
  const coro::time_point since_;
  coro::time_point stalled_since_;
  coro::time_point listens_since_; ///< for what is missing of a large frame
  bool bulk_ = false;              ///< it yields to others
  bool heard_ = false;             ///< a whole frame
  bool refused_ = false;           ///< it asked for what there is no place for
  bool more_frames_ = false;       ///< were read and wait for room
  bool stalled_ = false;           ///< the socket takes no more
  bool broken_ = false;            ///< nothing can be written any more
  std::string first_bytes_;        ///< of the stream, to tell a stranger what it spoke to

  // Either loop.
  reply_channel channel_;
  std::atomic<std::size_t> reply_bytes_{0}; ///< made and not yet taken by the socket
  std::atomic<bool> gone_{false};
  mutable std::atomic<bool> room_wanted_{false}; ///< a reply waits for reply_bytes_ to fall

  // The group's loop.
  wire::byte_buffer staged_;
  answered staged_answers_;
  std::size_t reserved_bytes_ = 0; ///< for replies of commands that are under way
};

template <class Body>
void session::reply_at_once(std::uint64_t id, const Body& body) {
  const std::size_t before = out_.size();
  wire::encode_reply(out_, id, body);
  reply_bytes_ += out_.size() - before;
  memory_.replies.take(out_.size() - before);
}

} // namespace quorumd::clients
