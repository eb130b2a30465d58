#pragma once

#include "daemon/kv/key_ranges.hpp"
#include "daemon/kv/store.hpp"

#include <coroutine>
#include <string>
#include <string_view>

namespace quorumd::kv {

/// Walks the records of a range, which may be left between two slices while the tree changes. Within this folder.
class store::walk {
 public:
  walk(const key_tree& tree, std::string_view key, std::string_view range_end, bool backwards = false)
      : tree_(tree)
      , key_(key)
      , range_end_(range_end)
      , backwards_(backwards)
      , at_(backwards ? end_of(range_end) : tree.lower_bound(key)) {}

  /// The next record, or the next that is live; null behind the last one.
  [[nodiscard]] record* next(bool live_only) {
    const key_tree::iterator found = backwards_ ? before(live_only) : from(live_only);
    if (found == tree_.end() || beyond(found->key())) return nullptr;
    here_ = at_ = found;
    if (!backwards_) ++at_;
    return &*found;
  }
  /// Where the record that came last is.
  [[nodiscard]] key_tree::iterator here() const { return here_; }

  /// `co_await` it when the slice is used up: the tree may change until the next one.
  [[nodiscard]] auto pause(kv::work& w) {
    struct awaiter {
      walk& of;
      decltype(w.pause()) until_next;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> h) {
        of.leave();
        until_next.await_suspend(h);
      }
      void await_resume() const { of.come_back(); }
    };
    return awaiter{*this, w.pause()};
  }

 private:
  void leave() {
    seen_ = tree_.changes();
    ended_ = at_ == tree_.end();
    if (!ended_) left_at_ = at_->key();
  }
  void come_back() {
    if (tree_.changes() != seen_) at_ = ended_ ? tree_.end() : tree_.lower_bound(left_at_);
  }
  [[nodiscard]] key_tree::iterator end_of(std::string_view range_end) const {
    return range_end == no_end ? tree_.end() : tree_.lower_bound(range_end);
  }
  [[nodiscard]] key_tree::iterator from(bool live_only) const { return live_only ? tree_.next_live(at_) : at_; }
  [[nodiscard]] key_tree::iterator before(bool live_only) const {
    if (live_only) return tree_.previous_live(at_);
    if (at_ == tree_.begin()) return tree_.end();
    key_tree::iterator one = at_;
    return --one;
  }
  [[nodiscard]] bool beyond(std::string_view key) const { return backwards_ ? key < key_ : !below(key, range_end_); }

  const key_tree& tree_;
  const std::string_view key_;
  const std::string_view range_end_;
  const bool backwards_;
  key_tree::iterator at_;
  key_tree::iterator here_;
  std::string left_at_; ///< the key there
  bool ended_ = false;
  std::uint64_t seen_ = 0;
};

} // namespace quorumd::kv
