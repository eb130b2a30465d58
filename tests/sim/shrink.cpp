#include "tests/sim/shrink.hpp"

#include "tests/sim/sweep.hpp"

#include <algorithm>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::sim {
namespace {

class shrinker {
 public:
  explicit shrinker(const shrink_options& o)
      : options_(o)
      , earlier_(faults_of(o.from.seed, o.from.mutant))
      , plan_(draw_plan(o.from.seed, {}))
      , best_(o.from.changed) {}

  shrink_result run() {
    shrink_result r;
    const run_result first = try_one(best_);
    r.complaint = first.complaint;
    r.smallest = options_.from;
    r.runs = runs_;
    if (r.complaint.empty()) return r;
    wanted_ = kind_of_complaint(r.complaint);
    seen_ = first;
    r.before = size();
    while (runs_ < options_.runs_max && everything()) {
    }
    name_whole_kinds();
    r.smallest.changed = best_;
    r.still = seen_.complaint;
    r.after = size();
    r.runs = runs_;
    return r;
  }

 private:
  using candidates = std::vector<overrides>;

  /// One go at all that can be left out; whether anything could.
  bool everything() {
    bool any = improve(without_the_late());
    any |= improve(without_kinds());
    any |= improve(without_others());
    any |= single_faults();
    any |= improve(smaller_load());
    any |= improve(shorter());
    any |= improve(plainer());
    return any;
  }

  /// Takes the first of them that fails alike, and looks on among those that are left; whether there was one.
  bool improve(candidates all) {
    bool any = false;
    while (!all.empty()) {
      const auto at = first_alike(all);
      if (!at) return any;
      const overrides taken = all[*at];
      any = true;
      accept(taken);
      all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(*at) + 1);
      for (overrides& o : all) add(o, taken);
      std::erase_if(all, [&](const overrides& o) { return o.text() == taken.text(); });
    }
    return any;
  }

  /// What was left out in the meantime is left out of that, too.
  static void add(overrides& to, const overrides& o) {
    to.without.kinds.insert(o.without.kinds.begin(), o.without.kinds.end());
    to.without.numbers.insert(o.without.numbers.begin(), o.without.numbers.end());
    to.without_others.insert(o.without_others.begin(), o.without_others.end());
    to.plain.insert(o.plain.begin(), o.plain.end());
    const auto smaller = [](auto& mine, const auto& other) {
      if (other && (!mine || *other < *mine)) mine = other;
    };
    smaller(to.clients, o.clients);
    smaller(to.nodes, o.nodes);
    smaller(to.trouble, o.trouble);
  }

  std::optional<std::size_t> first_alike(const candidates& all) {
    for (std::size_t begin = 0; begin < all.size() && runs_ < options_.runs_max; begin += options_.jobs) {
      const std::size_t end = std::min<std::size_t>(all.size(), begin + options_.jobs);
      const std::vector<run_result> results =
          try_all({all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)});
      for (std::size_t i = 0; i < results.size(); ++i) {
        if (kind_of_complaint(results[i].complaint) != wanted_) continue;
        seen_ = results[i];
        return begin + i;
      }
    }
    return std::nullopt;
  }

  std::vector<run_result> try_all(const candidates& some) {
    children processes;
    for (std::size_t i = 0; i < some.size(); ++i)
      processes.start(i, [&](int out) {
        write_report({options_.from.seed, options_.from.mutant, some[i]}, out,
                     some[i].any() ? earlier_ : std::vector<fault>());
      });
    runs_ += some.size();
    std::vector<run_result> results(some.size());
    while (processes.running() != 0)
      for (const ended_child& c : processes.wait()) results[c.tag] = read_report(c);
    return results;
  }
  run_result try_one(const overrides& o) { return try_all({o}).front(); }

  void accept(const overrides& o) {
    best_ = o;
    if (options_.quiet) return;
    const run_size s = size();
    std::fprintf(stderr,
                 "%" PRIu64 " runs: %zu faults, %" PRIu64 " nodes, %" PRIu64 " clients, %.3f s, %" PRIu64 " events\n",
                 runs_, s.faults, s.nodes, s.clients, s.seconds, s.events);
  }

  [[nodiscard]] std::vector<const fault*> left() const {
    const fault_script script({}, best_.without);
    std::vector<const fault*> all;
    for (const fault& f : earlier_)
      if (f.number != 0 && !script.leaves_out(f)) all.push_back(&f);
    return all;
  }

  [[nodiscard]] run_size size() const {
    plan p = plan_;
    best_.apply(p);
    return {left().size(), p.nodes, p.load.clients, std::chrono::duration<double>(seen_.virtual_time).count(),
            seen_.events};
  }

  /// What happens only after the violation.
  [[nodiscard]] candidates without_the_late() const {
    overrides o = best_;
    for (const fault* f : left())
      if (f->due - began > seen_.virtual_time) o.without.numbers.insert(f->number);
    return o.without.numbers == best_.without.numbers ? candidates() : candidates{o};
  }

  [[nodiscard]] candidates without_kinds() const {
    candidates all;
    for (std::size_t k = 0; k < fault_names.size(); ++k) {
      overrides o = best_;
      for (const fault* f : left())
        if (f->kind == static_cast<fault_kind>(k)) o.without.numbers.insert(f->number);
      if (o.without.numbers != best_.without.numbers) all.push_back(std::move(o));
    }
    if (plan_.changes_members() && !best_.without.kinds.contains(fault_kind::change)) {
      all.push_back(best_);
      all.back().without.kinds.insert(fault_kind::change);
    }
    return all;
  }

  [[nodiscard]] candidates without_others() const {
    candidates all;
    for (const std::string_view other : other_things) {
      if (best_.without_others.contains(other)) continue;
      all.push_back(best_);
      all.back().without_others.insert(other);
    }
    return all;
  }

  [[nodiscard]] candidates smaller_load() const {
    plan p = plan_;
    best_.apply(p);
    candidates all;
    for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{2}, p.load.clients / 2, p.load.clients - 1}) {
      if (n == 0 || n >= p.load.clients) continue;
      all.push_back(best_);
      all.back().clients = n;
    }
    for (const std::uint64_t n : {std::uint64_t{3}, std::uint64_t{5}}) {
      if (n >= p.nodes) continue;
      all.push_back(best_);
      all.back().nodes = n;
    }
    return all;
  }

  [[nodiscard]] candidates shorter() const {
    plan p = plan_;
    best_.apply(p);
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(p.trouble);
    candidates all;
    for (const int eighths : {1, 2, 4, 6, 7}) {
      const auto shortened = now * eighths / 8;
      if (shortened < std::chrono::milliseconds(1) || shortened + std::chrono::milliseconds(50) > now) continue;
      all.push_back(best_);
      all.back().trouble = shortened;
    }
    return all;
  }

  [[nodiscard]] candidates plainer() const {
    candidates all;
    if (best_.plain.size() + 1 < plan_parts.size()) {
      all.push_back(best_);
      all.back().plain.insert(plan_parts.begin(), plan_parts.end());
    }
    for (const std::string_view part : plan_parts) {
      if (best_.plain.contains(part)) continue;
      all.push_back(best_);
      all.back().plain.insert(part);
    }
    return all;
  }

  /// Delta debugging: halves, then quarters, down to single ones.
  bool single_faults() {
    bool any = false;
    for (std::size_t most = (left().size() + 1) / 2; most != 0; most /= 2) {
      for (std::size_t at = 0; at < left().size() && runs_ < options_.runs_max;) {
        const std::vector<const fault*> rest = left();
        candidates parts;
        for (std::size_t from = at; from < rest.size() && parts.size() < options_.jobs; from += most) {
          parts.push_back(best_);
          for (std::size_t i = from; i < std::min(rest.size(), from + most); ++i)
            parts.back().without.numbers.insert(rest[i]->number);
        }
        const auto alike = first_alike(parts);
        if (alike) accept(overrides(parts[*alike]));
        at += alike ? *alike * most : parts.size() * most;
        any |= alike.has_value();
      }
    }
    return any;
  }

  /// A kind of which nothing is left is named, and not its numbers one by one.
  void name_whole_kinds() {
    const std::vector<const fault*> rest = left();
    for (const fault& f : earlier_) {
      const bool some = std::any_of(rest.begin(), rest.end(), [&](const fault* l) { return l->kind == f.kind; });
      if (some || f.number == 0 || f.kind == fault_kind::change) continue; // without changes nobody ever joins
      best_.without.kinds.insert(f.kind);
    }
    for (const fault& f : earlier_)
      if (best_.without.kinds.contains(f.kind)) best_.without.numbers.erase(f.number);
  }

  static constexpr coro::time_point began{std::chrono::hours(1)}; // where virtual time begins

  const shrink_options& options_;
  const std::vector<fault> earlier_;
  const plan plan_; ///< nothing changed
  overrides best_;
  std::string wanted_;
  run_result seen_; ///< of the best
  std::uint64_t runs_ = 0;
};

} // namespace

std::string kind_of_complaint(std::string_view complaint) {
  std::string s;
  for (const char c : complaint) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!digit) s.push_back(c);
    if (digit && (s.empty() || s.back() != '#')) s.push_back('#');
  }
  return s.substr(0, s.find("operation #"));
}

shrink_result shrink(const shrink_options& o) {
  return shrinker(o).run();
}

} // namespace quorumd::sim
