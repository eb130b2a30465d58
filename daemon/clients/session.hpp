#pragma once

#include "consensus/types/chunk.hpp"
#include "coro/event.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/clients/admission.hpp"
#include "daemon/clients/observer.hpp"
#include "daemon/clients/reply_channel.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/node/node.hpp"
#include "daemon/node/request.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/client_protocol.hpp"
#include "wire/frame.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::clients {

struct session_options {
  std::chrono::milliseconds timeout_default{5'000}; ///< of a request that brings none
  std::chrono::milliseconds timeout_max{60'000};
  std::size_t inflight_max = 4'096;                            ///< requests of one connection
  std::size_t queue_bytes_max = std::size_t{16} * 1024 * 1024; ///< of replies that the client does not read
  std::size_t request_bytes_max = kv::request_bytes_max;       ///< keys and values of one command
};

/// One client connection, on the client port or the admin socket: one reader and one writer. The reader takes all
/// that the socket has, hands it to the group as one batch, and goes on; replies come back through a channel and
/// leave in one write.
///
/// Every request that was handed on is answered once, by its deadline at the latest, and the session lives until then.
class session final : public node::reply_sink {
 public:
  session(coro::loop& l, std::unique_ptr<coro::stream> s, node::node& n, admission& a, const session_options& o,
          observer& watcher);
  ~session() override;

  // On the session's loop.
  /// Serves the connection until it ends, every answer has come and is written. Not to be cancelled.
  [[nodiscard]] coro::task<void> serve();
  /// Reads no further request; what is under way is answered.
  void stop_reading();
  /// Writes nothing more either: serve() returns once what is under way was answered, to nobody.
  void break_off();
  /// Answers with one error and closes: for connections that are not admitted.
  [[nodiscard]] static coro::task<void> refuse(std::unique_ptr<coro::stream> s, wire::request_errc code,
                                               std::string text);

  // On the group's loop.
  void wrote(const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const node::reply_to& to, node::request_errc why, std::string_view detail) override;
  void flush() override;

 private:
  /// What a reply_to's slot says of a request.
  enum class asked : std::uint32_t { plain, health };

  coro::task<void> run_reader();
  coro::task<void> run_writer();
  coro::task<bool> read_once();
  coro::task<void> write_out();
  void give_up_slow();
  [[nodiscard]] bool too_slow() const { return stalled_ && out_.size() > options_.queue_bytes_max; }
  [[nodiscard]] bool settled() const { return inflight_ == 0 && out_.empty(); }
  [[nodiscard]] bool take_frames();
  void take(std::span<const std::byte> frame);
  void take(const wire::client_request& r);
  void take_command(std::uint64_t id, coro::time_point deadline, const kv::command& c);
  void read_transaction(std::uint64_t id, coro::time_point deadline, const kv::command& c);
  void take_range(std::uint64_t id, coro::time_point deadline, const wire::range_read& r, asked what);
  void take_status(std::uint64_t id, bool all);
  void submit();
  [[nodiscard]] bool admit(std::uint64_t id);
  [[nodiscard]] node::reply_to answer(std::uint64_t id, asked what);
  void refuse_request(std::uint64_t id, wire::request_errc code, std::string_view text);
  void take_replies();
  void bad(const std::string& why);

  coro::loop& loop_;
  node::node& node_;
  admission& admission_;
  const session_options options_;
  observer& observer_;

  // The session's loop.
  std::unique_ptr<coro::stream> stream_;
  coro::task_group reading_;
  coro::task_group writing_;
  coro::event wake_;
  coro::event settled_; ///< all is answered and written
  wire::frame_reader reader_;
  chunk_arena arena_;
  std::vector<node::write_request> writes_;
  std::vector<node::read_request> reads_;
  wire::byte_buffer out_;
  std::size_t inflight_ = 0;
  bool stalled_ = false;    ///< the socket takes no more
  bool broken_ = false;     ///< nothing can be written any more
  std::string first_bytes_; ///< of the stream, to tell a stranger what it spoke to

  reply_channel channel_; // either loop

  // The group's loop.
  wire::byte_buffer staged_;
  std::size_t staged_count_ = 0;
};

} // namespace quorumd::clients
