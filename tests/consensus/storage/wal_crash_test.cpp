#include "tests/consensus/storage/wal_rig.hpp"

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

/// Entries move as soon as that could save anything.
wal_options crash_options() {
  wal_options o = small_options();
  o.slack_segments = 0;
  return o;
}

/// What a group's log must hold after some of its writes.
struct model {
  hard_state hard;
  snapshot_mark start;
  std::vector<entry> entries; ///< after the start
  log_index commit;

  [[nodiscard]] log_index last() const { return start.index + entries.size(); }
  [[nodiscard]] term term_at(log_index i) const {
    return i == start.index ? start.term : entries[i - start.index - 1].term();
  }
  void take(const write& w) {
    if (w.hard) hard = *w.hard;
    if (w.install) {
      start = *w.install;
      entries.clear();
      commit = start.index;
    }
    if (!w.entries.empty()) {
      entries.resize(w.entries.front().index() - start.index - 1);
      entries.insert(entries.end(), w.entries.begin(), w.entries.end());
    }
    commit = std::max(commit, w.commit);
  }
  /// What start-up makes of it beside a snapshot.
  void align(const snapshot_mark& s) {
    if (s.index <= start.index) return;
    if (s.index <= last() && term_at(s.index) == s.term) {
      commit = std::max(commit, s.index);
      return;
    }
    start = s;
    entries.clear();
    commit = s.index;
  }
};

/// Why the recovered group is not the model; empty if it is. The recovered log may begin later, up to the snapshot.
std::string difference(const model& m, const recovered_group& g, const std::vector<entry>& entries,
                       const snapshot_mark& snapshot) {
  if (g.hard != m.hard) return "term or vote";
  if (g.last != m.last()) return "last index";
  if (g.start.index < m.start.index || g.start.index > std::max(m.start.index, snapshot.index)) return "beginning";
  if (g.commit > std::max(m.commit, snapshot.index)) return "commit";
  if (g.start.term != m.term_at(g.start.index)) return "term of the beginning";
  for (const entry& e : entries) {
    const entry& expected = m.entries[e.index() - m.start.index - 1];
    if (e.term() != expected.term() || payload_of(e) != payload_of(expected)) return "an entry";
  }
  return {};
}

/// A script of writes, overwrites, installs, truncations and restarts on one disk, the same for every run of a seed,
/// until the disk freezes. Then the machine stops, perhaps twice, and the log is compared with the model.
class scripted {
 public:
  scripted(std::uint64_t seed, memory_files& disk)
      : random_(seed)
      , disk_(disk) {}

  /// False once the disk froze.
  bool run(int steps) {
    if (!log_ && !open()) return false;
    for (int i = 0; i < steps; ++i) {
      step();
      if (disk_.frozen()) return false;
    }
    return true;
  }

  void crash_and_check(std::uint64_t seed, std::uint64_t crash_again_after) {
    close();
    disk_.set_hook({});
    disk_.crash(seed);
    if (crash_again_after > 0) {
      const std::uint64_t at = disk_.count().operations + crash_again_after;
      disk_.set_hook([at](const memory_files::operation& o) {
        return o.changes() && o.number >= at ? memory_files::fault::freeze : memory_files::fault::none;
      });
      counting_entropy random(seed);
      const auto half_open = wal::open(disk_, wal_directory, crash_options(), random, snapshots());
      disk_.set_hook({});
      disk_.crash(seed + 1);
    }
    check(open());
  }

  [[nodiscard]] const wal_stats& totals() const { return totals_; }

 private:
  struct group {
    group_id id;
    std::vector<model> after{model()}; ///< after each submitted write; the first is before any
    std::vector<write> writes;         ///< the one that led to the next of those
    std::uint64_t acknowledged = 0;
    snapshot_mark snapshot; ///< the newest durable one
  };

  std::uint64_t draw(std::uint64_t below) { return random_.next() % below; }

  std::vector<group_snapshot> snapshots() const {
    std::vector<group_snapshot> all;
    for (const group& g : groups_)
      if (g.snapshot.index) all.push_back({g.id, g.snapshot});
    return all;
  }

  bool open() {
    auto random = std::make_unique<counting_entropy>(random_.next());
    result<std::unique_ptr<wal>> w = wal::open(disk_, wal_directory, crash_options(), *random, snapshots());
    if (!w && disk_.frozen()) return false;
    if (!w) {
      FAIL_CHECK(w.error().message());
      return false;
    }
    entropies_.push_back(std::move(random));
    log_ = std::make_unique<running_wal>(std::move(*w), std::vector<group_id>{groups_[0].id, groups_[1].id});
    return true;
  }

  void settle() {
    log_->pump();
    for (group& g : groups_) {
      const auto it = log_->done.persisted.find(g.id);
      // Write numbers start anew with each incarnation of the log; the script's go on.
      if (it != log_->done.persisted.end()) g.acknowledged = std::max(g.acknowledged, it->second.value());
    }
  }

  void step() {
    group& g = groups_[draw(4) == 0 ? 1 : 0];
    model& now = g.after.back();
    switch (draw(12)) {
    case 0: // a snapshot, and the log begins later
      if (now.commit > g.snapshot.index && g.acknowledged + 1 == g.after.size()) {
        g.snapshot = {now.commit, now.term_at(now.commit), {{node_id(1)}, {}, {}}};
        const std::uint64_t trailing = std::min(draw(4), now.commit - now.start.index);
        log_->operator->()->truncate_prefix(g.id, g.snapshot, log_index(now.commit.value() + 1 - trailing));
      }
      break;
    case 1:
      install(g);
      break;
    case 2: // a restart of the process
      settle();
      if (disk_.frozen()) return;
      close();
      if (!open()) return;
      check(true);
      break;
    default:
      append(g);
      break;
    }
    if (draw(3) != 0) settle();
  }

  void install(group& g) {
    const model& now = g.after.back();
    if (draw(3) != 0) return;
    const term t(now.hard.term.value());
    if (t.value() == 0) return;
    // The file is durable first.
    g.snapshot = {now.last() + 1 + draw(5), t, {{node_id(1), node_id(2)}, {}, {}}};
    submit(g, {.group = g.id, .number = {}, .hard = {}, .install = g.snapshot, .entries = {}, .commit = {}});
  }

  void append(group& g) {
    const model& now = g.after.back();
    write w{.group = g.id, .number = {}, .hard = {}, .install = {}, .entries = {}, .commit = {}};
    term t = now.hard.term;
    if (t.value() == 0 || draw(6) == 0) {
      t = t.next();
      w.hard = hard_state{t, node_id(1 + draw(3))};
    }
    // Sometimes a suffix that was not committed is overwritten, by a later term.
    const std::uint64_t uncommitted = now.last() - std::max(now.commit, std::max(now.start.index, g.snapshot.index));
    log_index first = now.last().next();
    if (w.hard && now.last() > now.commit && uncommitted <= now.entries.size() && uncommitted > 0)
      first = log_index(first.value() - draw(uncommitted + 1));
    const std::uint64_t count = draw(4);
    for (std::uint64_t i = 0; i < count; ++i)
      w.entries.push_back(
          make_entry(g.id, t.value(), first.value() + i,
                     std::string(draw(8) == 0 ? draw(9000) : draw(900), static_cast<char>('a' + draw(26)))));
    if (draw(2) == 0 && g.acknowledged + 1 == g.after.size() && first > now.last()) w.commit = now.last();
    if (w.hard || count > 0 || w.commit) submit(g, std::move(w));
  }

  void submit(group& g, write w) {
    w.number = raft::write_number(g.after.size());
    g.after.push_back(g.after.back());
    g.after.back().take(w);
    g.writes.push_back(w);
    log_->operator->()->submit(std::move(w));
  }

  static model partly(model m, write w, std::size_t entries) {
    w.entries.resize(entries, w.entries.front());
    w.commit = log_index();
    m.take(w);
    return m;
  }

  /// The log is the model after some write: none that was acknowledged is missing.
  void check(bool opened) {
    REQUIRE(opened);
    for (group& g : groups_) {
      const auto& all = log_->operator->()->recovered();
      const auto it = std::find_if(all.begin(), all.end(), [&](const recovered_group& r) { return r.group == g.id; });
      recovered_group found;
      if (it != all.end()) found = *it;
      const std::string refused = why_refused(found);
      CHECK_MESSAGE(refused.empty(), "group " << g.id.value() << " would be refused: " << refused);
      std::vector<entry> entries;
      while (entries.size() < found.last - found.start.index) {
        auto more = log_->read(g.id, found.start.index.value() + 1 + entries.size(), found.last.value(), 4096);
        if (disk_.frozen()) return; // it is compared after the crash
        REQUIRE_MESSAGE(more.has_value(), more.error().message());
        REQUIRE_FALSE(more->empty());
        entries.insert(entries.end(), more->begin(), more->end());
      }
      std::string why;
      // Whether it is this one; the script goes on from there.
      const auto is = [&](model m, std::size_t writes) {
        m.align(g.snapshot);
        why = difference(m, found, entries, g.snapshot);
        if (!why.empty()) return false;
        g.after.resize(writes);
        g.after.push_back(std::move(m));
        g.writes.resize(writes);
        g.acknowledged = writes;
        return true;
      };
      bool known = false;
      for (std::size_t n = g.writes.size(); !known && n >= g.acknowledged; --n) {
        known = is(g.after[n], n);
        if (known || n == g.acknowledged) break;
        // A write that is larger than a batch reaches the disk in parts, of which each may be the last.
        const write& w = g.writes[n - 1];
        for (std::size_t part = w.entries.size(); !known && part-- > 1;) known = is(partly(g.after[n - 1], w, part), n);
      }
      CHECK_MESSAGE(known, "group " << g.id.value() << " differs from every model since write " << g.acknowledged
                                    << ": " << why);
      if (!known) return;
    }
  }

  void close() {
    if (!log_) return;
    const wal_stats s = log_->operator->()->stats();
    totals_.torn_batches += s.torn_batches;
    totals_.segments_recycled += s.segments_recycled;
    totals_.moved_bytes += s.moved_bytes;
    log_.reset();
  }

  counting_entropy random_;
  memory_files& disk_;
  std::vector<std::unique_ptr<counting_entropy>> entropies_;
  group groups_[2] = {{.id = group_id(1)}, {.id = group_id(2)}};
  std::unique_ptr<running_wal> log_;
  wal_stats totals_;
};

} // namespace

// The contract of a log: what was acknowledged is there after a power cut at any moment, nothing is half there, votes
// never go back, and the second crash may hit recovery itself.
TEST_CASE("a crash at every operation of a script loses nothing acknowledged") {
  memory_files::counters lost;
  std::uint64_t torn = 0;
  std::uint64_t runs = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    std::uint64_t operations = 0;
    {
      memory_files disk;
      scripted whole(seed, disk);
      REQUIRE(whole.run(60));
      operations = disk.count().operations;
    }
    REQUIRE(operations > 60);
    for (std::uint64_t at = 1; at <= operations; ++at) {
      memory_files disk;
      disk.set_hook([at](const memory_files::operation& o) {
        return o.changes() && o.number >= at ? memory_files::fault::freeze : memory_files::fault::none;
      });
      scripted s(seed, disk);
      INFO("seed " << seed << " crash before operation " << at);
      s.run(60);
      s.crash_and_check(seed * 1000 + at, at % 3 == 0 ? 1 + at % 7 : 0);
      // And it can be used.
      CHECK(s.run(5));
      s.crash_and_check(at, 0);
      const memory_files::counters c = disk.count();
      lost.sectors_lost += c.sectors_lost;
      lost.writes_torn += c.writes_torn;
      lost.names_lost += c.names_lost;
      torn += s.totals().torn_batches;
      ++runs;
    }
  }
  // A sweep that met none of these proves nothing.
  CHECK(runs > 500);
  CHECK(lost.sectors_lost > 0);
  CHECK(lost.writes_torn > 0);
  CHECK(lost.names_lost > 0);
  CHECK(torn > 0);
}

// Many restarts, long after the first segments were recycled.
TEST_CASE("long scripts with crashes at random operations keep to the model") {
  std::uint64_t recycled = 0;
  std::uint64_t moved = 0;
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    memory_files disk;
    scripted s(seed, disk);
    counting_entropy random(seed);
    for (int crash = 0; crash < 10; ++crash) {
      const std::uint64_t at = disk.count().operations + 20 + random.next() % 200;
      disk.set_hook([at](const memory_files::operation& o) {
        return o.changes() && o.number >= at ? memory_files::fault::freeze : memory_files::fault::none;
      });
      INFO("seed " << seed << " crash " << crash);
      s.run(400);
      s.crash_and_check(random.next(), random.next() % 6);
    }
    recycled += s.totals().segments_recycled;
    moved += s.totals().moved_bytes;
  }
  CHECK(recycled > 0);
  CHECK(moved > 0);
}

} // namespace quorumd::storage::test
