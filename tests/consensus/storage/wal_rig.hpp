#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/loop.hpp"
#include "coro/task_group.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::storage::test {

inline const group_id g1(1);
inline const group_id g2(2);

class still_clock final : public coro::clock {
 public:
  [[nodiscard]] coro::time_point now() const override { return now_; }
  void advance(coro::duration d) { now_ += d; }

 private:
  coro::time_point now_{};
};

class counting_entropy final : public coro::entropy {
 public:
  explicit counting_entropy(std::uint64_t seed)
      : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// Jobs run when the test says so.
class queue_worker final : public coro::worker {
 public:
  void submit(job& j, coro::loop& back) override { jobs_.push_back({&j, &back}); }
  bool run_one() {
    if (jobs_.empty()) return false;
    const auto [j, back] = jobs_.front();
    jobs_.pop_front();
    j->run();
    back->post([job = j] { job->done(); });
    return true;
  }
  [[nodiscard]] bool empty() const { return jobs_.empty(); }

 private:
  struct item {
    job* what;
    coro::loop* back;
  };
  std::deque<item> jobs_;
};

struct recording_completion final : completion {
  void wal_persisted(group_id g, raft::write_number up_to) override { persisted[g] = up_to; }
  void wal_failed(const error& why) override { failures.push_back(why); }
  std::map<group_id, raft::write_number> persisted;
  std::vector<error> failures;
};

inline wal_options small_options() {
  return {.segment_bytes = 16 * 1024,
          .batch_bytes_max = 8 * 1024,
          .queued_bytes_max = 64 * 1024,
          .reserve_bytes = 16 * 1024,
          .slack_segments = 2};
}

inline constexpr const char* wal_directory = "/data/wal";

inline entry make_entry(group_id g, std::uint64_t t, std::uint64_t index, const std::string& payload) {
  return entry::make(g, term(t), log_index(index), entry_kind::command,
                     std::as_bytes(std::span(payload.data(), payload.size())));
}

/// A write of entries of one term, each with that many bytes.
inline write append(group_id g, std::uint64_t number, std::uint64_t t, std::uint64_t first, std::size_t count,
                    std::size_t payload = 100) {
  write w{.group = g, .number = raft::write_number(number), .hard = {}, .install = {}, .entries = {}, .commit = {}};
  for (std::size_t i = 0; i < count; ++i)
    w.entries.push_back(make_entry(g, t, first + i, std::string(payload, static_cast<char>('a' + (first + i) % 26))));
  return w;
}

inline std::string payload_of(const entry& e) {
  return {reinterpret_cast<const char*>(e.payload().data()), e.payload().size()};
}

/// A running log on one loop and two workers without threads.
class running_wal {
 public:
  running_wal(std::unique_ptr<wal> w, std::vector<group_id> groups)
      : loop("home", clock, coro::loop::drive::manual)
      , tasks(loop)
      , log_(std::move(w)) {
    log_->start(loop, log_worker, prepare_worker, clock);
    for (const group_id g : groups) log_->attach(g, loop, done);
    pump();
  }
  ~running_wal() {
    loop.post([this] { tasks.cancel(); });
    pump();
    log_.reset();
  }

  wal& operator*() { return *log_; }
  wal* operator->() { return log_.get(); }

  /// Starts a task on the loop.
  void spawn(coro::task<void> t) {
    loop.post([this, t = std::make_shared<coro::task<void>>(std::move(t))] { tasks.spawn(std::move(*t)); });
  }
  /// Runs everything until nothing is left to do.
  void pump() {
    while (loop.run_one_ready() || log_worker.run_one() || prepare_worker.run_one()) {
    }
  }

  [[nodiscard]] result<std::vector<entry>> read(group_id g, std::uint64_t first, std::uint64_t last,
                                                std::size_t bytes_max = 1 << 20) {
    std::optional<result<std::vector<entry>>> got;
    spawn(keep(log_->read(g, log_index(first), log_index(last), bytes_max), &got));
    pump();
    REQUIRE(got);
    return std::move(*got);
  }

  still_clock clock;
  coro::loop loop;
  coro::task_group tasks;
  queue_worker log_worker;
  queue_worker prepare_worker;
  recording_completion done;

 private:
  template <class T>
  static coro::task<void> keep(coro::task<T> t, std::optional<T>* to) {
    T value = co_await std::move(t);
    to->emplace(std::move(value));
  }

  std::unique_ptr<wal> log_;
};

inline std::unique_ptr<running_wal> start_wal(file_system& fs, std::uint64_t seed, wal_options o = small_options(),
                                              std::vector<group_id> groups = {group_id(1)},
                                              std::span<const group_snapshot> snapshots = {}) {
  counting_entropy* random = nullptr;
  static std::deque<counting_entropy> all; // the log keeps a reference to it
  random = &all.emplace_back(seed);
  result<std::unique_ptr<wal>> w = wal::open(fs, wal_directory, o, *random, snapshots);
  if (!w) {
    FAIL_CHECK(w.error().message());
    return nullptr;
  }
  return std::make_unique<running_wal>(std::move(*w), std::move(groups));
}

/// Why a core would not start from what was recovered, when the state machine holds just the snapshot; empty if it
/// would.
inline std::string why_refused(const recovered_group& g) {
  raft::initial_state s{.hard = g.hard,
                        .start = g.start,
                        .runs = g.runs,
                        .configurations = g.configurations,
                        .last = g.last,
                        .commit = g.commit,
                        .applied = g.start.index};
  // A log from its beginning takes its members from the configuration.
  if (!s.start.index) s.start.members.voters = {node_id(1)};
  return raft::validate(s).value_or("");
}

/// Why the log does not open; nothing if it does.
inline std::optional<error> open_error(file_system& fs, wal_options o = small_options(),
                                       std::span<const group_snapshot> snapshots = {}) {
  counting_entropy random(99);
  result<std::unique_ptr<wal>> w = wal::open(fs, wal_directory, o, random, snapshots);
  if (w) return std::nullopt;
  return w.error();
}

} // namespace quorumd::storage::test
