#pragma once

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/node/group.hpp"
#include "daemon/node/request.hpp"
#include "tests/sim/cluster.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace quorumd::sim {

/// A cluster in the hands of a test, which has a leader.
class test_cluster : private node::reply_sink {
 public:
  explicit test_cluster(plan p)
      : plan_(std::move(p))
      , clock_(plan_.seed, false, coro::duration::zero())
      , cluster_(clock_, plan_, counters_) {
    clock_.set_visit_cost(plan_.visit_cost);
    cluster_.boot_all();
    REQUIRE(until([this] { return bool(cluster_.leader()); }, std::chrono::seconds(10)));
  }
  ~test_cluster() override { cluster_.shut_down(); }

  /// Whether the condition holds within that time.
  bool until(const std::function<bool()>& condition, coro::duration at_most) {
    const coro::time_point limit = clock_.now() + at_most;
    while (!condition()) {
      const bool more = clock_.step(limit);
      cluster_.after_step();
      if (!cluster_.wrong().empty()) FAIL(cluster_.wrong());
      if (!more && clock_.now() >= limit) return condition();
    }
    return true;
  }
  void go_on(coro::duration length) {
    until([] { return false; }, length);
  }

  /// A command of the next batch.
  void add(const kv::command& c) {
    node::write_request r;
    r.to = {this, 0, 0, ++asked_};
    r.deadline = clock_.now() + std::chrono::minutes(10);
    r.command = kv::encode_command(arena_, c);
    r.grows = node::may_grow(c);
    r.level = kv::needed_level(c, {});
    writes_.push_back(std::move(r));
  }
  /// A read of the next batch; the bytes that it refers to stay.
  void add(const kv::range_request& range) {
    node::read_request r;
    r.to = {this, 0, 0, ++asked_};
    r.deadline = clock_.now() + std::chrono::minutes(10);
    r.range = range;
    reads_.push_back(std::move(r));
  }
  /// Asks the leader.
  void submit() {
    node::node& leader = cluster_.the_node(cluster_.leader());
    leader.submit(writes_);
    leader.submit(reads_);
  }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] bool all_answered() const { return answered_ + failures_ == asked_; }

  [[nodiscard]] const raft::core& core(node_id id) { return cluster_.the_node(id).the_group().core(); }
  [[nodiscard]] node_id follower() const { return node_id(cluster_.leader().value() % plan_.nodes + 1); }
  [[nodiscard]] sim::cluster& cluster() { return cluster_; }
  [[nodiscard]] scheduler& clock() { return clock_; }
  [[nodiscard]] counters& counts() { return counters_; }

 private:
  void wrote(const node::reply_to&, const kv::result<kv::reply>&) override { ++answered_; }
  void ranged(const node::reply_to&, const kv::result<kv::range_reply>&) override { ++answered_; }
  void failed(const node::reply_to&, node::request_errc, std::string_view) override { ++failures_; }
  void flush() override {}

  const plan plan_;
  counters counters_;
  scheduler clock_;
  sim::cluster cluster_;
  chunk_arena arena_;
  std::vector<node::write_request> writes_;
  std::vector<node::read_request> reads_;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t failures_ = 0;
};

} // namespace quorumd::sim
