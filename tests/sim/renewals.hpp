#pragma once

#include "consensus/types/chunk.hpp"
#include "daemon/node/request.hpp"
#include "tests/sim/cluster.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace quorumd::sim {

/// Those who renew the leases that a run's clients were granted: each at a pace of its own, of any node, some times;
/// then no more, and the lease ends. When another node begins to lead, and the one that led before does not know it
/// yet, most renew theirs of that one, for the last time.
class renewals final : private node::reply_sink {
 public:
  renewals(scheduler& s, cluster& c, counters& n);

  void granted(std::uint64_t lease, coro::duration ttl);
  /// Nothing is renewed any more.
  void stop() { stopped_ = true; }
  [[nodiscard]] bool idle() const;
  /// Whoever asked that node learns nothing any more.
  void node_gone(node_id id);
  /// That node begins to lead.
  void leads(node_id id);

 private:
  struct renewal {
    std::uint64_t lease = 0;
    coro::duration every{};
    std::uint64_t left = 0;       ///< how often
    std::uint64_t plans = 0;      ///< of them the newest alone counts
    std::uint32_t generation = 0; ///< of the present question
    bool waits = false;
    node_id asked;
    coro::time_point asked_at;
    coro::time_point deadline;
  };

  void later(renewal& r, coro::duration pause, node_id of = {});
  void ask(std::size_t which, node_id of);
  void wait_no_longer(std::size_t which, std::uint32_t generation);
  void failed(renewal& r);
  [[nodiscard]] renewal* waiting(const node::reply_to& to);

  void wrote(const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void ranged(const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void failed(const node::reply_to& to, node::request_errc why, std::string_view detail) override;
  void flush() override {}

  scheduler& clock_;
  cluster& cluster_;
  counters& counters_;
  prng random_;
  chunk_arena arena_;
  std::vector<renewal> all_;
  node_id leader_;
  bool stopped_ = false;
};

} // namespace quorumd::sim
