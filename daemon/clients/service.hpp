#pragma once

#include "consensus/types/chunk.hpp"
#include "coro/loop.hpp"
#include "daemon/client/protocol.hpp"
#include "daemon/clients/admission.hpp"
#include "daemon/clients/emulated.hpp"
#include "daemon/clients/reply_channel.hpp"
#include "daemon/clients/session_metrics.hpp"
#include "daemon/clients/shared_memory.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/node/node.hpp"
#include "daemon/node/request.hpp"
#include "wire/byte_buffer.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace quorumd::clients {

/// What a client is told for whom there is no place.
inline constexpr const char* too_many_clients = "this node has as many clients as limits.clients_max allows";

struct web_rules;

struct session_options {
  std::chrono::milliseconds timeout_default{5'000}; ///< of a request that brings none
  std::chrono::milliseconds timeout_max{60'000};
  std::size_t inflight_max = 4'096; ///< requests of one connection
  /// What requests under way and replies not yet taken may hold; half is for each.
  std::size_t queue_bytes_max = std::size_t{16} * 1024 * 1024;
  std::size_t request_bytes_max = kv::request_bytes_max; ///< keys and values of one command
  std::chrono::milliseconds handshake_timeout{10'000};   ///< for the first whole request
  std::chrono::milliseconds progress_interval{600'000};  ///< of watches that ask for progress
  const emulated_etcd* etcd = &etcd_3_5;
  std::shared_ptr<const web_rules> web{}; ///< over HTTP/1.1; none: any host, and no other origin
  bool only_watched = false;              ///< it may ask how the node is, and nothing of what it holds
  bool profiles = false;                  ///< it may take them over HTTP/1.1, without being judged
  bool only_health = false; ///< there is no place for it: it may ask for health and status, and not for long
};

/// What one connection asks of this node, whatever protocol it speaks: judges requests and their deadlines, bounds what
/// they and their replies hold, hands them to the group as one batch a read, and brings the answers back.
///
/// A client holds only so much of this node's memory. While its requests or its replies take as much as they may, its
/// connection is to read nothing more (may_ask()), and a large reply is made only while the replies before it leave
/// room. Every request that was handed on is answered once, by its deadline at the latest; the service stays until
/// then.
class service final : public node::reply_sink {
 public:
  /// A connection's protocol, by which answers become bytes. A reply_to's `id` and `slot` are what it gave the request.
  class protocol {
   public:
    // On the group's loop: each appends one reply. The views hold during the call.
    virtual void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) = 0;
    virtual void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) = 0;
    /// `leader`: where its clients reach it, if another node leads and that is known.
    virtual void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
                        std::string_view leader) = 0;
    // On the connection's loop.
    /// A request was refused before it was handed on.
    virtual void refuse(std::uint64_t id, node::request_errc why, std::string_view text) = 0;
    virtual void refuse(std::uint64_t id, const kv::error& why) = 0;
    /// Replies came: service::take() has them, to be called at once.
    virtual void replies_came() = 0;
    /// What the connection holds became less.
    virtual void room_came() = 0;
    /// And so much that what has_room() denied may be made.
    virtual void reply_room_came() {}

   protected:
    ~protocol() = default;
  };
  struct time_limits {
    coro::time_point deadline;
    coro::time_point leader_by;
  };
  struct parts {
    coro::loop& loop; ///< the connection's
    node::node& node;
    clients::admission& admission;
    shared_memory& memory;
    session_metrics& measured;
  };

  service(const parts& p, const session_options& o, protocol& by);

  // --- on the connection's loop ---
  /// From a time that the client gave, or gave none.
  [[nodiscard]] time_limits limits(std::chrono::milliseconds remaining,
                                   std::chrono::milliseconds leader_wait = {}) const;
  /// When the bytes came that the requests from now on are in.
  void read_at(coro::time_point t) { read_at_ = t; }
  [[nodiscard]] coro::time_point read_at() const { return read_at_; }
  /// What it asks for yields to what others ask for.
  void yields(bool bulk) { bulk_ = bulk; }

  // Each is answered once, maybe before it returns: refused.
  void write(std::uint64_t id, std::uint32_t slot, time_limits until, const kv::command& c,
             const kv::session_call& call = {});
  /// `urgent` is asked for health: whether this node can answer, not what it holds.
  void range(std::uint64_t id, std::uint32_t slot, time_limits until, const client::range_read& r, bool urgent = false);
  /// Runs `ask` with the group, on its loop. That has reply() called once, with `held` bytes taken until then; false:
  /// it was refused.
  using question = std::function<void(node::group&, const node::reply_to&)>;
  bool call(std::uint64_t id, std::uint32_t slot, std::size_t held, bool urgent, question ask);
  /// A place for what goes on, until release(), with `held` bytes taken as long; nothing: it was refused.
  [[nodiscard]] std::optional<node::reply_to> hold_place(std::uint64_t id, std::size_t held);
  /// A place for a request that the group has nothing to do with, until left_place(); false: it was refused.
  [[nodiscard]] bool take_place(std::uint64_t id);
  void leave_place();
  /// A command that is to have its effect, though nobody waits for the answer: at once.
  void write_for_nobody(const kv::command& c);
  /// What was gathered goes to the group.
  void submit();

  [[nodiscard]] bool may_ask() const;
  /// Nothing is under way, nor gathered to be.
  [[nodiscard]] bool idle() const { return inflight_ == 0 && writes_.empty() && reads_.empty(); }
  /// Appends what came; how many requests it answers.
  [[nodiscard]] std::size_t take(wire::byte_buffer& out);
  /// When the oldest of what take() gives was made.
  [[nodiscard]] coro::time_point made_at() { return channel_.since(); }
  /// Bytes of replies that were made here, or that the socket or nobody took.
  void holds(std::size_t reply_bytes);
  void left(std::size_t reply_bytes);
  [[nodiscard]] std::size_t reply_bytes() const { return reply_bytes_.load(); }
  /// Nobody is there any more to read answers.
  void client_gone() { gone_ = true; }
  [[nodiscard]] const session_options& options() const { return options_; }
  [[nodiscard]] node::node& node() const { return node_; }
  [[nodiscard]] coro::loop& loop() const { return loop_; }
  [[nodiscard]] shared_memory& memory() const { return memory_; }
  [[nodiscard]] session_metrics& metrics() const { return metrics_; }
  [[nodiscard]] clients::admission& admission() const { return admission_; }

  // --- on the group's loop ---
  /// The answer of a call(): `encode` appends it, unless nobody is there to read it.
  template <class Encode>
  void reply(node::group& g, const node::reply_to& to, Encode encode) {
    if (!gone_) encode(staged_);
    answer_made(to);
    g.flush_later(*this);
  }
  /// Something for this client that answers no request.
  template <class Encode>
  void say(node::group& g, Encode encode) {
    if (!gone_) encode(staged_);
    g.flush_later(*this);
  }
  /// The end of a held place.
  void release(node::group& g, const node::reply_to& place) {
    reply(g, place, [](wire::byte_buffer&) {});
  }
  void wrote(const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const node::reply_to& to, node::request_errc why, std::string_view detail) override;
  void flush() override;
  [[nodiscard]] bool has_room(const node::reply_to& to) const override;
  void reserve(const node::reply_to& to) override;
  void unreserve(const node::reply_to& to) override;
  [[nodiscard]] bool gone(const node::reply_to& to) const override;

 private:
  void read_transaction(std::uint64_t id, std::uint32_t slot, time_limits until, const proposal& encoded);
  [[nodiscard]] bool admit(std::uint64_t id, bool urgent = false);
  [[nodiscard]] node::reply_to answer(std::uint64_t id, std::uint32_t slot, std::size_t request_bytes);
  void answer_made(const node::reply_to& to);
  /// How much of it this client may hold now.
  [[nodiscard]] std::size_t share(const shared_pool& pool) const;

  coro::loop& loop_;
  node::node& node_;
  clients::admission& admission_;
  shared_memory& memory_;
  session_metrics& metrics_;
  const session_options options_;
  protocol& protocol_;

  // The connection's loop.
  coro::time_point read_at_; ///< the socket was read last
  chunk_arena arena_;
  std::vector<node::write_request> writes_;
  std::vector<node::read_request> reads_;
  std::size_t inflight_ = 0;
  std::size_t request_bytes_ = 0; ///< of what is under way
  bool bulk_ = false;

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

} // namespace quorumd::clients
