#pragma once

#include "coro/event.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/clients/observer.hpp"
#include "daemon/clients/service.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace quorumd::clients {

/// One client connection, on the client port or the admin socket: one reader and one writer. The reader takes all that
/// the socket has, hands it to the group as one batch, and goes on; replies come back through the service and leave in
/// one write. What the bytes mean is the derived class's: a protocol.
///
/// It lives until every request that it handed on is answered.
class connection : protected service::protocol {
 public:
  virtual ~connection() = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // On its loop.
  /// Serves until it ends, every answer has come and is written. Not to be cancelled.
  [[nodiscard]] coro::task<void> serve();
  /// Reads no further request; what is under way is answered.
  virtual void stop_reading();
  /// Writes nothing more either: serve() returns once what is under way was answered, to nobody.
  void break_off();
  /// Looks after it every now and then: whether it says something at all, takes its replies, and may be read again.
  void look_after(coro::time_point now);

 protected:
  connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher);

  /// Reads once, or waits until that makes sense; false: there is nothing more to read.
  [[nodiscard]] virtual coro::task<bool> read_once() = 0;
  /// The replies that came, or the bytes they are made of.
  virtual std::size_t take_from(service& s) = 0;
  /// Nothing is left to be written beside out().
  [[nodiscard]] virtual bool all_made() const { return true; }
  /// So many bytes of out() were written.
  virtual void sent(std::size_t bytes) { service_.left(bytes); }
  /// All of out() was: more may be put there.
  virtual void make_more() {}
  /// Drops what is left to be written.
  virtual void drop_replies();
  /// What it had to leave for want of room may be taken now. For a protocol that must go on reading meanwhile; the
  /// others wait for resumed() in read_once().
  virtual void take_left() {}
  [[nodiscard]] virtual bool reads_always() const { return false; }
  /// Nobody reads any more: what was begun for this client and is not the group's ends.
  virtual void reading_ended() {}
  /// Why it should be let go now, in words; empty: it should not.
  [[nodiscard]] virtual std::string complaint(coro::time_point now);

  /// Into `into`: how much; 0: nothing yet, and it was waited for more. Nothing: it is over.
  [[nodiscard]] coro::task<std::optional<std::size_t>> read_into(std::span<std::byte> into);
  /// Beside reading and writing; it ends before this does, once every request is answered at the latest.
  void run(coro::task<void> t) { writing_.spawn(std::move(t)); }
  /// Hands on what was gathered of a read, and lets the others of the loop have their turn.
  [[nodiscard]] coro::task<void> end_turn();
  /// For a protocol whose answers change their form here: so many bytes came as they were made, and so many are held
  /// now of what came and what became of it.
  void answers_came(std::size_t bytes) { held_ += bytes; }
  void answers_hold(std::size_t bytes);
  /// Of those, so many were written.
  void answers_left(std::size_t bytes);
  /// It said something whole.
  void heard() { heard_ = true; }
  void wake_writer() { wake_.set(); }
  [[nodiscard]] coro::task<void> resumed();
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] service& asks() { return service_; }
  [[nodiscard]] wire::byte_buffer& out() { return out_; }
  [[nodiscard]] observer& watcher() { return observer_; }
  [[nodiscard]] const std::string& remote() const { return stream_->remote(); }
  [[nodiscard]] coro::time_point since() const { return since_; }

  void replies_came() final;
  void room_came() final;

 private:
  coro::task<void> run_reader();
  coro::task<void> run_writer();
  coro::task<void> run_taking();
  coro::task<void> write_out();
  void give_up_slow();
  [[nodiscard]] bool too_slow() const;
  [[nodiscard]] bool settled() const { return service_.idle() && out_.empty() && all_made(); }

  coro::loop& loop_;
  observer& observer_;
  service service_;
  std::unique_ptr<coro::stream> stream_;
  coro::task_group reading_;
  coro::task_group writing_;
  coro::event wake_;
  coro::event settled_; ///< all is answered and written
  coro::event resume_;  ///< the reader may have room again
  wire::byte_buffer out_;
  const coro::time_point since_;
  coro::time_point replies_since_; ///< the oldest reply that is not written was handed over
  std::size_t replies_unwritten_ = 0;
  std::size_t held_ = 0; ///< what the service knows to be, see answers_hold()
  coro::time_point stalled_since_;
  bool heard_ = false;
  bool stalled_ = false; ///< the socket takes no more
  bool broken_ = false;  ///< nothing can be written any more
};

} // namespace quorumd::clients
