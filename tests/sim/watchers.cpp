#include "tests/sim/watchers.hpp"

#include "daemon/node/group.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace quorumd::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::uint64_t room_bytes = 300;     // for what comes while something is unread
constexpr std::uint64_t revisions_back = 60;  // that somebody begins in the past
constexpr std::uint64_t revisions_ahead = 10; // or in the future
} // namespace

/// A watcher at one node, from when it asked to be until it leaves or the node is gone. It calls the hub as a client's
/// stream does.
class watchers::seat final : public node::watch_client {
 public:
  seat(watchers& all, watcher& of, coro::duration looks_every)
      : all_(all)
      , of_(of)
      , looks_every_(looks_every) {}

  // --- on the group's loop ---
  void sit(node::group& g) {
    if (left_) return;
    if (g.state().is_witness()) return give_up();
    group_ = &g;
    if (std::exchange(of_.begins_now, false))
      of_.sees = watch_checker(of_.sees.wish(), {store().current().value() + 1});
    while (!id_) {
      const watch_wish& wish = of_.sees.wish();
      const history_place from = of_.sees.next();
      const auto added = g.watching().hub().add({.key = wish.key,
                                                 .range_end = wish.end,
                                                 .start = revision(from.revision),
                                                 .start_sub = from.sub,
                                                 .no_put = wish.no_put,
                                                 .no_delete = wish.no_delete,
                                                 .prev_kv = wish.prev_kv},
                                                *this, of_.number);
      if (added)
        id_ = *added;
      else if (!refused(added.error()))
        return give_up();
    }
    g.watching().add(*this);
    g.watching().wake_at(*this, g.now() + looks_every_);
    if (of_.needs_leader) g.watching().need_leader(*this);
  }
  void leave() {
    if (left_) return;
    look();
    left_ = true;
    if (group_ != nullptr) {
      group_->watching().forget(*this);
      group_->watching().hub().cancel(id_);
    }
    all_.stands_up(of_);
  }
  void resume() {
    if (!left_) group_->watching().hub().resume(*this);
  }

  [[nodiscard]] bool has_room(std::uint64_t, std::size_t bytes) override {
    const bool room = unread_ == 0 || unread_ + bytes <= room_bytes;
    refused_ = refused_ || !room;
    return room;
  }
  void deliver(const kv::delivery& d, std::span<const std::uint64_t> tags) override {
    if (left_) return;
    std::vector<seen_change> got;
    for (const kv::event& e : d.events) {
      got.push_back(change_of(e));
      unread_ += kv::event_bytes(e, true);
    }
    all_.clock_.record("watched", of_.number, d.through.value(), got.size());
    all_.counters_[counter::watched_changes] += got.size();
    if (d.more) ++all_.counters_[counter::watched_parts];
    if (tags.size() != 1 || tags.front() != of_.number) complain("it is another one's delivery");
    complain(of_.sees.delivered(all_.cluster_.changes().history(), got, d.more, d.through.value(),
                                store().compacted().value()));
    if (of_.reads_within == coro::duration::zero() || all_.settled_)
      unread_ = 0;
    else if (!std::exchange(reading_, true))
      read_soon();
  }
  void cancelled(std::uint64_t, revision floor) override {
    if (left_) return;
    id_ = {};
    lost(floor);
    group_->watching().forget(*this);
    give_up();
  }
  void time_came(coro::time_point now) override {
    look();
    group_->watching().wake_at(*this, now + looks_every_);
  }
  void leader_lost() override {
    if (left_) return;
    ++all_.counters_[counter::leaderless_watchers];
    if (!group_->leaderless()) complain("its node says that it has no leader, and knows one");
    all_.clock_.after(1ms, [&all = all_, &of = of_] { all.leave(of); });
  }

  void state_lost() override {
    if (!left_) complain("its node says that its state counts for nothing");
  }

  // --- for whoever looks at the run ---
  void node_gone() { left_ = true; }
  /// What it had not read yet, it has.
  void read() {
    reading_ = false;
    unread_ = 0;
    if (left_ || group_ == nullptr || !std::exchange(refused_, false)) return;
    ++all_.counters_[counter::watchers_without_room];
    all_.cluster_.the_node(of_.at).call([this](node::group&) { resume(); });
  }
  [[nodiscard]] bool has_all() {
    if (left_ || !id_) return false;
    look();
    return of_.sees.next().revision > all_.cluster_.changes().history().last();
  }

 private:
  [[nodiscard]] const kv::store& store() const { return group_->state().store(); }
  void complain(const complaint& c) {
    if (!c.empty())
      all_.cluster_.complain("watcher " + std::to_string(of_.number) + " at " + name_of(of_.at) + ": " + c);
  }
  /// What it is said to have, it has.
  void look() {
    if (left_ || !id_) return;
    if (const auto through = group_->watching().hub().progress(id_))
      complain(of_.sees.has_all(all_.cluster_.changes().history(), through->value()));
  }
  void lost(revision floor) {
    ++all_.counters_[counter::watchers_cancelled];
    if (floor != store().history_floor()) complain("cancelled with another floor than its node's");
    complain(of_.sees.cancelled(floor.value()));
  }
  /// Whether it may be tried again.
  [[nodiscard]] bool refused(const kv::error& e) {
    if (e.code() != kv::errc::compacted) {
      complain("it is refused: " + e.message());
      return false;
    }
    lost(e.bound());
    return all_.cluster_.wrong().empty();
  }
  void give_up() {
    left_ = true;
    all_.stands_up(of_);
  }
  void read_soon() {
    all_.clock_.after(all_.random_.between(coro::duration(100us), of_.reads_within), [this] { read(); });
  }

  watchers& all_;
  watcher& of_;
  const coro::duration looks_every_;
  node::group* group_ = nullptr; ///< while it sits there
  kv::watch_id id_;
  bool left_ = false;
  std::uint64_t unread_ = 0; ///< bytes
  bool refused_ = false;     ///< something, for which there was no room
  bool reading_ = false;
};

watchers::watchers(scheduler& s, cluster& c, const plan& p, counters& n)
    : clock_(s)
    , cluster_(c)
    , plan_(p)
    , counters_(n)
    , random_(s.random().fork(9)) {}

watchers::~watchers() = default;

watchers::watcher watchers::draw(std::uint64_t number) {
  const auto key = [this] { return "k" + std::to_string(random_.below(plan_.load.keys)); };
  watch_wish w{.key = "k", .end = "l"};
  switch (random_.below(5)) {
  case 0:
    w.key = key(), w.end = {};
    break;
  case 1:
    w.key = key(), w.end = std::string(1, '\0');
    break;
  case 2:
    w.end = key();
    break;
  default:
    break;
  }
  w.no_put = random_.below(6) == 0;
  w.no_delete = random_.below(6) == 0;
  w.prev_kv = random_.coin();
  watcher made{.number = number, .sees = watch_checker(std::move(w), {})};
  made.needs_leader = random_.below(3) == 0;
  made.reads_within = random_.pick(std::array<coro::duration, 4>{0ms, 0ms, 30ms, 700ms});
  return made;
}

void watchers::start() {
  for (std::uint64_t n = 1; n <= plan_.load.watchers; ++n) watchers_.push_back(draw(n));
  for (watcher& w : watchers_)
    clock_.after(random_.between(coro::duration(1ms), plan_.trouble / 2), [this, &w] {
      const std::uint64_t last = cluster_.changes().history().last();
      const std::uint64_t back = random_.below(std::min(last, revisions_back));
      history_place from{last - back, static_cast<std::uint32_t>(random_.below(3))};
      if (random_.below(4) == 0) from = {last + random_.between(1, revisions_ahead)};
      w.begins_now = random_.below(3) == 0;
      w.sees = watch_checker(w.sees.wish(), from);
      come(w);
      move_later(w);
    });
}

void watchers::come(watcher& w) {
  if (stopped_ || w.sits != nullptr) return;
  std::vector<node_id> up = settled_ ? cluster_.members() : cluster_.ids();
  std::erase_if(up, [&](node_id id) { return !cluster_.up(id); });
  if (up.empty()) return come_soon(w);
  w.at = up[random_.below(up.size())];
  seats_.push_back(std::make_unique<seat>(*this, w, random_.between(coro::duration(50ms), coro::duration(500ms))));
  w.sits = seats_.back().get();
  clock_.record("watch", w.number, w.at.value(), w.sees.next().revision);
  ++counters_[counter::watches];
  cluster_.the_node(w.at).call([s = w.sits](node::group& g) { s->sit(g); });
}

void watchers::come_soon(watcher& w) {
  clock_.after(random_.between(coro::duration(1ms), coro::duration(50ms)), [this, &w] { come(w); });
}

void watchers::move_later(watcher& w) {
  clock_.after(random_.between(coro::duration(100ms), coro::duration(2s)), [this, &w] {
    if (settled_ || stopped_) return;
    leave(w);
    move_later(w);
  });
}

/// Once its node has a turn.
void watchers::leave(watcher& w) {
  if (w.sits == nullptr) return;
  cluster_.the_node(w.at).call([s = w.sits](node::group&) { s->leave(); });
}

void watchers::stands_up(watcher& w) {
  w.sits = nullptr;
  come_soon(w);
}

void watchers::node_gone(node_id id) {
  for (watcher& w : watchers_) {
    if (w.sits == nullptr || w.at != id) continue;
    w.sits->node_gone();
    stands_up(w);
  }
}

std::string watchers::why_behind() {
  const std::vector<node_id> members = cluster_.members();
  for (watcher& w : watchers_) {
    const std::string name = "watcher " + std::to_string(w.number);
    if (w.sits == nullptr) return name + " is nowhere";
    if (std::find(members.begin(), members.end(), w.at) == members.end()) {
      leave(w);
      return name + " is at " + name_of(w.at) + ", which is no member";
    }
    if (!w.sits->has_all()) return name + " at " + name_of(w.at) + " has not seen everything";
  }
  return {};
}

} // namespace quorumd::sim
