#include "daemon/kv/snapshot.hpp"
#include "tests/daemon/kv/watch_text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::kv::test {
namespace {

constexpr std::array<std::string_view, 7> watched_keys{std::string_view("\0", 1), "a", "aa", "ab", "b", "c", "\xff"};

/// A change as it must be told, with bytes of its own.
struct told {
  std::string key;
  std::string value;
  std::uint64_t create = 0, mod = 0, version = 0;
  std::optional<std::pair<std::string, std::uint64_t>> prev; ///< its value and revision

  [[nodiscard]] std::size_t bytes(bool with_prev) const {
    return key.size() + value.size() + 64 + (with_prev && prev ? key.size() + prev->first.size() + 64 : 0);
  }
};

/// Every change ever, written down as plainly as it goes.
struct plain_history {
  std::map<std::string, told, std::less<>> now;
  std::deque<told> all;
  std::uint64_t current = 1;

  void apply(const std::vector<operation>& list) {
    const std::size_t before = all.size();
    for (const operation& o : list) {
      if (const auto* p = std::get_if<put>(&o.what)) change(std::string(p->key), std::string(p->value), true);
      if (const auto* d = std::get_if<delete_range>(&o.what)) {
        std::vector<std::string> keys;
        for (const auto& [key, unused] : now)
          if (within(key, d->key, d->range_end)) keys.push_back(key);
        for (const std::string& key : keys) change(key, {}, false);
      }
    }
    if (all.size() != before) ++current;
  }
  static bool within(std::string_view k, std::string_view key, std::string_view end) {
    return end.empty() ? k == key : k >= key && (end == rest || k < end);
  }

 private:
  void change(const std::string& key, std::string value, bool is_put) {
    told t{key, std::move(value), 0, current + 1, 0, {}};
    const auto before = now.find(key);
    if (before != now.end()) t.prev.emplace(before->second.value, before->second.mod);
    if (is_put) {
      t.create = before == now.end() ? t.mod : before->second.create;
      t.version = before == now.end() ? 1 : before->second.version + 1;
      now[key] = t;
    } else {
      now.erase(key);
    }
    all.push_back(std::move(t));
  }
};

/// A watcher with what it has been told, checked as it comes.
struct expectation {
  std::string key, range_end;
  std::uint64_t start = 0;
  bool no_put = false, no_delete = false, prev_kv = false;
  watch_id id;
  std::size_t seen = 0; ///< of all changes
  bool gone = false;

  [[nodiscard]] bool wants(const told& t) const {
    return t.mod >= start && plain_history::within(t.key, key, range_end) && !(t.version == 0 ? no_delete : no_put);
  }
  /// The next change that it has to be told of.
  [[nodiscard]] const told* next(const plain_history& h) {
    while (seen < h.all.size() && !wants(h.all[seen])) ++seen;
    return seen == h.all.size() ? nullptr : &h.all[seen];
  }
};

class watching : public watch_sink {
 public:
  explicit watching(std::uint64_t seed)
      : random_(seed)
      , store_(std::make_unique<store>(options{}))
      , batch_bytes_(100 + below(500))
      , strict_(seed % 4 != 0)
      , hub_(std::make_unique<watch_hub>(
            *store_, watch_hub_options{.batch_bytes_max = batch_bytes_, .turn_visits = 1 + below(20)})) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      change();
      for (std::uint64_t n = below(4); n > 0; --n) between();
    }
    full_.clear();
    hub_->resume(*this);
    while (!advance(no_bound)) {
    }
    note_progress();
    while (!hub_->catch_up(no_bound)) {
    }
    for (expectation& w : watchers_) {
      if (w.gone) continue;
      CAPTURE(w.start);
      REQUIRE(w.next(plain_) == nullptr);
      REQUIRE(hub_->progress(w.id) == store_->current());
    }
  }

  bool has_room(std::uint64_t tag, std::size_t /*bytes*/) override { return !full_.contains(tag); }

  void deliver(const delivery& d, std::span<const std::uint64_t> tags) override {
    REQUIRE_FALSE(d.events.empty());
    REQUIRE_FALSE(tags.empty());
    for (const std::uint64_t tag : tags) take(d, watchers_[tag]);
  }

  void cancelled(std::uint64_t tag, revision floor) override {
    expectation& w = watchers_[tag];
    REQUIRE_FALSE(w.gone);
    REQUIRE(floor == store_->history_floor());
    REQUIRE(progress_.contains(tag)); // it was there before this pass
    REQUIRE(progress_[tag] + 1 < floor.value());
    w.gone = true;
    ++lost;
  }

  int lost = 0, parts = 0, undone = 0, reloads = 0, packed = 0, refused = 0;
  std::size_t events = 0;

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string_view key() { return watched_keys[below(watched_keys.size())]; }
  std::string_view range_end() {
    const std::uint64_t dice = below(4);
    return dice < 2 ? std::string_view() : dice == 2 ? rest : key();
  }

  void take(const delivery& d, expectation& w) {
    REQUIRE_FALSE(w.gone);
    for (const event& e : d.events) {
      const told* want = w.next(plain_);
      REQUIRE(want != nullptr);
      REQUIRE(e.kv.key == want->key);
      REQUIRE(e.kv.value == want->value);
      REQUIRE(e.kv.create_revision.value() == want->create);
      REQUIRE(e.kv.mod_revision.value() == want->mod);
      REQUIRE(e.kv.version == want->version);
      const bool with_prev = w.prev_kv && want->prev && want->mod > store_->compacted().value();
      REQUIRE(e.prev.has_value() == with_prev);
      if (e.prev) REQUIRE(e.prev->value == want->prev->first);
      if (e.prev) REQUIRE(e.prev->mod_revision.value() == want->prev->second);
      const bool first_of_revision = &e == d.events.data() || e.kv.mod_revision != (&e - 1)->kv.mod_revision;
      if (&e != d.events.data() && first_of_revision) ++packed;
      ++w.seen;
      ++events;
    }
    const std::uint64_t last = d.events.back().kv.mod_revision.value();
    const told* next = w.next(plain_);
    if (d.more) {
      ++parts;
      REQUIRE(next != nullptr);
      REQUIRE(next->mod == last);
      REQUIRE(d.events.front().kv.mod_revision.value() == last);
      REQUIRE(d.through.value() == last - 1);
      std::size_t whole = 0;
      for (const told& t : plain_.all)
        if (t.mod == last && w.wants(t)) whole += t.bytes(w.prev_kv);
      REQUIRE(whole > batch_bytes_);
    } else {
      REQUIRE(d.through.value() >= last);
      REQUIRE((next == nullptr || next->mod > d.through.value()));
    }
  }

  void change() {
    if (strict_)
      while (!advance(1 + below(9))) between();
    index_ = index_.next();
    if (one_in(8)) {
      (void)store_->apply(index_, compact{store_->compacted() + below(store_->current() - store_->compacted() + 2)});
      return;
    }
    values_.clear();
    txn t;
    for (std::uint64_t n = one_in(3) ? 1 + below(7) : 1; n > 0; --n) {
      values_.push_back(std::to_string(index_.value()) + std::string(below(40), '.'));
      t.success.push_back(one_in(4) ? operation{delete_range{key(), range_end()}}
                                    : operation{put{.key = key(), .value = values_.back()}});
    }
    if (one_in(40)) t.success.push_back({put{.key = "x", .value = large_}});
    if (one_in(6)) // then all of it is undone, if the key is there
      for (int i = 0; i < 2; ++i) t.success.push_back({range_request{.key = "x"}});
    const command c = t;
    store_->begin(index_, c);
    while (!store_->proceed(below(3))) between();
    const result<reply> done = store_->finish();
    if (done) plain_.apply(t.success);
    if (!done && done.error().code() == errc::reply_too_large) ++undone;
    REQUIRE(store_->current().value() == plain_.current);
  }

  bool advance(std::size_t visits_max) {
    note_progress();
    return hub_->advance(visits_max);
  }
  void note_progress() {
    progress_.clear();
    for (std::uint64_t tag = 0; tag < watchers_.size(); ++tag)
      if (const auto at = hub_->progress(watchers_[tag].id)) progress_[tag] = at->value();
  }

  void between() {
    switch (below(12)) {
    case 0:
    case 1:
      add();
      break;
    case 2:
      if (!watchers_.empty() && one_in(3)) cancel(watchers_[below(watchers_.size())]);
      break;
    case 3:
      if (!watchers_.empty()) full_.insert(below(watchers_.size()));
      break;
    case 4:
      for (std::uint64_t n = below(full_.size() + 1); n > 0; --n) full_.erase(full_.begin());
      hub_->resume(*this);
      break;
    case 5:
      (void)store_->compact_step(1 + below(5));
      break;
    case 6:
      if (!store_->busy() && one_in(8)) reload();
      break;
    case 7:
    case 8:
      (void)advance(below(9));
      break;
    default:
      note_progress();
      (void)hub_->catch_up(1 + below(30));
    }
  }

  void add() {
    expectation w{.key = one_in(12) ? std::string() : std::string(key()), .range_end = std::string(range_end())};
    if (!one_in(3)) w.start = below(store_->current().value() + 4);
    w.no_put = one_in(6);
    w.no_delete = one_in(6);
    w.prev_kv = one_in(3);
    const watch_options o{.key = w.key,
                          .range_end = w.range_end,
                          .start = revision(w.start),
                          .no_put = w.no_put,
                          .no_delete = w.no_delete,
                          .prev_kv = w.prev_kv};
    if (w.key.empty()) w.key = std::string("\0", 1);
    const result<watch_id> id = hub_->add(o, *this, watchers_.size());
    const bool empty = !w.range_end.empty() && w.range_end != rest && w.range_end <= w.key;
    const bool compacted = w.start != 0 && w.start < store_->history_floor().value() && w.start <= plain_.current;
    REQUIRE(id.has_value() == !(empty || compacted));
    if (!id) {
      REQUIRE(id.error() == (empty ? error(errc::range_empty) : error(errc::compacted, store_->history_floor())));
      ++refused;
      return;
    }
    if (w.start == 0) w.start = plain_.current + 1;
    w.id = *id;
    watchers_.push_back(std::move(w));
  }

  void cancel(expectation& w) {
    hub_->cancel(w.id);
    w.gone = true;
  }

  /// A snapshot takes the place of the store.
  void reload() {
    std::unique_ptr<store> built;
    {
      snapshot_cursor c(*store_);
      store_builder b(options{}, c.header());
      while (!c.done())
        for (const record_view& r : c.next(10'000)) REQUIRE(b.add(r).has_value());
      auto done = b.finish();
      REQUIRE(done.has_value());
      built = std::move(*done);
    }
    REQUIRE(built->content_hash() == store_->content_hash());
    hub_->replace(*built);
    store_ = std::move(built);
    ++reloads;
  }

  std::mt19937_64 random_;
  std::unique_ptr<store> store_;
  const std::size_t batch_bytes_;
  const bool strict_; ///< those in step have a revision before the next command begins
  std::unique_ptr<watch_hub> hub_;
  plain_history plain_;
  std::deque<expectation> watchers_;
  std::set<std::uint64_t> full_;
  std::map<std::uint64_t, std::uint64_t> progress_; ///< before this pass
  std::deque<std::string> values_;
  const std::string large_ = std::string(reply_bytes_max / 2 + 1, 'x');
  log_index index_;
};

} // namespace

// Commands, compaction, snapshots that take the place of the store, watchers that come, go and run out of room, all in
// any order and in slices: each watcher is told what the plain history says, once, in order, and no revision in parts
// that fits a delivery; it is cancelled only if what it needs was compacted away. All of that happens often.
TEST_CASE("watchers see what the plain history says") {
  int lost = 0, parts = 0, undone = 0, reloads = 0, packed = 0, refused = 0;
  std::size_t events = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    watching w(seed);
    w.run(300);
    lost += w.lost;
    parts += w.parts;
    undone += w.undone;
    reloads += w.reloads;
    packed += w.packed;
    refused += w.refused;
    events += w.events;
  }
  CHECK(lost > 100);
  CHECK(parts > 1000);
  CHECK(undone > 100);
  CHECK(reloads > 100);
  CHECK(packed > 1000);
  CHECK(refused > 100);
  CHECK(events > 50'000);
}

} // namespace quorumd::kv::test
