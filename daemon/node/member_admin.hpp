#pragma once

#include "consensus/raft/core.hpp"
#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "daemon/client/members.hpp"
#include "daemon/node/applier.hpp"
#include "daemon/node/peer_map.hpp"
#include "daemon/node/roster.hpp"
#include "wire/handshake.hpp"
#include "wire/request_error.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::node {

/// How a request about the members ends.
struct member_answer {
  wire::request_errc error = wire::request_errc::none;
  std::string text; ///< why, and what to do
  client::members_reply reply;
};

/// The members of a group as their administrator sees and changes them: checks what is asked for, hands it to the core,
/// and answers when it is over; as leader it makes voters of learners that have caught up. Belongs to the group's loop.
class member_admin {
 public:
  using receiver = std::function<void(const member_answer&)>;
  struct seams {
    const coro::loop& loop;
    const wire::local_identity& self;
    raft::core& core;
    const applier& state;
    const peer_map& peers;
    std::function<node_id(std::string_view)> id_of; ///< a member's number by its name, or by its
                                                    ///< address while it has none; 0 if that can be neither
    bool join_anywhere = false;                     ///< a deliberate bug for the simulator
    std::function<void()> wake;                     ///< the core has something to say
  };

  explicit member_admin(seams s)
      : seams_(std::move(s)) {}

  /// Who the members are by the newest entry of the log, and what is known of them; committed or not.
  [[nodiscard]] const roster& in_force() const { return in_force_; }
  /// Works out in_force() at the start: from these entries of kind `members`, which follow what is applied.
  void begin(const std::vector<entry>& logged);
  /// Other members are in force.
  void members_changed();

  [[nodiscard]] client::members_reply now() const;
  /// Of a node that wants to join, with an empty data directory: as a learner only.
  [[nodiscard]] member_answer join(const client::join_request& r) const;
  /// The answer comes when the change is over, or it is not begun, or the time is up.
  void change(const client::member_change& c, coro::time_point deadline, receiver done);
  /// The answer comes when another node leads.
  void transfer(const client::leader_transfer& t, coro::time_point deadline, receiver done);

  /// A few times a second: what waits may be over, or too late; learners may have caught up.
  void keep_house(coro::time_point now);
  /// Whether somebody waits for an answer.
  [[nodiscard]] bool asked() const { return !waiting_.empty(); }
  /// Nobody is to wait any more.
  void end();

 private:
  struct waiter {
    receiver done;
    coro::time_point deadline;
    log_index index;    ///< of the entry that begins the change; 0: a transfer
    quorumd::term term; ///< in which it was begun
    node_id to;         ///< who is to lead
  };
  /// What is to come of a change that was asked for, or why not.
  struct plan {
    std::string refusal;
    wire::request_errc error = wire::request_errc::refused;
    roster next;
  };
  [[nodiscard]] plan plan_of(const client::member_change& c) const;
  [[nodiscard]] std::string plan_one(const client::member_change& c, const client::member_spec& m, roster& next) const;
  [[nodiscard]] std::string add(const std::string& name, const std::string& address, bool promote, roster& next) const;
  [[nodiscard]] std::string replace(const client::member_change& c, const client::member_spec& m, node_id id,
                                    roster& next) const;
  [[nodiscard]] std::string move(node_id id, const std::string& address, roster& next) const;
  [[nodiscard]] std::string set_kind(const client::member_change& c, const client::member_spec& m, roster& next) const;
  [[nodiscard]] incarnation data_seen_of(node_id id) const;
  [[nodiscard]] std::string unsafe(const roster& next) const;
  [[nodiscard]] std::string too_old(const client::member_change& c, const roster& next) const;
  [[nodiscard]] bool under_way() const;
  [[nodiscard]] bool alive(node_id id) const;
  [[nodiscard]] std::optional<raft::peer_progress> progress_of(node_id id) const;
  [[nodiscard]] member_answer refusal(wire::request_errc error, const std::string& text) const;
  [[nodiscard]] std::optional<member_answer> outcome(const waiter& w, coro::time_point now) const;
  void name_newcomers(roster& next) const;
  void promote_learners();

  const seams seams_;
  roster in_force_;
  std::vector<waiter> waiting_;
  log_index last_before_; ///< the log's end when learners were looked at last
};

} // namespace quorumd::node
