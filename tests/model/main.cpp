#include "tests/model/explore.hpp"
#include "tests/model/random_figures.hpp"
#include "tests/model/words.hpp"

#define DOCTEST_CONFIG_IMPLEMENT // the harness asserts in its words
#include <doctest/doctest.h>

#include <unistd.h>

#include <charconv>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string_view>
#include <vector>

using namespace quorumd::model;

namespace {

constexpr const char* usage =
    R"(quorumd_explore: bare cores, without the node around them

Everything that some nodes can do within bounds, breadth first, until a promise is broken:
  --nodes N         3 unless said, at most 5
  --voters 1,2,3    the members at first: all nodes unless said
  --target 1,2      a leader may once make these the voters
  --terms T         2 unless said, at most 5
  --timeouts N      of followers, candidates and leaders; any number that the terms allow unless said
  --slow-disks N    how often a disk falls behind; 1 unless said
  --entries E       commands of clients; 2 unless said
  --crashes C       1 unless said
  --duplicates D    copies of messages that arrive once more; any number unless said
  --beats B         heartbeats; none unless said
  --snapshots S     none unless said
  --pre-votes       as messages of their own
  --all-orders      also such as lead to the same
  --states M        how many states at most; 10000000 unless said
  --mutant NAME     with a deliberate bug, by the simulator's name

Random runs of the same cores, with figures:
  --random --seeds A..B [--nodes N] [--changes] [--validate]
                    --changes: the members change; --validate: each step is held against the specification
)";

struct arguments {
  bounds b;
  bool help = false;
  bool random = false;
  random_sweep sweep;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

/// Ids of nodes in ascending order, by commas.
bool parse_ids(std::string_view text, std::vector<std::uint64_t>& ids) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const auto n = number(text.substr(0, comma));
    if (!n || *n == 0 || *n > nodes_max || (!ids.empty() && *n <= ids.back())) return false;
    ids.push_back(*n);
    text = comma == std::string_view::npos ? "" : text.substr(comma + 1);
  }
  return !ids.empty();
}

bool parse_seeds(std::string_view text, random_sweep& s) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto from = number(text.substr(0, dots));
  const auto to = number(text.substr(dots + 2));
  if (!from || !to || *from > *to) return false;
  s.from = *from;
  s.to = *to;
  return true;
}

bool flag(std::string_view name, arguments& a) {
  if (name == "--pre-votes")
    a.b.pre_votes = true;
  else if (name == "--all-orders")
    a.b.reduce = false;
  else if (name == "--random")
    a.random = true;
  else if (name == "--changes")
    a.sweep.changes = true;
  else if (name == "--validate")
    a.sweep.validate = true;
  else
    return false;
  return true;
}

bool bound(std::string_view name, std::uint64_t n, arguments& a) {
  const auto few = [n](std::uint8_t& to, std::size_t max) {
    to = static_cast<std::uint8_t>(n);
    return n <= max;
  };
  constexpr std::size_t some = 8;
  std::uint8_t copies = 0;
  if (name == "--nodes") {
    a.b.nodes = a.sweep.nodes = n;
    return n != 0 && n <= nodes_max;
  }
  if (name == "--terms") return few(a.b.terms, terms_max);
  if (name == "--timeouts") return few(a.b.timeouts, some);
  if (name == "--slow-disks") return few(a.b.slow_disks, some);
  if (name == "--entries") return few(a.b.entries, some);
  if (name == "--crashes") return few(a.b.crashes, some);
  if (name == "--beats") return few(a.b.beats, some);
  if (name == "--snapshots") return few(a.b.compactions, some);
  if (name == "--duplicates") {
    const bool good = few(copies, some);
    a.b.duplicates = copies;
    return good;
  }
  if (name != "--states") return false;
  a.b.states_max = n;
  return n != 0;
}

bool valued(std::string_view name, std::string_view value, arguments& a) {
  if (name == "--voters") return parse_ids(value, a.b.voters);
  if (name == "--target") return parse_ids(value, a.b.target);
  if (name == "--seeds") return parse_seeds(value, a.sweep);
  if (name == "--mutant") {
    const auto m = quorumd::raft::test::mutant_named(value);
    if (m) a.b.mutant = *m;
    return m.has_value();
  }
  const auto n = number(value);
  return n && bound(name, *n, a);
}

/// Whether the arguments make sense.
bool parse(int argc, char** argv, arguments& a) {
  for (int i = 1; i < argc; ++i) {
    if (flag(argv[i], a)) continue;
    if (std::string_view(argv[i]) == "--help") {
      a.help = true;
      return true;
    }
    if (i + 1 == argc || !valued(argv[i], argv[i + 1], a)) return false;
    ++i;
  }
  for (const auto* ids : {&a.b.voters, &a.b.target})
    if (!ids->empty() && ids->back() > a.b.nodes) return false;
  return !a.random || a.sweep.to != 0;
}

explorer* exploring = nullptr;

void print(const std::vector<std::string>& path) {
  for (const std::string& line : path) std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

// The core ends the process when it finds an invariant of its own broken: how it came to that is what is wanted.
void aborted(int) {
  (void)std::signal(SIGABRT, SIG_DFL);
  std::printf("BROKEN: an invariant of the core\n");
  print(exploring->path_to_current());
  ::_exit(1);
}

int explore(const arguments& a) {
  explorer e(a.b);
  exploring = &e;
  (void)std::signal(SIGABRT, aborted);
  const auto seconds = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }; // of the processor
  const outcome o = e.go([&](const outcome& so_far) {
    std::fprintf(stderr, "%.0f s: %" PRIu64 " states, %" PRIu64 " transitions, depth %" PRIu64 "\n", seconds(),
                 so_far.states, so_far.transitions, so_far.depth);
  });
  std::printf("%" PRIu64 " states, %" PRIu64 " transitions, depth %" PRIu64
              ", %.1f s of one processor: %.0f states/s, %.0f transitions/s\n",
              o.states, o.transitions, o.depth, seconds(), static_cast<double>(o.states) / seconds(),
              static_cast<double>(o.transitions) / seconds());
  std::printf("%" PRIu64 " states of all nodes together, %" PRIu64 " of single nodes, %" PRIu64 " steps of the core\n",
              o.together, o.node_states, o.node_steps);
  if (!o.broken.empty()) {
    std::printf("BROKEN: %s\n", o.broken.c_str());
    print(o.path);
    return 1;
  }
  std::printf(o.exhausted ? "everything within the bounds was seen\n"
                          : "there is more: the limit of states was reached\n");
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  arguments a;
  if (!parse(argc, argv, a)) {
    std::fputs(usage, stderr);
    return 64;
  }
  if (a.help) {
    std::fputs(usage, stdout);
    return 0;
  }
  doctest::Context asserts;
  asserts.setAsDefaultForAssertsOutOfTestCases();
  return a.random ? run_sweep(a.sweep) : explore(a);
}
