#include "random_run.hpp"

#include "harness.hpp"

#include "consensus/raft/quorum.hpp"
#include "consensus/raft/random.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>

namespace quorumd::raft::test {
namespace {

class run {
 public:
  run(std::uint64_t seed, std::uint64_t nodes, mutant m, run_counters& counters, bool changes)
      : random_(seed)
      , changes_(changes)
      , c_(
            nodes, voters(changes ? nodes - 1 : nodes), [&](options& o) { draw_options(o, m); }, seed)
      , counters_(counters) {
    crash_weight_ = random_.below(12);
    loss_percent_ = random_.below(20);
    persist_weight_ = 20 + random_.below(100);
    ordered_ = random_.below(3) == 0;
    quick_ = random_.below(2) == 0;
    late_max_ = 1 + random_.below(20);
    if (quick_) c_.drop = [this](const envelope& e) { return delay(e); };
  }

  std::string go(const std::function<void(cluster&)>& begun) {
    if (begun) begun(c_);
    for (int step = 0; step < (quick_ ? 1000 : 3000) && broken().empty(); ++step) {
      if (quick_)
        act_quick();
      else
        act();
      observe();
      if (step % 40 == 0) check_log_matching();
    }
    if (broken().empty()) recover();
    counters_.elections += elections_;
    counters_.applied += c_.seen.truth().size();
    counters_.inputs += c_.inputs;
    return broken();
  }

 private:
  // Small bounds, so that loads, snapshots and full windows happen.
  void draw_options(options& o, mutant m) {
    o.mutant = m;
    o.election_ticks = 10;
    o.heartbeat_ticks = 2;
    o.disk_stall_ticks = 40;
    o.append_bytes_max = 48 * (1 + random_.below(6));
    o.inflight_appends_max = 1 + random_.below(6);
    o.inflight_bytes_max = 48 * (1 + random_.below(20));
    o.cache_bytes_max = random_.below(2) == 0 ? 100 : 100000;
    o.committed_bytes_max = 48 * (1 + random_.below(20));
    o.uncommitted_bytes_max = 48 * 40;
  }

  [[nodiscard]] const std::string& broken() const { return c_.seen.broken(); }
  [[nodiscard]] std::uint64_t any() { return 1 + random_.below(static_cast<std::uint32_t>(c_.size())); }

  void act() {
    const std::uint64_t n = any();
    const std::uint32_t die = random_.below(500 + persist_weight_);
    if (die < 60) {
      tick_all();
    } else if (die < 280) {
      deliver_one();
    } else if (die < 340) {
      propose(n);
    } else if (die < 340 + crash_weight_) {
      crash_or_restart(n);
    } else if (die < 360) {
      if (random_.below(2) == 0)
        c_.cut(n, any());
      else
        c_.heal();
    } else if (die < 370) {
      if (c_.at(n).c) c_.compact(n, random_.below(4));
    } else if (die < 385) {
      read(n);
    } else if (die < 389) {
      if (c_.at(n).c) (void)c_[n].transfer_leadership(id(any()));
    } else if (die < 393) {
      if (c_.at(n).c) c_[n].stream_reset(id(any()));
    } else if (die < 397) {
      if (c_.at(n).c) c_[n].set_writable(id(any()), random_.below(2) == 0);
    } else if (die < 410) {
      if (changes_) change(n);
    } else if (die >= 500) {
      if (c_.at(n).c && !c_.at(n).writes.empty()) c_.persist_one(n);
    }
    if (random_.below(3) != 0) c_.pump(n); // else several inputs share one output
  }

  void tick_all() {
    for (std::uint64_t i = 1; i <= c_.size(); ++i)
      if (c_.at(i).c && i != asleep_) c_.tick(i);
  }

  void deliver_one() {
    if (c_.bag.empty()) return;
    const bool first = ordered_ || random_.below(4) != 0;
    const std::size_t at = first ? 0 : random_.below(static_cast<std::uint32_t>(c_.bag.size()));
    const envelope e = c_.bag[at];
    if (ordered_ || random_.below(20) != 0) // else it will arrive again
      c_.bag.erase(c_.bag.begin() + static_cast<std::ptrdiff_t>(at));
    if (random_.below(100) < loss_percent_) return;
    if (!c_.at(e.to.value()).c) return;
    if (std::holds_alternative<install_snapshot>(e.message)) ++counters_.installs;
    const log_index before = c_[e.to.value()].last_index();
    c_.deliver(e);
    if (c_[e.to.value()].last_index() < before) ++counters_.truncations;
    if (random_.below(3) != 0) c_.pump(e.to.value());
  }

  // One step of a run in which nothing is lost and no disk is slow, so that leaderships follow each other quickly.
  void act_quick() {
    const std::uint64_t n = any();
    const std::uint32_t die = random_.below(110);
    late_answer_ = false;
    if (die < 30)
      tick_all();
    else if (die < 40)
      (void)c_[leader_or(n)].transfer_leadership(id(any()));
    else if (die < 55)
      propose(n);
    else if (die < 85)
      read(n);
    else if (die < 90)
      sleep_or_wake(n);
    else if (die < 95 && changes_)
      change(n);
    else
      deliver_late();
    c_.settle();
  }

  // Between two nodes some messages arrive in another age, whatever was cut meanwhile, and so do the answers to them.
  bool delay(const envelope& e) {
    if (std::max(e.from, e.to) > id(2) || late_.size() == late_max_) return false;
    if (!late_answer_ && random_.below(3) != 0) return false;
    late_.push_back(e);
    return true;
  }

  void deliver_late() {
    if (late_.empty()) return;
    const std::size_t at = random_.below(static_cast<std::uint32_t>(late_.size()));
    const envelope e = std::move(late_[at]);
    late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(at));
    late_answer_ = true;
    c_.arrive(e);
  }

  // Mostly one that leads, or thinks so.
  std::uint64_t leader_or(std::uint64_t n) {
    for (std::uint64_t i = 1; i <= c_.size(); ++i)
      if (c_.at(i).c && c_[i].soft().role == role::leader && random_.below(4) != 0) n = i;
    return n;
  }

  // While a node sleeps its clock stands still and it hears nobody; it wakes as what it was before.
  void sleep_or_wake(std::uint64_t n) {
    if (asleep_ != 0) {
      c_.heal();
      asleep_ = 0;
      return;
    }
    asleep_ = leader_or(n);
    c_.isolate(asleep_);
    for (std::uint64_t i = 1; i <= c_.size(); ++i)
      if (c_.at(i).c && i != asleep_) c_[i].stream_reset(id(asleep_));
  }

  void propose(std::uint64_t n) {
    n = leader_or(n);
    if (c_.at(n).c) (void)c_.propose(n, "v" + std::to_string(++proposals_));
  }

  // One or several at once enter, leave, or change between voting and learning.
  void change(std::uint64_t n) {
    n = leader_or(n);
    if (!c_.at(n).c) return;
    const configuration& now = c_[n].members();
    configuration next;
    const bool several = random_.below(3) == 0;
    const std::uint64_t one = any();
    for (std::uint64_t i = 1; i <= c_.size(); ++i) {
      std::uint32_t what = stays_voter(now, id(i)) ? 0 : is_member(now, id(i)) ? 1 : 2; // votes, learns, neither
      if (several || i == one) what = random_.below(3);
      if (what == 0) next.voters.push_back(id(i));
      if (what == 1) next.learners.push_back(id(i));
    }
    if (c_.change(n, next) == change_error::none && c_[n].members().joint()) ++counters_.joint_changes;
  }

  void crash_or_restart(std::uint64_t n) {
    if (!c_.at(n).c) {
      c_.restart(n);
      return;
    }
    ++counters_.crashes;
    counters_.lost_writes += c_.at(n).writes.size();
    c_.crash(n);
    c_.at(n).reads.clear();
    if (random_.below(2) == 0) c_.restart(n);
  }

  // A read must see all that was committed when it was asked for.
  void read(std::uint64_t n) {
    if (asleep_ != 0 && random_.below(4) != 0)
      n = asleep_;
    else if (random_.below(2) == 0)
      n = leader_or(n);
    if (!c_.at(n).c) return;
    log_index known;
    for (std::uint64_t i = 1; i <= c_.size(); ++i)
      if (c_.at(i).c) known = std::max(known, c_[i].commit());
    known_at_[++reads_] = known;
    c_[n].read_index({.boot = boot_id(1), .sequence = reads_});
  }

  void observe() {
    for (std::uint64_t i = 1; i <= c_.size(); ++i) {
      for (const read_state& r : c_.at(i).reads) {
        if (!r.ok) continue;
        ++counters_.reads;
        if (r.index < known_at_.at(r.context.sequence))
          c_.seen.report("a read at node " + std::to_string(i) + " would miss a committed entry");
      }
      c_.at(i).reads.clear();
      if (!c_.at(i).c) continue;
      if (c_[i].soft().role == role::leader && c_[i].hard().term > leader_term_) {
        leader_term_ = c_[i].hard().term;
        ++elections_;
      }
    }
    counters_.loads = c_.loads;
  }

  // If two logs agree on an entry's term they agree on everything before (paper figure 3).
  void check_log_matching() {
    for (std::uint64_t a = 1; a <= c_.size(); ++a)
      for (std::uint64_t b = a + 1; b <= c_.size(); ++b) {
        if (!c_.at(a).c || !c_.at(b).c) continue;
        const log_index first = std::max(c_[a].first_index(), c_[b].first_index());
        bool agreed = false;
        for (log_index i = std::min(c_[a].last_index(), c_[b].last_index()); i >= first && i; i = i.prev()) {
          const bool same = c_[a].term_at(i) == c_[b].term_at(i);
          if (agreed && !same)
            c_.seen.report("nodes " + std::to_string(a) + " and " + std::to_string(b) + " differ at index " +
                           std::to_string(i.value()) + " and agree later");
          agreed = agreed || same;
        }
      }
  }

  // Once the faults end, a leader comes forth and everybody applies what it commits.
  void recover() {
    c_.drop = nullptr;
    c_.heal();
    for (std::uint64_t i = 1; i <= c_.size(); ++i) {
      if (!c_.at(i).c) c_.restart(i);
      for (std::uint64_t j = 1; j <= c_.size(); ++j) c_[i].set_writable(id(j), true);
    }
    c_.settle();
    // A transfer or a change may still be under way, so the first leader need not stay.
    std::string behind;
    for (int attempt = 0; attempt < 10; ++attempt) {
      const std::uint64_t leader = c_.run_until_leader(400);
      if (leader == 0) return c_.seen.report("no leader after the faults ended");
      (void)c_.propose(leader, "last");
      c_.run(100);
      behind = who_is_behind(c_.run_until_leader(400));
      if (behind.empty()) break;
    }
    check_log_matching();
    if (!behind.empty()) c_.seen.report("after the faults ended " + behind);
  }

  // Of the members; who is none any more need not hear of anything.
  std::string who_is_behind(std::uint64_t leader) {
    if (leader == 0) return "there is no leader";
    if (c_[leader].changing_members()) return "a change of the members is not over";
    const auto& commands = c_.at(leader).commands;
    if (std::count(commands.begin(), commands.end(), "last") == 0) return "nothing is committed";
    for (std::uint64_t i = 1; i <= c_.size(); ++i) {
      if (!is_member(c_[leader].members(), id(i))) continue;
      if (c_.at(i).applied != c_[leader].last_index() || c_.at(i).commands != commands)
        return "node " + std::to_string(i) + " did not catch up";
    }
    return "";
  }

  random_source random_;
  const bool changes_; // of the members
  cluster c_;
  run_counters& counters_;
  std::uint64_t asleep_ = 0;   // 0 for none
  std::vector<envelope> late_; // on their way for long
  std::uint32_t crash_weight_ = 0;
  std::uint32_t loss_percent_ = 0;
  std::uint32_t persist_weight_ = 0;
  bool ordered_ = false;
  bool quick_ = false;
  bool late_answer_ = false;
  std::size_t late_max_ = 0;
  std::uint64_t proposals_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t elections_ = 0;
  term leader_term_;
  std::map<std::uint64_t, log_index> known_at_;
};

} // namespace

std::string random_run(std::uint64_t seed, std::uint64_t nodes, mutant m, run_counters& counters, bool changes,
                       const std::function<void(cluster&)>& begun) {
  return run(seed, nodes, m, counters, changes).go(begun);
}

bool caught_by_random_runs(mutant m, std::uint64_t seeds, bool changes) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Its broken invariants are wanted: they end it without a word.
      (void)std::signal(SIGABRT, SIG_DFL);
      (void)std::freopen("/dev/null", "w", stderr);
      run_counters counters;
      ::_exit(random_run(seed, changes ? 4 : 3, m, counters, changes).empty() ? 0 : 1);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) return false;
    if (status != 0) return true;
  }
  return false;
}

} // namespace quorumd::raft::test
