#pragma once

#include "consensus/types/invariant.hpp"
#include "daemon/node/request.hpp"

#include <absl/container/flat_hash_map.h>

#include <boost/circular_buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace quorumd::node {

/// Requests that wait for their turn, in a lane for each (sink, slot) that they came by, and another for its bulk. The
/// lanes take turns by what their requests cost: each may spend a quantum of bytes, then the next goes, and what it
/// spent beyond is taken off its next turns (deficit round robin, paid afterwards since the cost of a read is known
/// only then), though it may have nothing to ask meanwhile. Whoever asks for much waits behind itself.
///
/// Bulk lanes take turns among themselves, and as a whole get one byte in nine while others wait: they yield, but do
/// not starve. A lane whose client has no room for a reply is set aside until unblock().
///
/// Belongs to the group's loop. Allocates nothing once it has had as many lanes and requests at a time.
template <class Request>
class fair_queue {
 public:
  static constexpr std::int64_t quantum = 64 * 1024;
  static constexpr std::int64_t bulk_share = 8; ///< bytes that others get for each of bulk's while both wait

  void add(Request r) {
    lane& l = lane_of(r);
    make_room(l);
    l.requests.push_back(std::move(r));
    ++size_;
  }
  /// It had its turn, and waits again in front of what came after it.
  void add_again(Request r) {
    lane& l = lane_of(r);
    make_room(l);
    chosen_ = nullptr;
    l.requests.push_front(std::move(r));
    ++size_;
  }

  /// The request whose turn it is; null if there is none, or every lane is set aside. Stays the same until spent() or
  /// block().
  [[nodiscard]] Request* next() {
    lane* const l = choose();
    return l == nullptr ? nullptr : &l->requests.front();
  }
  /// next() was given so many bytes of work; if it is done it leaves.
  void spent(std::size_t bytes, bool done) {
    lane* const l = std::exchange(chosen_, nullptr);
    QUORUMD_INVARIANT(l != nullptr, "only what was chosen is paid for");
    const auto cost = static_cast<std::int64_t>(bytes);
    l->credit -= cost;
    if (!l->bulk)
      for_bulk_ = std::min(for_bulk_ + cost, bulk_share * quantum);
    else if (!ring_of(false).empty())
      for_bulk_ -= cost * bulk_share;
    if (done) {
      l->requests.pop_front();
      --size_;
      if (l->requests.empty() && l->credit >= 0) {
        ring_of(l->bulk).pop_front();
        retire(*l);
      }
    }
  }
  /// next() cannot go on: its lane is set aside until unblock().
  void block() {
    lane* const l = std::exchange(chosen_, nullptr);
    QUORUMD_INVARIANT(l != nullptr, "only what was chosen is set aside");
    ring& active = ring_of(l->bulk);
    active.pop_front();
    blocked_.push_back(l);
    l->set_aside = true;
  }
  /// What was set aside may go on.
  void unblock() {
    for (lane* const l : blocked_) {
      ring_of(l->bulk).push_back(l);
      l->set_aside = false;
    }
    blocked_.clear();
  }
  [[nodiscard]] bool has_blocked() const { return !blocked_.empty(); }

  /// Takes out every request that the predicate wants gone, in no particular order of lanes.
  template <class Gone>
  void erase_if(const Gone& gone) {
    chosen_ = nullptr;
    for (const auto& l : lanes_) {
      if (l->requests.empty()) continue;
      const auto kept = std::remove_if(l->requests.begin(), l->requests.end(), gone);
      size_ -= static_cast<std::size_t>(l->requests.end() - kept);
      l->requests.erase(kept, l->requests.end());
      if (!l->requests.empty() || (l->credit < 0 && !l->set_aside)) continue;
      ring& holds = l->set_aside ? blocked_ : ring_of(l->bulk);
      holds.erase(std::find(holds.begin(), holds.end(), l.get()));
      retire(*l);
    }
  }

  /// Calls f with every request.
  template <class F>
  void for_each(const F& f) {
    for (const auto& l : lanes_)
      for (Request& r : l->requests) f(r);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  using key = std::tuple<const reply_sink*, std::uint32_t, bool>;
  struct lane {
    key of;
    bool bulk = false;
    bool there = false;     ///< in a ring: it has requests, or debts
    bool set_aside = false; ///< in blocked_
    std::int64_t credit = 0;
    boost::circular_buffer<Request> requests;
  };
  using ring = boost::circular_buffer<lane*>;

  /// The lane at the front that may spend; each that may not goes to the back with a quantum more, or leaves once it
  /// has paid what it owed.
  lane* choose() {
    while (chosen_ == nullptr) {
      const bool bulk = ring_of(false).empty() || (!ring_of(true).empty() && for_bulk_ >= bulk_share * quantum);
      ring& active = ring_of(bulk);
      if (active.empty()) return nullptr;
      lane* const l = active.front();
      if (!l->requests.empty() && l->credit > 0) {
        chosen_ = l;
        break;
      }
      l->credit += quantum;
      if (!l->requests.empty() || l->credit < 0) {
        active.rotate(active.begin() + 1);
      } else {
        active.pop_front();
        retire(*l);
      }
    }
    return chosen_;
  }

  lane& lane_of(const Request& r) {
    const key of{r.to.sink, r.to.slot, r.bulk};
    if (last_ != nullptr && last_->of == of && last_->there) return *last_;
    const auto [at, is_new] = index_.try_emplace(of, nullptr);
    if (is_new) at->second = spare();
    last_ = at->second;
    last_->of = of;
    last_->bulk = r.bulk;
    return *last_;
  }
  lane* spare() {
    if (spares_.empty()) {
      lanes_.push_back(std::make_unique<lane>());
      return lanes_.back().get();
    }
    lane* const l = spares_.back();
    spares_.pop_back();
    return l;
  }
  void make_room(lane& l) {
    if (!l.there) activate(l);
    if (l.requests.full()) l.requests.set_capacity(std::max<std::size_t>(16, l.requests.capacity() * 2));
  }
  void activate(lane& l) {
    l.there = true;
    l.credit = quantum;
    ring& active = ring_of(l.bulk);
    for (ring* const r : {&active, &blocked_}) // block() must not allocate either
      if (r->capacity() < lanes_.size()) r->set_capacity(std::max<std::size_t>(16, lanes_.size() * 2));
    active.push_back(&l);
  }
  /// It is in no ring any more.
  void retire(lane& l) {
    l.there = l.set_aside = false;
    index_.erase(l.of);
    // A burst's memory is not held for ever.
    if (l.requests.capacity() > kept_capacity) l.requests.set_capacity(0);
    spares_.push_back(&l);
  }
  ring& ring_of(bool bulk) { return bulk ? bulk_ : active_; }

  static constexpr std::size_t kept_capacity = 256;

  std::vector<std::unique_ptr<lane>> lanes_;
  std::vector<lane*> spares_;
  absl::flat_hash_map<key, lane*> index_; ///< never iterated
  ring active_;
  ring bulk_;
  ring blocked_;
  lane* chosen_ = nullptr;
  lane* last_ = nullptr;
  std::int64_t for_bulk_ = 0;
  std::size_t size_ = 0;
};

} // namespace quorumd::node
