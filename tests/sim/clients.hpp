#pragma once

#include "consensus/types/chunk.hpp"
#include "daemon/node/request.hpp"
#include "tests/sim/checkers/history.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/renewals.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::sim {

/// The load of a run: clients that each ask one thing at a time, of any node, and write down what they asked and what
/// came back. Some do so in sessions: a write whose outcome is unknown is sent again, and is one operation all the
/// same.
class clients final : private node::reply_sink {
 public:
  clients(scheduler& s, cluster& c, renewals& r, const plan& p, counters& n);

  void start();
  /// So many more operations, however many there were, and with patience from now on.
  void go_on(std::uint64_t operations) {
    operations_max_ = history_.size() + operations;
    patient_ = true;
  }
  /// No new operations.
  void stop() { stopped_ = true; }
  [[nodiscard]] bool idle() const;
  /// One linearizable read of everything at each node.
  void read_everywhere();
  /// Whoever asked that node learns nothing any more.
  void node_gone(node_id id);

  [[nodiscard]] const std::vector<operation>& history() const { return history_; }
  /// Which operations' command made which revision, by the committed log.
  [[nodiscard]] std::map<std::uint64_t, std::vector<std::uint64_t>> made_by() const;
  [[nodiscard]] std::uint64_t acknowledged_writes() const { return acknowledged_writes_; }

 private:
  struct client {
    std::uint32_t number = 0;
    std::uint32_t generation = 0; ///< of its present operation
    bool busy = false;
    node_id asked;
    coro::time_point deadline;
    std::size_t current = 0;                                         ///< in the history
    std::uint64_t command = 0;                                       ///< a hash of what it sent
    kv::session_call call;                                           ///< its newest command; no session: it has none
    std::optional<std::pair<kv::session_call, std::size_t>> settled; ///< an earlier one, and its place in the history
    unsigned tries = 0;                                              ///< that came to nothing, of its present operation
    enum class doing : std::uint8_t { operation, opening, asking_again } what = doing::operation;
  };

  void think(client& c);
  void next(client& c);
  [[nodiscard]] node_id some_node();
  void watch(client& c);
  void ask(client& c, node_id at, operation o);
  void send_write(client& c, const operation& o);
  void send_command(client& c, const kv::command& command);
  void send_read(client& c, const operation& o);
  // Sessions (client_sessions.cpp).
  [[nodiscard]] bool has_sessions(const client& c) const { return c.number < plan_.load.session_clients; }
  void open_session(client& c, node_id at);
  void maybe_leave_session(client& c);
  void send_settled(client& c);
  void send_to_nobody(const kv::command& command, const kv::session_call& call);
  [[nodiscard]] bool try_again(client& c);
  void send_again_soon(client& c);
  void send_again(std::uint32_t number, std::uint32_t generation);
  [[nodiscard]] bool ask_again(client& c);
  void ended_in_session(client& c, const kv::result<kv::reply>& r);
  void refused_in_session(client& c, const kv::error& e);
  void rest(client& c);
  [[nodiscard]] std::string asked_by(const client& c) const;
  void wait_no_longer(std::uint32_t number, std::uint32_t generation);
  [[nodiscard]] client* waiting(const node::reply_to& to);
  void close(client& c, outcome how);
  void answered(client& c);

  [[nodiscard]] operation draw();
  [[nodiscard]] operation draw_txn();
  [[nodiscard]] std::string draw_key();
  [[nodiscard]] action draw_put();
  [[nodiscard]] std::uint64_t draw_lease();
  [[nodiscard]] operation draw_of_leases();
  void lease_ended(std::uint64_t lease, std::uint64_t revision, std::uint64_t command);
  [[nodiscard]] action draw_range(action::kind what);
  void remember(const operation& o);
  [[nodiscard]] std::uint64_t newest_at(coro::time_point then) const;

  void wrote(const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const node::reply_to& to, node::request_errc why, std::string_view detail) override;
  void flush() override {}

  scheduler& clock_;
  cluster& cluster_;
  renewals& renewals_;
  const plan& plan_;
  counters& counters_;
  prng random_;
  chunk_arena arena_;
  std::vector<client> clients_;
  std::vector<operation> history_;
  std::map<std::uint64_t, std::vector<std::uint64_t>> sent_; ///< command hash to operations
  std::map<std::string, seen_key> last_seen_;
  std::uint64_t newest_ = 1; ///< revision seen
  struct seen_revision {
    coro::time_point at;
    std::uint64_t revision = 0;
  };
  std::vector<seen_revision> newest_since_; ///< how newest_ grew
  std::uint64_t moment_ = 0;
  std::uint64_t next_value_ = 1;
  std::vector<std::uint64_t> granted_; ///< leases that are acknowledged, and mostly not revoked
  std::uint64_t leases_asked_ = 0;
  std::map<std::uint64_t, std::uint64_t> asked_for_; ///< the moments at which leases were
  std::uint64_t acknowledged_writes_ = 0;
  std::uint64_t operations_max_;
  bool patient_ = false;
  bool stopped_ = false;
};

} // namespace quorumd::sim
