#pragma once

#include "daemon/node/request.hpp"
#include "wire/peer_message.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace quorumd::node {

/// Answers requests that other members forwarded to this leader: over the stream they came by, or, if that has ended
/// meanwhile, not at all (the member told its client `unknown` when it broke). A reply that may be large is promised
/// only while the stream has room for it. Belongs to the group's loop.
class forward_replies final : public reply_sink {
 public:
  explicit forward_replies(wire::transport& t)
      : transport_(t) {}

  /// The stream from the member began.
  void stream_began(node_id peer) { ++streams_[peer].generation; }
  /// How the member's request is to be answered.
  [[nodiscard]] reply_to answer_to(node_id peer, std::uint64_t id);

  void wrote(const reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const reply_to& to, request_errc why, std::string_view detail) override;
  void flush() override;
  [[nodiscard]] bool has_room(const reply_to& to) const override;
  [[nodiscard]] bool gone(const reply_to& to) const override;
  void reserve(const reply_to& to) override;
  void unreserve(const reply_to& to) override;

 private:
  struct stream {
    std::uint32_t slot = 0; ///< this member's place in peers_
    std::uint32_t generation = 0;
    std::size_t reserved_bytes = 0; ///< for replies to come
    std::size_t staged_bytes = 0;   ///< of replies that leave with the turn
  };
  void queue(const reply_to& to, wire::forward_reply reply);

  wire::transport& transport_;
  chunk_arena arena_;
  std::map<node_id, stream> streams_;
  std::vector<node_id> peers_;
  std::vector<wire::peer_outgoing> outgoing_;
};

} // namespace quorumd::node
