#pragma once

#include "coro/clock.hpp"
#include "daemon/client/members.hpp"
#include "daemon/node/member_admin.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <map>

namespace quorumd::node {

/// Changes of the members that were asked of this node and that the leader makes: each goes there once, by the peer
/// stream, and comes back with what the leader answers. Belongs to the group's loop.
class member_relay {
 public:
  member_relay(group_id group, wire::transport& transport, std::uint64_t first_id)
      : group_(group)
      , transport_(transport)
      , next_id_(first_id) {}

  /// `leader` has feature_relayed_changes. The answer comes when it does, its stream breaks, or the time is up.
  void ask(node_id leader, const client::member_change& c, coro::time_point now, coro::time_point deadline,
           member_admin::receiver done);
  void answered(node_id from, const wire::relay_reply& m);
  void broken(node_id leader);
  void expire(coro::time_point now);
  /// Whether somebody waits for an answer.
  [[nodiscard]] bool asked() const { return !waiting_.empty(); }
  /// Nobody is to wait any more.
  void end();

  static constexpr std::size_t waiting_max = 64;

 private:
  struct question {
    node_id leader;
    coro::time_point deadline;
    member_admin::receiver done;
  };
  template <class Over>
  void fail_if(Over over, const char* why);

  const group_id group_;
  wire::transport& transport_;
  std::uint64_t next_id_;
  std::map<std::uint64_t, question> waiting_;
};

/// For the leader: what was asked for; nothing if it is anything but a change of the members.
[[nodiscard]] std::optional<client::member_change> relayed_change(const wire::relay_request& m);
[[nodiscard]] wire::relay_reply relayed_answer(std::uint64_t id, const member_answer& a);

} // namespace quorumd::node
