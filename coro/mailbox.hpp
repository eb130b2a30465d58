#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"

#include <atomic>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace quorumd::coro {

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
      const std::lock_guard lock(mutex_);
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
      const std::lock_guard lock(mutex_);
      items_.insert(items_.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
      first = !std::exchange(notified_, true);
    }
    batch.clear();
    if (first) notify();
  }

  /// The owner: swaps everything that waits with `out`, which is empty; whether there was anything.
  bool take(std::vector<T>& out) {
    const std::lock_guard lock(mutex_);
    items_.swap(out);
    notified_ = false;
    return !out.empty();
  }

  /// The owner: returns when something may have come. Throws operation_aborted when cancelled.
  [[nodiscard]] task<void> wait() { return wake_.wait(); }

  /// Set once for every batch; for an owner that also waits for other things through one event of its own.
  void set_waker(event& e) { waker_ = &e; }

 private:
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
};

} // namespace quorumd::coro
