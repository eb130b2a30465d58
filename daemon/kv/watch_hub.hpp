#pragma once

#include "daemon/kv/bugs.hpp"
#include "daemon/kv/range_map.hpp"
#include "daemon/kv/watch.hpp"
#include "daemon/kv/work.hpp"

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::kv {

struct watch_hub_options {
  /// What one delivery takes at most, as event_bytes() counts. A revision comes whole unless it alone takes more.
  std::size_t batch_bytes_max = reply_bytes_max;
  /// Changes that one turn of those that catch up looks at: then it is another's turn.
  std::size_t turn_visits = 1024;
  kv::bugs bugs;
};

/// Watchers of a store: each sees every change that it asked for, in order, once, without gaps. No part of the state:
/// it reads history, and changes nothing. On the store's loop; gone before the store is. A watcher is
///
/// - in step: it has everything up to delivered(), and gets the next revision by advance() with all others in step;
/// - catching up: it reads history in turns of catch_up(), until it is in step. Nothing keeps history for it: when what
///   it needs next is compacted away, it is cancelled;
/// - without room: it fell out of step where its sink took no more, and catches up after resume(). Of what it misses
///   nothing is kept but the place where it goes on.
///
/// Watchers of equal options are grouped: a change costs one look-up, and one batch for each group that wants it. How
/// many there may be is the owner's to say: a watcher takes about 140 bytes, the first one of its options 220 to 320
/// more and its key; and those that wait for the end of a large revision up to four bytes for each 64 of
/// batch_bytes_max.
class watch_hub {
 public:
  watch_hub(const store& s, const watch_hub_options& o);
  watch_hub(const watch_hub&) = delete;
  watch_hub& operator=(const watch_hub&) = delete;
  ~watch_hub();

  /// A new watcher, which begins by catching up if it starts at the current revision or before. The sink stays as long.
  /// Errors: range_empty; compacted, with the least revision that it could start at.
  [[nodiscard]] result<watch_id> add(const watch_options& o, watch_sink& to, std::uint64_t tag);
  /// It gets no more; no effect if it is gone.
  void cancel(watch_id id);
  /// The sink's watchers that were without room may have some.
  void resume(watch_sink& s);
  /// A snapshot took the place of the store, at the same revision or a later one.
  void replace(const store& s);

  /// Delivers what is new to those in step, for so many visits (of changes and watchers) at most; whether they have all
  /// of it. Best done with before the store's next command, as a part of applying the last one: if what those in step
  /// need next is compacted away, they are cancelled. Costs nothing where nobody is in step.
  [[nodiscard]] bool advance(std::size_t visits_max);
  /// Of all calls of advance().
  [[nodiscard]] std::uint64_t visits() const { return visits_ + (work_ ? work_->visits() : 0); }
  /// Goes on with those that catch up, in turns; whether none is left that could go on.
  [[nodiscard]] bool catch_up(std::size_t visits_max);

  /// Everything up to it was delivered to those in step.
  [[nodiscard]] revision delivered() const { return delivered_; }
  /// The watcher has everything up to this revision; nothing: it is gone.
  [[nodiscard]] std::optional<revision> progress(watch_id id) const;
  /// Whether the sink has watchers, and all of them are in step, have everything, and are not to start later.
  [[nodiscard]] bool in_step(watch_sink& s);
  [[nodiscard]] std::size_t size() const { return watchers_.size(); }

 private:
  struct group;
  struct pursuit;
  struct audience;

  struct watcher {
    watch_id id;
    std::uint64_t tag;
    group* of;
    audience* to;
    revision starts_later;       ///< 0: it began at once
    change_place next;           ///< it has everything before this, and while in step what was delivered
    pursuit* catching = nullptr; ///< while it catches up
    bool stalled = false;        ///< without room
    std::size_t slot = 0;        ///< in the list that it is in: its group's, its pursuit's or its sink's
  };
  using list = std::vector<watcher*>;
  /// The groups of one range: they differ by filters and prev_kv.
  using groups = std::vector<std::unique_ptr<group>>;
  struct single {
    const std::string key;
    groups value;
  };

  /// Watchers of equal options.
  struct group {
    std::string_view key;
    std::string_view range_end;
    bool no_put;
    bool no_delete;
    bool prev_kv;
    std::size_t size = 0; ///< of all its watchers
    list in_step;
    bool touched = false;               ///< the revision that is being delivered concerns it
    std::vector<std::uint32_t> pending; ///< its changes of that revision that were not delivered yet
    std::size_t pending_bytes = 0;

    [[nodiscard]] bool wants(const event& e) const { return !(e.deletion() ? no_delete : no_put); }
  };

  /// Some watchers of a group that catch up together.
  struct pursuit {
    struct found {
      change_place at;
      std::size_t bytes;
    };
    group* of;
    change_place next;       ///< they have everything before this
    change_place scan;       ///< and of what is before this, `held` is all that is left
    std::vector<found> held; ///< of the revision that is being looked at
    std::size_t held_bytes = 0;
    list members;
    std::list<pursuit>::iterator self;
  };
  /// One delivery ends with a pursuit of so many.
  static constexpr std::size_t pursuit_watchers_max = 256;
  static constexpr std::size_t run_max = 64;

  /// Of one sink.
  struct audience {
    watch_sink* sink;
    std::size_t size = 0;
    std::size_t in_step = 0;
    list stalled;
    std::multiset<revision> starts; ///< of those that are to start later
  };

  [[nodiscard]] group& group_of(std::string_view key, const watch_options& o);
  void drop_if_unused(group& g);
  void forget(watcher& w);
  static void put_into(list& l, watcher& w);
  static void take_out(list& l, const watcher& w);

  void step_in(watcher& w);
  void step_out(watcher& w);
  void stall(watcher& w, change_place next);
  void pursue(watcher& w, change_place next);
  void leave_pursuit(watcher& w);
  void close(const pursuit& p);
  void end(pursuit& p);
  void come_to(pursuit& p, change_place next);

  // Those in step.
  [[nodiscard]] sliced<bool> deliver_new();
  [[nodiscard]] sliced<bool> deliver_revision(revision r);
  [[nodiscard]] sliced<bool> flush(group& g, revision r, change_place then);
  [[nodiscard]] sliced<bool> cancel_lost();
  [[nodiscard]] revision next_change() const;
  void find_groups(const event& e);
  void settle_groups();

  // Those that catch up.
  [[nodiscard]] std::size_t take_turn(pursuit& p, std::size_t visits_max);
  void ask_for_room(pursuit& p, std::size_t bytes);
  [[nodiscard]] std::size_t scan_key(pursuit& p, const history& h, std::size_t visits_max, bool& full) const;
  [[nodiscard]] std::size_t scan_range(pursuit& p, const history& h, std::size_t visits_max, bool& full) const;
  [[nodiscard]] bool hold(pursuit& p, const event& e) const;
  [[nodiscard]] change_place deliver_held(pursuit& p, const history& h, bool full);
  void cancel_all(pursuit& p, revision floor);

  const watch_hub_options options_;
  const store* store_;
  revision delivered_;
  std::uint64_t last_id_ = 0;
  std::uint64_t deliveries_ = 0;
  std::uint64_t visits_ = 0; ///< of what advance() has done with
  std::size_t in_step_ = 0;

  absl::flat_hash_map<watch_id, std::unique_ptr<watcher>> watchers_;
  absl::flat_hash_map<std::string_view, std::unique_ptr<single>, std::hash<std::string_view>> by_key_;
  range_map<groups> by_range_;
  absl::flat_hash_map<watch_sink*, std::unique_ptr<audience>> audiences_;

  std::list<pursuit> pursuits_; ///< the one in front goes on next
  /// The latest of each group and place, which others may join.
  absl::flat_hash_map<std::pair<const group*, std::pair<revision, std::uint32_t>>, pursuit*> open_pursuits_;

  // The revision that is being delivered.
  std::optional<kv::work> work_;
  std::optional<sliced<bool>> running_;
  std::vector<group*> touched_;
  std::vector<group*> hits_; ///< of one change
  const group* flushing_ = nullptr;
  std::size_t flushed_ = 0; ///< of its watchers in step
  std::vector<event> events_;
  std::vector<std::uint64_t> tags_;
};

} // namespace quorumd::kv
