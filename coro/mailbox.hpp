#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "metrics/histogram.hpp"

#include <atomic>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace quorumd::coro {

/// How a mailbox fared.
struct mailbox_metrics {
  metrics::histogram waits;      ///< of the oldest item of each batch until it was taken, nanoseconds
  metrics::histogram batches;    ///< items taken at a time
  metrics::histogram lock_waits; ///< nanoseconds, of those who found the lock taken

  void merge(const mailbox_metrics& o) {
    waits.merge(o.waits);
    batches.merge(o.batches);
    lock_waits.merge(o.lock_waits);
  }
};

/// How others hand work to the owner of a piece of state: a mutex and a vector that the owner swaps out whole. The
/// owner is woken once for all that comes until it takes. No push ever waits.
///
/// The mailbox lives as long as its loop may run handlers.
template <class T>
class mailbox {
 public:
  explicit mailbox(loop& owner)
      : loop_(owner)
      , wake_(owner) {}

  /// From any thread.
  void push(T item) {
    bool first;
    {
      const std::unique_lock lock = acquire();
      note_push();
      items_.push_back(std::move(item));
      first = !std::exchange(notified_, true);
    }
    if (first) notify();
  }

  /// Moves every item of the batch in and leaves it empty with its memory; from any thread.
  void push_all(std::vector<T>& batch) {
    if (batch.empty()) return;
    bool first;
    {
      const std::unique_lock lock = acquire();
      note_push();
      items_.insert(items_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
      first = !std::exchange(notified_, true);
    }
    batch.clear();
    if (first) notify();
  }

  /// The owner: swaps everything that waits with `out`, which is empty; whether there was anything.
  bool take(std::vector<T>& out) {
    const std::unique_lock lock = acquire();
    items_.swap(out);
    notified_ = false;
    if (out.empty()) return false;
    metrics_.waits.record(loop_.now() - since_);
    metrics_.batches.record(out.size());
    return true;
  }

  /// The owner: returns when something may have come. Throws operation_aborted when cancelled.
  [[nodiscard]] task<void> wait() { return wake_.wait(); }

  /// Adds what was measured so far; from any thread.
  void add_to(mailbox_metrics& sum) {
    const std::lock_guard lock(mutex_);
    sum.merge(metrics_);
  }

  /// Set once for every batch; for an owner that also waits for other things through one event of its own.
  void set_waker(event& e) { waker_ = &e; }

 private:
  /// Takes the lock, and notes how long that took if somebody else had it.
  std::unique_lock<std::mutex> acquire() {
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (lock.owns_lock()) [[likely]]
      return lock;
    const time_point from = loop_.now();
    lock.lock();
    metrics_.lock_waits.record(loop_.now() - from);
    return lock;
  }

  void note_push() {
    if (items_.empty()) since_ = loop_.now();
  }

  void notify() {
    if (loop_.here())
      waker_->set();
    else
      loop_.post([this] { waker_->set(); });
  }

  loop& loop_;
  event wake_;
  event* waker_ = &wake_;
  std::mutex mutex_; // held for a push or a swap only
  std::vector<T> items_;
  bool notified_ = false;
  time_point since_; ///< the oldest item came
  mailbox_metrics metrics_;
};

} // namespace quorumd::coro
