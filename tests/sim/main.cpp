#include "tests/sim/sweep.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

using namespace quorumd::sim;

namespace {

constexpr const char* usage =
    R"(quorumd_sim: three, five or seven real nodes in one process on virtual time; one seed decides everything

  --seed N [--trace] [--mutant NAME]         one run; prints its counters and the hash of its trace
  --seeds A..B [--jobs J] [--mutant NAME]    a sweep; prints what failed and how to see it again
      [--twice]                              every seed a second time, in another process (else every hundredth)
  --mutants [--within N] [--jobs J]          each deliberate bug must be caught by a sweep of at most N seeds, and the
                                             same seeds must pass without it
  --list-mutants
)";

/// A sweep shorter than this need not have met everything.
constexpr std::uint64_t long_enough = 100;

struct arguments {
  std::optional<std::uint64_t> seed;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> seeds;
  std::uint64_t within = 400;
  unsigned jobs = 2;
  std::string_view mutant;
  bool trace = false;
  bool twice = false;
  bool report = false;
  bool all_mutants = false;
  bool list = false;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

bool parse_range(std::string_view text, arguments& a) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto from = number(text.substr(0, dots));
  const auto to = number(text.substr(dots + 2));
  if (!from || !to || *from > *to) return false;
  a.seeds = {*from, *to};
  return true;
}

/// Whether the arguments make sense.
bool parse(int argc, char** argv, arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace")
      a.trace = true;
    else if (name == "--twice")
      a.twice = true;
    else if (name == "--report")
      a.report = true;
    else if (name == "--mutants")
      a.all_mutants = true;
    else if (name == "--list-mutants")
      a.list = true;
    else if (++i == argc)
      return false;
    else if (name == "--mutant")
      a.mutant = argv[i];
    else if (name == "--seeds") {
      if (!parse_range(argv[i], a)) return false;
    } else if (const auto n = number(argv[i]); !n)
      return false;
    else if (name == "--seed")
      a.seed = n;
    else if (name == "--jobs")
      a.jobs = static_cast<unsigned>(*n);
    else if (name == "--within")
      a.within = *n;
    else
      return false;
  }
  if (!a.mutant.empty() && !find_mutant(a.mutant)) {
    std::fprintf(stderr, "quorumd_sim: no mutant is called '%.*s'; see --list-mutants\n",
                 static_cast<int>(a.mutant.size()), a.mutant.data());
    return false;
  }
  return a.jobs != 0 && (a.seed || a.seeds || a.all_mutants || a.list);
}

void print(const counters& c) {
  for (std::size_t i = 0; i < counter_infos.size(); ++i)
    std::printf("  %-28.*s %" PRIu64 "\n", static_cast<int>(counter_infos[i].name.size()), counter_infos[i].name.data(),
                c.all()[i]);
}

int run_one(const arguments& a) {
  const run_result r = run_seed(*a.seed, a.mutant.empty() ? mutants{} : *find_mutant(a.mutant), a.trace);
  std::printf("seed %" PRIu64 ": %.3f virtual seconds, %" PRIu64 " steps\n", *a.seed,
              std::chrono::duration<double>(r.virtual_time).count(), r.steps);
  print(r.counts);
  std::printf("trace %016" PRIx64 " (%" PRIu64 " events)\n", r.hash, r.events);
  if (r.complaint.empty()) return 0;
  std::printf("FAILED: %s\n  replay: %s --trace\n", r.complaint.c_str(), replay_command(*a.seed, a.mutant).c_str());
  return 1;
}

int run_sweep(const arguments& a) {
  const sweep_result r = sweep({a.seeds->first, a.seeds->second, a.jobs, a.mutant, false, false, a.twice});
  std::printf("%" PRIu64 " seeds in %.1f s, %" PRIu64 " steps, %zu failed\n", r.runs, r.seconds, r.steps,
              r.failures.size());
  print(r.counts);
  bool good = r.failures.empty();
  for (std::size_t i = 0; i < counter_infos.size() && r.runs >= long_enough; ++i) {
    if (r.counts.all()[i] != 0 || !counter_infos[i].must_happen) continue;
    std::printf("FAILED: the sweep met no '%.*s': it proves less than it claims\n",
                static_cast<int>(counter_infos[i].name.size()), counter_infos[i].name.data());
    good = false;
  }
  for (const sweep_failure& f : r.failures)
    std::printf("failed: seed %" PRIu64 "; replay: %s\n", f.seed, replay_command(f.seed, a.mutant).c_str());
  return good ? 0 : 1;
}

int run_mutants(const arguments& a) {
  std::uint64_t furthest = 0;
  bool good = true;
  for (const std::string_view name : mutant_names()) {
    if (seeds_of_mutant(name) > a.within) {
      std::printf("%-26.*s left out: takes up to %" PRIu64 " seeds (--within)\n", static_cast<int>(name.size()),
                  name.data(), seeds_of_mutant(name));
      continue;
    }
    const sweep_result r = sweep({1, a.within, a.jobs, name, true, true, false});
    if (r.failures.empty()) {
      std::printf("%-26.*s NOT CAUGHT by %" PRIu64 " seeds\n", static_cast<int>(name.size()), name.data(), r.runs);
      good = false;
      continue;
    }
    const sweep_failure& f = r.failures.front();
    furthest = std::max(furthest, f.seed);
    std::printf("%-26.*s caught by seed %" PRIu64 ": %s\n", static_cast<int>(name.size()), name.data(), f.seed,
                f.why.c_str());
    std::fflush(stdout);
  }
  const sweep_result clean = sweep({1, furthest, a.jobs, {}, true, false, false});
  for (const sweep_failure& f : clean.failures)
    std::printf("without a mutant seed %" PRIu64 " fails too: %s\n", f.seed, f.why.c_str());
  if (clean.failures.empty()) std::printf("without a mutant the same %" PRIu64 " seeds pass\n", clean.runs);
  return good && clean.failures.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  arguments a;
  if (!parse(argc, argv, a)) {
    std::fputs(usage, stderr);
    return 64;
  }
  if (a.list) {
    for (const std::string_view name : mutant_names())
      std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
    return 0;
  }
  if (a.all_mutants) return run_mutants(a);
  if (a.seeds) return run_sweep(a);
  if (a.report) {
    write_report(*a.seed, a.mutant, STDOUT_FILENO);
    return 0;
  }
  return run_one(a);
}
