#include "tests/sim/arguments.hpp"
#include "tests/sim/explain.hpp"
#include "tests/sim/shrink.hpp"
#include "tests/sim/sweep.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string_view>

using namespace quorumd::sim;

namespace {

constexpr const char* usage =
    R"(quorumd_sim: three, five or seven real nodes in one process on virtual time; one seed decides everything

  --seed N [--trace] [--mutant NAME]         one run; prints its counters and the hash of its trace
  --explain N [--mutant NAME]                one run as a story: who led, faults, members, and what went wrong
  --shrink N [--jobs J] [--mutant NAME]      the smallest run that still fails as that of the seed does
  --seeds A..B [--jobs J] [--mutant NAME]    a sweep; prints what failed and how to see it again
      [--twice]                              every seed a second time, in another process (else every hundredth)
  --minutes M [--from N] [--jobs J]          a sweep of as many seeds as so many minutes allow, from N on, else from a
      [--mutant NAME] [--twice]              seed that the clock gives; says how far it is once a minute
  --mutants [--within N] [--jobs J]          each deliberate bug must be caught by a sweep of at most N seeds, and the
                                             same seeds must pass without it
  --list-mutants

One run (--seed, --explain, --shrink) can differ from its seed's. Its faults are then those of the seed's own run, at
the same moments, and what is left out moves no other:
  --skip 3,5-9           without the faults and changes of members of these numbers (--explain shows them)
  --without KIND,...     without crash, crash-within-write, crash-all, stop, partition, one-way, cut, pause, slow-disk,
                         full-disk, failing-sync, slow-candidate, crash-candidate, split, change, flips, sessions,
                         leases, watches
  --clients N  --nodes N  --trouble-ms N
  --plain PART,...       these have their defaults: costs, network, lines, workers, log, consensus, node, snapshots, streams
)";

/// A sweep shorter than this need not have met everything.
constexpr std::uint64_t long_enough = 100;

void print(const counters& c) {
  for (std::size_t i = 0; i < counter_infos.size(); ++i)
    std::printf("  %-28.*s %" PRIu64 "\n", static_cast<int>(counter_infos[i].name.size()), counter_infos[i].name.data(),
                c.all()[i]);
}

int run_one(const arguments& a) {
  const run_result r = run_again(a.spec, {.print = a.trace});
  std::printf("seed %" PRIu64 ": %.3f virtual seconds, %" PRIu64 " steps\n", a.spec.seed,
              std::chrono::duration<double>(r.virtual_time).count(), r.steps);
  print(r.counts);
  std::printf("trace %016" PRIx64 " (%" PRIu64 " events)\n", r.hash, r.events);
  if (r.complaint.empty()) return 0;
  std::printf("FAILED: %s\n  replay: %s --trace\n", r.complaint.c_str(), replay_command(a.spec).c_str());
  return 1;
}

int run_explain(const arguments& a) {
  const explanation e = explain(a.spec);
  for (const std::string& line : e.lines) std::puts(line.c_str());
  std::puts(e.complaint.empty() ? "nothing was wrong" : ("FAILED: " + e.complaint).c_str());
  return e.complaint.empty() ? 0 : 1;
}

int run_shrink(const arguments& a) {
  const shrink_result r = shrink({.from = a.spec, .jobs = a.jobs});
  if (r.complaint.empty()) {
    std::printf("seed %" PRIu64 " does not fail: there is nothing to shrink\n", a.spec.seed);
    return 1;
  }
  std::printf("seed %" PRIu64 " FAILED: %s\n", a.spec.seed, r.complaint.c_str());
  std::printf("after %" PRIu64 " runs: %zu of %zu faults, %" PRIu64 " of %" PRIu64 " nodes, %" PRIu64 " of %" PRIu64
              " clients, %.3f of %.3f s, %" PRIu64 " of %" PRIu64 " events\n",
              r.runs, r.after.faults, r.before.faults, r.after.nodes, r.before.nodes, r.after.clients, r.before.clients,
              r.after.seconds, r.before.seconds, r.after.events, r.before.events);
  std::printf("still: %s\n  replay: %s --trace\n", r.still.c_str(), replay_command(r.smallest).c_str());
  return 0;
}

/// Whether the sweep met everything that it must, and nothing failed.
bool good(const sweep_result& r) {
  bool all = r.failures.empty();
  for (std::size_t i = 0; i < counter_infos.size() && r.runs >= long_enough; ++i) {
    if (r.counts.all()[i] != 0 || !counter_infos[i].must_happen) continue;
    std::printf("FAILED: the sweep met no '%.*s': it proves less than it claims\n",
                static_cast<int>(counter_infos[i].name.size()), counter_infos[i].name.data());
    all = false;
  }
  return all;
}

int run_sweep(const arguments& a, const sweep_options& o) {
  const sweep_result r = sweep(o);
  std::printf("%" PRIu64 " seeds in %.1f s, %" PRIu64 " steps, %zu failed\n", r.runs, r.seconds, r.steps,
              r.failures.size());
  if (o.at_most) std::printf("%.0f seeds an hour\n", static_cast<double>(r.runs) / r.seconds * 3600);
  print(r.counts);
  const bool passes = good(r);
  for (const sweep_failure& f : r.failures)
    std::printf("failed: seed %" PRIu64 "; replay: %s\n", f.seed, replay_command({f.seed, a.spec.mutant, {}}).c_str());
  return passes ? 0 : 1;
}

/// From the seed that was asked for, or one that the clock gives.
int run_minutes(const arguments& a) {
  constexpr std::uint64_t drawn_below = 1'000'000'000; // short enough to be typed
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::uint64_t first = a.from ? *a.from : mix(static_cast<std::uint64_t>(now)) % drawn_below;
  std::printf("seeds from %" PRIu64 "\n", first);
  return run_sweep(a, {.first = first,
                       .last = UINT64_MAX,
                       .at_most = a.minutes,
                       .jobs = a.jobs,
                       .mutant = a.spec.mutant,
                       .twice = a.twice});
}

int run_mutants(const arguments& a) {
  std::uint64_t furthest = 0;
  bool all_caught = true;
  for (const std::string_view name : mutant_names()) {
    if (seeds_of_mutant(name) > a.within) {
      std::printf("%-26.*s left out: takes up to %" PRIu64 " seeds (--within)\n", static_cast<int>(name.size()),
                  name.data(), seeds_of_mutant(name));
      continue;
    }
    const sweep_result r =
        sweep({.last = a.within, .jobs = a.jobs, .mutant = name, .quiet = true, .stop_at_first = true});
    if (r.failures.empty()) {
      std::printf("%-26.*s NOT CAUGHT by %" PRIu64 " seeds\n", static_cast<int>(name.size()), name.data(), r.runs);
      all_caught = false;
      continue;
    }
    const sweep_failure& f = r.failures.front();
    furthest = std::max(furthest, f.seed);
    std::printf("%-26.*s caught by seed %" PRIu64 ": %s\n", static_cast<int>(name.size()), name.data(), f.seed,
                f.why.c_str());
    std::fflush(stdout);
  }
  const sweep_result clean = sweep({.last = furthest, .jobs = a.jobs, .quiet = true});
  for (const sweep_failure& f : clean.failures)
    std::printf("without a mutant seed %" PRIu64 " fails too: %s\n", f.seed, f.why.c_str());
  if (clean.failures.empty()) std::printf("without a mutant the same %" PRIu64 " seeds pass\n", clean.runs);
  return all_caught && clean.failures.empty() ? 0 : 1;
}

int run_list() {
  for (const std::string_view name : mutant_names()) std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  arguments a;
  if (const std::string wrong = parse(argc, argv, a); !wrong.empty()) {
    std::fprintf(stderr, "quorumd_sim: %s\n\n%s", wrong.c_str(), usage);
    return 64;
  }
  switch (a.what) {
  case arguments::task::report:
    write_report(a.spec, STDOUT_FILENO);
    return 0;
  case arguments::task::explain:
    return run_explain(a);
  case arguments::task::shrink:
    return run_shrink(a);
  case arguments::task::seeds:
    return run_sweep(
        a, {.first = a.seeds.first, .last = a.seeds.second, .jobs = a.jobs, .mutant = a.spec.mutant, .twice = a.twice});
  case arguments::task::minutes:
    return run_minutes(a);
  case arguments::task::mutants:
    return run_mutants(a);
  case arguments::task::list:
    return run_list();
  default:
    return run_one(a);
  }
}
