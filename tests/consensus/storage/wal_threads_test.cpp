#include "consensus/storage/posix_files.hpp"
#include "tests/consensus/storage/temporary_directory.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace quorumd::storage::test {

namespace {

/// What a driver does: keeps a window of writes in flight on its own loop, and reads now and then.
class driver final : public completion {
 public:
  driver(group_id g, coro::loop& l, wal& w, std::uint64_t total)
      : group_(g)
      , loop_(l)
      , wal_(w)
      , total_(total)
      , tasks_(l) {}

  void wal_persisted(group_id g, raft::write_number up_to) override {
    loop_.assert_here();
    CHECK(g == group_);
    CHECK(up_to.value() > persisted_);
    persisted_ = up_to.value();
    if (persisted_ % 100 < 5) tasks_.spawn(read_back(persisted_));
    go_on();
  }
  void wal_failed(const error& why) override { FAIL_CHECK(why.message()); }

  void go_on() {
    while (submitted_ < total_ && submitted_ - persisted_ < 16) {
      ++submitted_;
      write w{.group = group_,
              .number = raft::write_number(submitted_),
              .hard = {},
              .install = {},
              .entries = {},
              .commit = {}};
      w.entries.push_back(make_entry(group_, 1, submitted_, std::string(100 + submitted_ % 700, 'd')));
      wal_.submit(std::move(w));
    }
    if (persisted_ >= truncated_ + 64) {
      truncated_ = persisted_;
      wal_.truncate_prefix(group_, {log_index(persisted_ - 20), term(1), {}}, log_index(persisted_ - 40));
    }
    if (persisted_ == total_ && tasks_.alive() == 0 && !finished_) {
      finished_ = true;
      const std::lock_guard lock(mutex_);
      done_ = true;
      changed_.notify_all();
    }
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
  }

 private:
  coro::task<void> read_back(std::uint64_t index) {
    const log_index first(index > 10 ? index - 10 : 1);
    result<std::vector<entry>> got = co_await wal_.read(group_, first, log_index(index), 4096);
    CHECK(got.has_value());
    if (got.has_value()) CHECK(got->front().index() == first);
    loop_.post([this] { go_on(); }); // once this task has ended
  }

  const group_id group_;
  coro::loop& loop_;
  wal& wal_;
  const std::uint64_t total_;
  coro::task_group tasks_;
  std::uint64_t submitted_ = 0;
  std::uint64_t persisted_ = 0;
  std::uint64_t truncated_ = 0;
  bool finished_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false; // under the mutex
};

coro::task<void> stop_then(wal* w, std::mutex* m, std::condition_variable* c, bool* stopped) {
  co_await w->stop();
  const std::lock_guard lock(*m);
  *stopped = true;
  c->notify_all();
}

} // namespace

// The log as the daemon runs it: two groups on two loops, two workers, real files, group commit, recycling, reads.
TEST_CASE("two loops share the log on real files") {
  temporary_directory dir;
  posix_files fs;
  coro::steady_clock clock;
  coro::system_entropy random;
  wal_options o;
  o.segment_bytes = 256 * 1024;
  o.reserve_bytes = 256 * 1024;
  const std::uint64_t total = 1500;
  std::vector<group_snapshot> snapshots;
  {
    auto opened = wal::open(fs, dir.path() + "/wal", o, random);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
    wal& w = **opened;
    coro::loop home("home", clock);
    coro::loop other("other", clock);
    coro::task_group stopping(home);
    driver a(group_id(1), home, w, total);
    driver b(group_id(2), other, w, total);
    {
      coro::thread_worker log("log");
      coro::thread_worker prepare("prepare");
      w.start(home, log, prepare, clock);
      w.attach(group_id(1), home, a);
      w.attach(group_id(2), other, b);
      home.start();
      other.start();
      home.post([&] { a.go_on(); });
      other.post([&] { b.go_on(); });
      a.wait();
      b.wait();
      std::mutex m;
      std::condition_variable c;
      bool stopped = false;
      home.post([&] { stopping.spawn(stop_then(&w, &m, &c, &stopped)); });
      std::unique_lock lock(m);
      c.wait(lock, [&] { return stopped; });
    }
    other.stop();
    home.stop();
    const wal_stats s = w.stats();
    CHECK(s.writes == 2 * total);
    CHECK(s.syncs < s.writes); // they shared
    CHECK(s.segments_recycled > 0);
    CHECK(s.queued_bytes == 0);
    const log_metrics m = w.metrics();
    CHECK(m.sync.count() == s.batches);
    CHECK(m.sync.sum() == s.sync_nanoseconds);
    CHECK(m.write.count() == s.batches);
    CHECK(m.batch_writes.sum() == s.writes);
    CHECK(m.batch_bytes.sum() == s.bytes_written);
    CHECK(m.queue.count() == m.batch_writes.count());
    CHECK(m.prepare.count() >= s.segments_prepared);
  }
  snapshots = {{group_id(1), {log_index(total), term(1), {}}}, {group_id(2), {log_index(total), term(1), {}}}};
  auto again = wal::open(fs, dir.path() + "/wal", o, random, snapshots);
  REQUIRE_MESSAGE(again.has_value(), again.error().message());
  REQUIRE((*again)->recovered().size() == 2);
  CHECK((*again)->recovered()[0].last == log_index(total));
  CHECK((*again)->recovered()[1].last == log_index(total));
}

} // namespace quorumd::storage::test
