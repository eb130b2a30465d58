#include "tests/model/trace_runs.hpp"

#include "tests/model/apart.hpp"
#include "tests/model/trace.hpp"

#include <unistd.h>

#include <csignal>
#include <memory>
#include <sstream>

namespace quorumd::model {
namespace {

/// What one run found, as its process writes it: `T step` and the words if the specification forbids a step, `E step`
/// if the run has broken a promise or an invariant of the core.
struct findings {
  std::optional<std::uint64_t> trace;
  std::optional<std::uint64_t> end;
  std::string why;
};

int report_to = -1;
const trace_check* checked = nullptr;

void report(char what, std::uint64_t step, const std::string& why) {
  const std::string line = std::string(1, what) + " " + std::to_string(step) + "\n" + why;
  (void)!::write(report_to, line.data(), line.size());
}

void report_trace() {
  if (checked != nullptr && checked->broken_at() != 0) report('T', checked->broken_at(), checked->broken() + "\n");
}

// A broken invariant of the core is wanted here: it says how far the run came.
void aborted(int) {
  report_trace();
  report('E', checked == nullptr ? 0 : checked->steps() + 1, "");
  ::_exit(1);
}

void run_and_report(std::uint64_t seed, raft::mutant m, bool changes, int out) {
  report_to = out;
  (void)std::signal(SIGABRT, aborted);
  std::unique_ptr<trace_check> check;
  raft::test::run_counters counters;
  const std::string broken = raft::test::random_run(seed, changes ? 4 : 3, m, counters, changes, [&](auto& c) {
    check = std::make_unique<trace_check>(c);
    checked = check.get();
  });
  report_trace();
  if (!broken.empty()) report('E', check->steps(), "");
}

findings parse(const std::string& text) {
  findings found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const bool mark = line.size() > 2 && line[1] == ' ' && (line[0] == 'T' || line[0] == 'E');
    if (!mark)
      found.why += found.why.empty() ? line : "\n" + line;
    else
      (line[0] == 'T' ? found.trace : found.end) = std::stoull(line.substr(2));
  }
  return found;
}

} // namespace

traced traced_run(std::uint64_t seed, std::uint64_t nodes, raft::test::run_counters& counters, bool changes) {
  std::unique_ptr<trace_check> check;
  traced result;
  result.broken = raft::test::random_run(seed, nodes, raft::mutant::none, counters, changes,
                                         [&](auto& c) { check = std::make_unique<trace_check>(c); });
  result.steps = check->steps();
  result.moves = check->moves();
  if (!check->broken().empty()) result.broken = check->broken();
  return result;
}

bool catches::trace_first() const {
  if (!by_trace) return false;
  return !by_end || *by_trace < *by_end || (*by_trace == *by_end && trace_step < end_step);
}

catches catch_mutant(raft::mutant m, std::uint64_t seeds, bool changes) {
  catches found;
  for (std::uint64_t seed = 1; seed <= seeds && !found.by_trace; ++seed) {
    const findings f = parse(apart([&](int out) { run_and_report(seed, m, changes, out); }));
    if (f.trace && !found.by_trace) {
      found.by_trace = seed;
      found.trace_step = *f.trace;
      found.why = f.why;
    }
    if (f.end && !found.by_end) {
      found.by_end = seed;
      found.end_step = *f.end;
    }
  }
  return found;
}

} // namespace quorumd::model
