#include "tests/sim/sweep.hpp"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>
#include <utility>

namespace quorumd::sim {
namespace {

constexpr std::uint64_t twice_every = 100;
constexpr std::chrono::minutes tell_every{1};

/// What a child writes to its pipe: this, then the complaint.
struct report {
  counters counts;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t steps = 0;
  coro::duration virtual_time{};
};

/// The seed's run in a program that is started anew.
void execute(std::uint64_t seed, const std::string& mutant, int out) {
  ::dup2(out, STDOUT_FILENO);
  const std::string number = std::to_string(seed);
  const char* const last = mutant.empty() ? nullptr : mutant.c_str();
  ::execl("/proc/self/exe", "quorumd_sim", "--seed", number.c_str(), "--report", last == nullptr ? nullptr : "--mutant",
          last, static_cast<char*>(nullptr));
  ::_exit(3);
}

class sweeper {
 public:
  explicit sweeper(const sweep_options& o)
      : options_(o)
      , next_(o.first) {}

  sweep_result run() {
    while (more() || processes_.running() != 0) {
      while (processes_.running() < options_.jobs && more()) start(next_++);
      for (const ended_child& c : processes_.wait()) finish(c);
      tell_progress();
    }
    result_.seconds = elapsed().count();
    std::sort(result_.failures.begin(), result_.failures.end(),
              [](const sweep_failure& a, const sweep_failure& b) { return a.seed < b.seed; });
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::chrono::duration<double> elapsed() const { return std::chrono::steady_clock::now() - begin_; }
  [[nodiscard]] bool more() const {
    return next_ <= options_.last && !(options_.stop_at_first && !result_.failures.empty()) &&
           (!options_.at_most || elapsed() < *options_.at_most);
  }

  void start(std::uint64_t seed) {
    processes_.start(seed, [&](int out) { write_report({seed, std::string(options_.mutant), {}}, out); });
  }

  void start_again(std::uint64_t seed, std::uint64_t hash) {
    hashes_[seed] = hash;
    processes_.start(seed, [&](int out) { execute(seed, std::string(options_.mutant), out); });
  }

  void finish(const ended_child& c) {
    run_result r = read_report(c);
    if (hashes_.contains(c.tag))
      compare(c.tag, r);
    else
      count(c.tag, std::move(r));
  }

  void count(std::uint64_t seed, run_result r) {
    ++result_.runs;
    result_.steps += r.steps;
    result_.counts.add(r.counts);
    if (!r.complaint.empty()) {
      if (!options_.quiet) {
        std::printf("seed %" PRIu64 " FAILED: %s\n  replay: %s\n", seed, r.complaint.c_str(),
                    replay_command({seed, std::string(options_.mutant), {}}).c_str());
        std::fflush(stdout);
      }
      result_.failures.push_back({seed, std::move(r.complaint)});
    } else if (options_.twice || seed % twice_every == 0 || seed == options_.first) {
      start_again(seed, r.hash);
    }
  }

  void compare(std::uint64_t seed, const run_result& r) {
    if (r.complaint.empty() && r.hash == hashes_[seed]) return;
    result_.failures.push_back({seed, "not deterministic: a second process had another trace " + r.complaint});
    if (!options_.quiet) std::printf("seed %" PRIu64 " FAILED: %s\n", seed, result_.failures.back().why.c_str());
  }

  void tell_progress() {
    if (options_.quiet || std::chrono::steady_clock::now() - told_ < tell_every) return;
    told_ = std::chrono::steady_clock::now();
    std::fprintf(stderr, "%" PRIu64 " seeds, %.1f a second, %zu failed\n", result_.runs,
                 static_cast<double>(result_.runs) / elapsed().count(), result_.failures.size());
  }

  sweep_options options_;
  std::uint64_t next_;
  children processes_;
  std::map<std::uint64_t, std::uint64_t> hashes_; ///< of the seeds that run a second time
  sweep_result result_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point told_ = begin_;
};

} // namespace

void write_report(const run_spec& s, int fd, std::vector<fault> earlier) {
  const run_result r = run_seed(s, {}, std::move(earlier));
  const report what{r.counts, r.hash, r.events, r.steps, r.virtual_time};
  write_all(fd, &what, sizeof what);
  write_all(fd, r.complaint.data(), r.complaint.size());
}

run_result read_report(const ended_child& c) {
  run_result r;
  report what;
  if (c.why.empty() && c.output.size() >= sizeof what) {
    std::memcpy(&what, c.output.data(), sizeof what);
    r.complaint = c.output.substr(sizeof what);
    r.counts = what.counts;
    r.hash = what.hash;
    r.events = what.events;
    r.steps = what.steps;
    r.virtual_time = what.virtual_time;
  } else {
    r.complaint = c.why.empty() ? "the process ended without a word" : c.why;
  }
  return r;
}

sweep_result sweep(const sweep_options& o) {
  return sweeper(o).run();
}

} // namespace quorumd::sim
