#pragma once

#include "consensus/storage/log_engine.hpp"
#include "consensus/storage/segment_pool.hpp"
#include "consensus/storage/wal.hpp"
#include "consensus/storage/wal_recovery.hpp"
#include "consensus/types/invariant.hpp"
#include "coro/event.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::storage {

/// What stands behind the log's public face: the queue, the batches' job, and who is told of them.
class wal::impl {
 public:
  impl(file_system& fs, std::string directory, const wal_options& options, coro::entropy& random, opened_log opened)
      : fs_(fs)
      , options_(options)
      , recovered_(std::move(opened.recovered))
      , pool_(fs, std::move(directory), options)
      , engine_(std::move(opened), options, random, pool_)
      , log_job_(*this)
      , prepare_job_(*this) {}
  ~impl() {
    QUORUMD_INVARIANT(!log_busy_ && !prepare_busy_, "the log is not destroyed while a worker has one of its jobs");
  }

  [[nodiscard]] const std::vector<recovered_group>& recovered() const { return recovered_; }
  void start(coro::loop& home, coro::worker& log, coro::worker& prepare, const coro::clock& clock);
  void attach(group_id group, coro::loop& loop, completion& c);
  void detach(group_id group);
  coro::task<void> run_space_watch();
  coro::task<void> stop();
  void submit(write&& w);
  [[nodiscard]] bool has_room() const;
  void truncate_prefix(group_id group, snapshot_mark mark, log_index keep_from);
  coro::task<result<std::vector<entry>>> read(group_id group, log_index first, log_index last, std::size_t bytes_max);
  [[nodiscard]] std::uint64_t logged_since(group_id group, log_index index) const {
    return engine_.logged_since(group, index);
  }
  [[nodiscard]] log_index first_within(group_id group, std::uint64_t bytes) const {
    return engine_.first_within(group, bytes);
  }
  [[nodiscard]] bool accepting_puts() const { return pool_.accepting_puts(); }
  [[nodiscard]] space_status space() const { return pool_.space(); }
  [[nodiscard]] bool waits_for_room() const;
  void report_no_space(const error& why);
  [[nodiscard]] bool failed() const;
  [[nodiscard]] wal_stats stats() const;
  [[nodiscard]] log_metrics metrics() const;

 private:
  class log_job final : public coro::worker::job {
   public:
    explicit log_job(impl& i)
        : impl_(i) {}
    void run() override { impl_.run_batch(); }
    void done() override { impl_.batch_done(); }

   private:
    impl& impl_;
  };
  class prepare_job final : public coro::worker::job {
   public:
    explicit prepare_job(impl& i)
        : impl_(i) {}
    void run() override { impl_.run_prepare(); }
    void done() override { impl_.prepare_done(); }

   private:
    impl& impl_;
  };
  struct attachment {
    coro::loop* loop = nullptr;
    storage::completion* completion = nullptr;
  };
  struct persisted {
    group_id group;
    raft::write_number up_to;
  };

  // on the log's worker
  void run_batch();
  void take_batch();
  void keep_truncations(); // under the mutex
  // on the preparation worker
  void run_prepare();
  // on the home loop
  void batch_done();
  void prepare_done();
  void tell(const persisted& p);
  void tell_failure();
  // from any thread
  void enqueue(write&& w, std::size_t bytes); // under the mutex
  [[nodiscard]] std::size_t batch_bytes_max() const;
  [[nodiscard]] static write split_off(write& w, std::size_t bytes_max);
  void wake_log();
  void wake_prepare();
  [[nodiscard]] bool log_has_work() const; // under the mutex
  void fail(const error& why);

  file_system& fs_;
  const wal_options options_;
  const std::vector<recovered_group> recovered_;
  coro::loop* home_ = nullptr;
  coro::worker* log_ = nullptr;
  coro::worker* prepare_ = nullptr;
  const coro::clock* clock_ = nullptr;

  segment_pool pool_;
  log_engine engine_;
  log_job log_job_;
  prepare_job prepare_job_;

  // The log worker's while its job runs, else the home loop's:
  std::vector<write> active_;
  std::vector<truncation> truncating_;
  std::vector<persisted> persisted_;
  log_engine::outcome outcome_ = log_engine::outcome::nothing;

  // The home loop's:
  std::vector<persisted> telling_;
  bool failure_told_ = false;
  std::unique_ptr<coro::event> idle_; ///< set whenever a job has ended

  mutable std::mutex mutex_; // never held during a system call or a callback
  std::vector<write> queue_;
  std::vector<std::vector<entry>> empty_vectors_; ///< emptied, with their memory
  std::vector<truncation> truncations_;
  std::map<group_id, attachment> attached_;
  std::size_t queued_bytes_ = 0; ///< of writes submitted and not yet durable
  std::size_t active_bytes_ = 0;
  std::uint64_t writes_ = 0;
  log_metrics metrics_;           ///< queue, batch_writes and prepare
  coro::time_point queued_since_; ///< the oldest of the queue
  bool truncations_held_ = false; ///< those that are left wait for a later batch
  bool log_waits_ = false;        ///< for a prepared segment, or for room
  bool room_wanted_ = false;      ///< it is room that it waits for
  bool log_busy_ = false;         ///< its job is with the worker
  bool prepare_busy_ = false;
  std::optional<error> failure_;
};

} // namespace quorumd::storage
