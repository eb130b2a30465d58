#pragma once

#include "daemon/clients/etcd/staging.hpp"
#include "daemon/clients/service.hpp"
#include "daemon/node/request.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace quorumd::clients::etcd {

/// A call whose answers go on: what it does on the group's loop, and what both loops know of it. It holds a place of
/// its connection, which lives until the call has ended there.
class call_stream : public std::enable_shared_from_this<call_stream> {
 public:
  /// Unsent messages of one call beyond which it is given no more. A call of which nothing is unsent has room.
  static constexpr std::size_t unsent_max = std::size_t{4} * 1024 * 1024;

  call_stream(service& asks, std::int32_t id, const node::reply_to& place)
      : asks_(asks)
      , id_(static_cast<std::uint64_t>(id))
      , place_(place) {}
  call_stream(const call_stream&) = delete;
  call_stream& operator=(const call_stream&) = delete;
  virtual ~call_stream() = default;

  // --- on the connection's loop ---
  /// So many bytes of its messages were sent.
  void left(std::size_t bytes);
  /// What kept it from having room may be over.
  void room_came();
  /// Nobody hears it any more.
  void close();

  // --- on the group's loop ---
  /// Nothing comes of it any more: whatever is asked of it has no effect.
  [[nodiscard]] bool ended() const { return ended_; }
  /// Ends it with that status.
  void end(const grpc_status& s);

 protected:
  [[nodiscard]] service& asks() const { return asks_; }
  [[nodiscard]] node::group& the_group() const { return asks_.node().the_group(); }
  /// Whether so many bytes more may be made for it. Those that are promised count until said().
  [[nodiscard]] bool has_room(std::size_t bytes);
  void promised(std::size_t bytes) { promised_ += bytes; }
  void said() { promised_ = 0; }
  /// Sends a message; `encode` as of stage_message().
  template <class Encode>
  void say(Encode encode) {
    asks_.say(the_group(), [&](wire::byte_buffer& out) {
      const std::size_t before = out.size();
      stage_message(out, staged_kind::part, id_, encode);
      unsent_ += out.size() - before - staged_head_bytes;
    });
  }

  /// It ends: what it has in the group is given up.
  virtual void give_up() = 0;
  /// There may be room for what has_room() denied.
  virtual void resume() = 0;

 private:
  void finish(const grpc_status* s);

  service& asks_;
  const std::uint64_t id_;
  const node::reply_to place_;

  std::atomic<std::size_t> unsent_{0};
  std::atomic<bool> room_wanted_{false};

  // The group's loop.
  std::size_t promised_ = 0;
  bool ended_ = false;
};

} // namespace quorumd::clients::etcd
