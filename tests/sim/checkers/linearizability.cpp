#include "tests/sim/checkers/linearizability.hpp"

#include "tests/sim/checkers/model.hpp"
#include "tests/sim/prng.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace quorumd::sim {
namespace {

using verdict = judgement::verdict;
constexpr std::uint64_t never = UINT64_MAX;

class checker {
 public:
  checker(const std::vector<operation>& history, linearizability_options o)
      : history_(history)
      , options_(o) {}

  judgement run() {
    if (!arrange() || !real_time() || !compactions()) return {verdict::violation, why_, 0};
    return search();
  }

 private:
  struct choice {
    std::uint64_t revision; ///< before it
    std::vector<std::size_t> candidates;
    std::size_t next = 0; ///< of them, to be tried
  };

  bool fail(std::string why) {
    why_ = std::move(why);
    return false;
  }

  // The place of every acknowledged operation.
  bool arrange() {
    for (const operation& o : history_) {
      if (o.result == outcome::unknown && o.what == operation::kind::write) unknown_.push_back(&o);
      if (o.result != outcome::ok) continue;
      if (o.revision == 0) return fail("a response without a revision: " + describe(o));
      last_ = std::max(last_, o.revision);
      for (const action_result& r : o.results)
        for (const seen_key& k : r.kvs) observed_[k.mod_revision].insert({k.key, k.value});
      if (o.revokes()) { // whether it made that revision is for the search
        revocations_[o.revision].push_back(unknown_.size());
        unknown_.push_back(&o);
      } else if (!o.made_revision()) {
        readers_[o.revision].push_back(&o);
      } else if (const auto [at, fresh] = writers_.emplace(o.revision, &o); !fresh) {
        return fail("two writes made one revision: " + describe(*at->second) + " and " + describe(o));
      }
    }
    used_.assign(unknown_.size(), false);
    return true;
  }

  // Nothing lies before what had returned when it was invoked.
  bool real_time() {
    struct moment {
      std::uint64_t at;
      bool returns;
      const operation* o;
    };
    std::vector<moment> moments;
    for (const operation& o : history_) {
      if (o.result != outcome::ok) continue;
      moments.push_back({o.invoked, false, &o});
      moments.push_back({o.returned, true, &o});
    }
    std::sort(moments.begin(), moments.end(), [](const moment& a, const moment& b) { return a.at < b.at; });
    const operation* newest = nullptr;
    for (const moment& m : moments) {
      if (m.returns) {
        if (newest == nullptr || m.o->revision > newest->revision) newest = m.o;
      } else if (newest != nullptr && m.o->what != operation::kind::stale_read) {
        const bool late = m.o->made_revision() ? m.o->revision <= newest->revision : m.o->revision < newest->revision;
        if (late) return fail("out of real-time order: after " + describe(*newest) + " came " + describe(*m.o));
      }
    }
    seen_by_.assign(last_ + 2, never);
    for (const operation& o : history_)
      if (o.result == outcome::ok) seen_by_[o.revision] = std::min(seen_by_[o.revision], o.returned);
    for (std::uint64_t r = last_; r != 0; --r) seen_by_[r] = std::min(seen_by_[r], seen_by_[r + 1]);
    return true;
  }

  // A read is told that its revision is gone only after somebody asked for that.
  bool compactions() {
    if (options_.compacts_itself) return true;
    for (const operation& o : history_) {
      if (o.result != outcome::compacted || o.then.empty()) continue;
      const bool asked = std::any_of(history_.begin(), history_.end(), [&](const operation& c) {
        return c.what == operation::kind::compact && c.result != outcome::not_applied && c.invoked < o.returned &&
               c.compact_to > o.then.front().revision;
      });
      if (!asked) return fail("a revision is gone that nobody compacted: " + describe(o));
    }
    return true;
  }

  judgement search() {
    bool good = readers_agree();
    for (;;) {
      if (explored_ > options_.explored_max)
        return {verdict::undecided, "gave up at revision " + std::to_string(model_.revision()), explored_};
      if (!good) {
        if (!backtrack(good)) return {verdict::violation, why_, explored_};
        continue;
      }
      if (model_.revision() >= last_) return {verdict::linearizable, {}, explored_};
      ++explored_;
      const auto writer = writers_.find(model_.revision() + 1);
      if (writer != writers_.end()) {
        good = replay(*writer->second) && readers_agree();
      } else if (visited_.insert({model_.revision(), used_hash_, model_.hash()}).second) {
        choices_.push_back({model_.revision(), candidates(model_.revision() + 1)});
        good = false; // the backtracking takes the first
      } else {
        good = false;
      }
    }
  }

  // The next unknown write for the newest open choice. False: there is none left.
  bool backtrack(bool& good) {
    while (!choices_.empty()) {
      choice& c = choices_.back();
      model_.undo_to(c.revision);
      if (c.next != 0 && taken_.size() == choices_.size()) {
        mark(taken_.back(), false);
        taken_.pop_back();
      }
      while (c.next < c.candidates.size()) {
        const std::size_t candidate = c.candidates[c.next++];
        ++explored_;
        const bool mutated = model_.apply(*unknown_[candidate]).mutated;
        if (mutated && explains_observations()) {
          mark(candidate, true);
          taken_.push_back(candidate);
          good = readers_agree();
          return true;
        }
        model_.undo_to(c.revision);
      }
      note("nobody can have made revision " + std::to_string(c.revision + 1), c.revision + 1);
      choices_.pop_back();
    }
    return false;
  }

  /// The unknown writes in the order in which they are tried for a revision: the guesses, then all others.
  [[nodiscard]] std::vector<std::size_t> candidates(std::uint64_t revision) const {
    std::vector<std::size_t> first;
    std::vector<std::size_t> others;
    const auto guess = options_.guesses.find(revision);
    for (std::size_t i = 0; i < unknown_.size(); ++i) {
      if (!may_be(i, revision)) continue;
      const bool guessed = guess != options_.guesses.end() && std::find(guess->second.begin(), guess->second.end(),
                                                                        unknown_[i]->id) != guess->second.end();
      (guessed ? first : others).push_back(i);
    }
    first.insert(first.end(), others.begin(), others.end());
    return first;
  }

  [[nodiscard]] bool may_be(std::size_t candidate, std::uint64_t revision) const {
    const operation& o = *unknown_[candidate];
    if (o.result == outcome::ok && o.revision != revision) return false;
    return !used_[candidate] && o.invoked < seen_by_[revision];
  }

  void mark(std::size_t candidate, bool used) {
    used_[candidate] = used;
    used_hash_ ^= mix(candidate + 1);
  }

  // Whether the newest revision wrote what the reads saw of it.
  [[nodiscard]] bool explains_observations() const {
    const auto seen = observed_.find(model_.revision());
    if (seen == observed_.end()) return true;
    return std::all_of(seen->second.begin(), seen->second.end(),
                       [&](const auto& kv) { return model_.wrote(model_.revision(), kv.first, kv.second); });
  }

  bool replay(const operation& o) {
    const std::uint64_t before = model_.revision();
    const model::answer a = model_.apply(o);
    if (a.mutated && agrees(o, a)) return true;
    model_.undo_to(before);
    note("a write answered what it cannot have done: " + describe(o), before + 1);
    return false;
  }

  // Whether everything that was answered at this revision without making one is true here.
  bool readers_agree() { return revocations_agree() && reads_agree(); }

  // Whether what was revoked at this revision without making it had no keys.
  bool revocations_agree() {
    const auto here = revocations_.find(model_.revision());
    if (here == revocations_.end()) return true;
    for (const std::size_t i : here->second) {
      if (used_[i]) continue;
      const std::uint64_t before = model_.revision();
      if (!model_.apply(*unknown_[i]).mutated) continue;
      model_.undo_to(before);
      note("a lease was revoked whose keys stayed: " + describe(*unknown_[i]), before);
      return false;
    }
    return true;
  }

  bool reads_agree() {
    const auto here = readers_.find(model_.revision());
    if (here == readers_.end()) return true;
    for (const operation* o : here->second) {
      if (o->what == operation::kind::compact || o->what == operation::kind::grant) continue;
      const std::uint64_t before = model_.revision();
      const model::answer a = model_.apply(*o);
      const bool good = !a.mutated && agrees(*o, a);
      model_.undo_to(before);
      if (good) continue;
      note("an answer that was never true at its revision: " + describe(*o), before);
      return false;
    }
    return true;
  }

  static bool agrees(const operation& o, const model::answer& a) {
    return o.succeeded == a.succeeded && o.results == a.results;
  }

  // The failure that came furthest explains most.
  void note(std::string why, std::uint64_t revision) {
    if (revision < deepest_) return;
    deepest_ = revision;
    why_ = std::move(why);
  }

  const std::vector<operation>& history_;
  linearizability_options options_;
  std::string why_;
  std::uint64_t deepest_ = 0;
  std::uint64_t last_ = 1;
  std::uint64_t explored_ = 0;
  std::map<std::uint64_t, const operation*> writers_;
  std::map<std::uint64_t, std::vector<const operation*>> readers_;
  std::map<std::uint64_t, std::set<std::pair<std::string, std::string>>> observed_;
  std::vector<std::uint64_t> seen_by_;    ///< when somebody had first seen this revision or a later one
  std::vector<const operation*> unknown_; ///< and those that do not say whether they made their revision
  std::map<std::uint64_t, std::vector<std::size_t>> revocations_; ///< of these, by the revision that they answered
  std::vector<bool> used_;
  std::uint64_t used_hash_ = 0;
  model model_;
  std::vector<choice> choices_;
  std::vector<std::size_t> taken_; ///< the unknown write of each choice that has one
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> visited_;
};

} // namespace

judgement check_linearizable(const std::vector<operation>& history, linearizability_options o) {
  return checker(history, std::move(o)).run();
}

} // namespace quorumd::sim
