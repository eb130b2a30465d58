#include "daemon/cli/bench.hpp"

#include "config/exit_codes.hpp"
#include "coro/task_group.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>

namespace quorumd::cli {
namespace {

using clients_list = std::vector<std::unique_ptr<client::client>>;

/// splitmix64: the same sequence for the same seed everywhere.
class random_numbers {
 public:
  explicit random_numbers(std::uint64_t seed)
      : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

 private:
  std::uint64_t state_;
};

/// What all connections of a run share.
struct bench_run {
  bench_options options;
  session* with = nullptr;
  bool loading = false;     ///< puts every key once, in order
  std::uint64_t count = 0;  ///< operations in all, the warm-up among them
  std::uint64_t warmup = 0; ///< the first of them, which do not count
  std::uint64_t shared = 0; ///< closed loop: the next one's number
  coro::time_point begun{};
  std::uint64_t counted_from_ns = 0;
  std::uint64_t ended_ns = 0;
  std::map<wire::request_errc, std::uint64_t> errors{};
  bench_result result{};
  progress_bar* bar = nullptr;
  std::uint64_t completed = 0;
};

/// One connection with its share of the clients. A client is a slot that is free or has an operation in flight.
class bench_driver {
 public:
  bench_driver(bench_run& run, client::client& c, std::uint64_t index)
      : run_(run)
      , client_(c)
      , schedule_(run.options, run.count, index, run.shared)
      , random_(run.options.seed * 1'000'003 + index)
      , value_(run.options.value_size, '\0') {
    const std::uint64_t n =
        run.options.clients / run.options.connections + (index < run.options.clients % run.options.connections ? 1 : 0);
    operations_.resize(n);
    for (std::uint64_t i = n; i > 0; --i) free_.push_back(i - 1);
    for (char& byte : value_) byte = static_cast<char>('!' + random_.next() % 90);
  }

  coro::task<void> run() {
    std::vector<client::client::completion> batch;
    while (!finished()) {
      if (run_.options.rate == 0 || schedule_.exhausted()) co_await start_or_connect();
      if (finished()) break;
      batch.clear();
      co_await client_.take_completions(batch);
      bool refused = false;
      for (const auto& c : batch) refused |= take(c);
      if (refused) {
        // A cluster that has no leader at the moment refuses at once: do not ask all the while.
        const coro::duration pause = std::chrono::milliseconds(10);
        co_await run_.with->loop.timers().sleep_for(pause);
      }
      if (run_.options.rate != 0) start_due();
    }
  }

  /// Open loop: starts operations when they are due.
  coro::task<void> run_pace() {
    constexpr std::chrono::microseconds least{50};
    while (!schedule_.exhausted()) {
      if (!client_.connected()) co_await connect();
      start_due();
      const coro::time_point due = run_.begun + std::chrono::nanoseconds(schedule_.next_ns());
      const coro::time_point until = std::max(due, run_.with->loop.now() + least);
      co_await run_.with->loop.timers().sleep_until(until);
    }
  }

 private:
  struct operation {
    std::uint64_t number = 0;
    std::uint64_t intended_ns = 0;
    coro::time_point deadline{};
  };

  [[nodiscard]] std::uint64_t now_ns() const {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(run_.with->loop.now() - run_.begun).count());
  }
  [[nodiscard]] std::size_t in_flight() const { return operations_.size() - free_.size() - again_.size(); }
  [[nodiscard]] bool finished() const { return schedule_.exhausted() && free_.size() == operations_.size(); }

  /// Starts what can be started, and is not content with nothing in flight.
  coro::task<void> start_or_connect() {
    start_due();
    while (in_flight() == 0 && !finished()) {
      co_await connect();
      start_due();
    }
  }

  coro::task<void> connect() {
    const coro::time_point deadline = run_.with->deadline();
    const auto connected = co_await client_.connect(deadline);
    if (connected.has_error()) throw std::runtime_error(connected.error().message());
  }

  void start_due() {
    for (const std::uint64_t slot : std::exchange(again_, {})) start(operations_[slot].number, slot);
    bench_schedule::start next;
    while (!free_.empty() && client_.connected() && schedule_.take(now_ns(), next)) {
      const std::uint64_t slot = free_.back();
      free_.pop_back();
      operations_[slot] = {next.number, next.intended_ns, run_.with->deadline()};
      if (next.number == run_.warmup) run_.counted_from_ns = next.intended_ns;
      start(next.number, slot);
    }
  }

  void start(std::uint64_t number, std::uint64_t slot) {
    const std::uint64_t dice = random_.next();
    const std::uint64_t which = run_.loading ? number : dice % run_.options.key_space;
    char key[32];
    const int length = std::snprintf(key, sizeof key, "bench/%012llu", static_cast<unsigned long long>(which));
    const std::string_view key_view(key, static_cast<std::size_t>(length));
    const bool put = run_.loading || run_.options.op == bench_op::put ||
                     (run_.options.op == bench_op::mixed && (dice >> 40 & 1) == 0);
    bool sent = false;
    const coro::time_point deadline = operations_[slot].deadline;
    if (put) {
      std::memcpy(value_.data(), &dice, std::min(sizeof dice, value_.size()));
      sent = client_.submit(kv::command(kv::put{.key = key_view, .value = value_}), deadline, slot);
    } else {
      client::range_read read;
      read.request.key = key_view;
      sent = client_.submit(read, deadline, slot);
    }
    if (!sent) take({slot, wire::request_errc::not_applied});
  }

  /// Whether the server refused for the moment: what was certainly not done is begun anew, and its time goes on.
  bool take(const client::client::completion& c) {
    const operation& done = operations_[c.tag];
    if (wire::worth_retrying(c.code) && run_.with->loop.now() < done.deadline) {
      again_.push_back(c.tag);
      return true;
    }
    free_.push_back(c.tag);
    ++run_.completed;
    const std::uint64_t now = now_ns();
    if (done.number >= run_.warmup) {
      run_.ended_ns = now;
      if (c.code == wire::request_errc::none) {
        run_.result.latency_ns.record(now - std::min(now, done.intended_ns));
      } else {
        ++run_.result.errors;
        ++run_.errors[c.code];
      }
    }
    if (run_.completed % 512 == 0)
      run_.bar->update(static_cast<double>(run_.completed) / static_cast<double>(run_.count), run_.completed,
                       run_.with->loop.now());
    return c.code != wire::request_errc::none;
  }

  bench_run& run_;
  client::client& client_;
  bench_schedule schedule_;
  random_numbers random_;
  std::string value_;
  std::vector<operation> operations_;
  std::vector<std::uint64_t> free_;
  std::vector<std::uint64_t> again_; ///< to be begun anew
};

coro::task<void> execute(bench_run* run, const clients_list* clients) {
  std::vector<std::unique_ptr<bench_driver>> drivers;
  for (std::uint64_t i = 0; i < clients->size(); ++i)
    drivers.push_back(std::make_unique<bench_driver>(*run, *(*clients)[i], i));
  coro::task_group group(run->with->loop);
  run->begun = run->with->loop.now();
  for (const auto& d : drivers) {
    group.spawn(d->run());
    if (run->options.rate != 0) group.spawn(d->run_pace());
  }
  co_await group.join();
  run->result.seconds = static_cast<double>(run->ended_ns - std::min(run->ended_ns, run->counted_from_ns)) / 1e9;
}

/// The endpoints, the leader's first if it is among them.
coro::task<std::vector<client::client_endpoint>> leader_first(session* s) {
  auto endpoints = s->options.endpoints;
  if (endpoints.size() < 2) co_return endpoints;
  const auto rows = co_await ask_members(s);
  if (rows.has_error()) co_return endpoints;
  for (const auto& row : *rows) {
    if (row.role != raft::role::leader || !row.error.empty()) continue;
    const auto found =
        std::find_if(endpoints.begin(), endpoints.end(), [&](const auto& e) { return e.name() == row.address; });
    if (found != endpoints.end()) std::rotate(endpoints.begin(), found, found + 1);
  }
  co_return endpoints;
}

coro::task<void> load_keys(session* s, bench_options o, const clients_list* clients) {
  o.rate = 0;
  progress_bar bar("loaded", s->loop.now());
  bench_run run{.options = o, .with = s, .loading = true, .count = o.key_space, .bar = &bar};
  co_await execute(&run, clients);
  if (run.result.errors != 0)
    throw std::runtime_error(counted(run.result.errors, "key") +
                             " could not be loaded: " + wire::name_of(run.errors.begin()->first));
}

coro::task<int> measure(session* s, bench_options o, const clients_list* clients) {
  if (o.op != bench_op::put) co_await load_keys(s, o, clients);
  progress_bar bar("done", s->loop.now());
  bench_run run{.options = o, .with = s, .count = o.warmup + o.total, .warmup = o.warmup, .bar = &bar};
  co_await execute(&run, clients);
  bar.clear();
  for (const auto& [code, times] : run.errors) complain(grouped(times) + " times: " + wire::name_of(code));
  const int printed = print(s->json ? bench_json(o, run.result) : bench_text(o, run.result));
  co_return run.result.latency_ns.count() == 0 ? config::exit_code::unavailable : printed;
}

coro::task<int> bench(session* s, bench_options o) {
  client::client_options options = s->options;
  options.endpoints = co_await leader_first(s);
  clients_list clients;
  for (std::uint64_t i = 0; i < o.connections; ++i)
    clients.push_back(std::make_unique<client::client>(s->loop, s->network, s->entropy, options));
  int code = config::exit_code::unavailable;
  std::string failure;
  try {
    code = co_await measure(s, o, &clients);
  } catch (const std::runtime_error& e) {
    failure = e.what();
  }
  for (const auto& c : clients) co_await c->stop();
  if (!failure.empty()) complain(failure);
  co_return code;
}

int run_bench(const invocation& in) {
  bench_options o;
  const std::string& op = in.argument(0);
  if (op != "put" && op != "get" && op != "mixed")
    return complain(usage("bench: what to measure is put, get or mixed, not " + shown(op)));
  o.op = op == "put" ? bench_op::put : op == "get" ? bench_op::get : bench_op::mixed;
  o.clients = in.count("clients", o.clients);
  o.connections = in.count("connections", o.connections);
  o.total = in.count("total", o.total);
  o.value_size = in.count("value-size", o.value_size);
  o.key_space = in.count("key-space", o.key_space);
  o.warmup = in.count("warmup", o.warmup);
  o.rate = in.count("rate", o.rate);
  o.seed = in.count("seed", o.seed);
  constexpr std::uint64_t clients_max = 1'000'000;
  constexpr std::uint64_t connections_max = 900; // within 1,024 file descriptors
  constexpr std::uint64_t total_max = 1'000'000'000'000;
  if (o.clients > clients_max || o.connections > std::min(connections_max, o.clients))
    return complain(usage("bench: expected at most " + grouped(clients_max) + " clients, and at most " +
                          grouped(connections_max) + " connections but no more than clients"));
  if (o.value_size > kv::request_bytes_max - 64 || o.key_space > total_max || o.total > total_max ||
      o.warmup > total_max)
    return complain(usage("bench: a number is out of range: a value has at most " +
                          grouped(kv::request_bytes_max - 64) + " bytes, all counts end at " + grouped(total_max)));
  return run_client(in, [&](session& s) { return bench(&s, o); });
}

} // namespace

command_spec bench_command() {
  return {
      .name = "bench",
      .summary = "measure throughput and latency: bench put|get|mixed",
      .arguments = {{"put|get|mixed"}},
      .options = {{"clients", "N", option_kind::positive, "so many operations at a time (default 64)"},
                  {"total", "N", option_kind::positive, "operations that count (default 100000)"},
                  {"value-size", "B", option_kind::count, "bytes of a value (default 256)"},
                  {"connections", "C", option_kind::positive, "over which the clients are spread (default 1)"},
                  {"key-space", "K", option_kind::positive, "different keys, chosen at random (default 10000)"},
                  {"warmup", "N", option_kind::count, "operations before the first that counts (default 0)"},
                  {"rate", "R", option_kind::positive, "open loop: start R operations a second, late or not"},
                  {"seed", "S", option_kind::count, "of keys and values (default 1)"}},
      .details =
          "Each client has one operation in flight and starts the next when that ends (closed loop), or operations\n"
          "start at the given rate and wait for a free client (open loop); latency then counts from when the\n"
          "operation was meant to start. What a member refuses and has not done is begun anew, and its time goes\n"
          "on. Throughput counts successes. 'get' and 'mixed' (half and half) load their keys first. Of several\n"
          "endpoints the leader's is used. Writes keys under bench/.",
      .examples = {"quorumd bench put --clients 256 --connections 4 --total 500000 --value-size 256",
                   "quorumd bench mixed --clients 64 --total 100000 --warmup 5000 --output json",
                   "quorumd bench put --clients 256 --rate 10000 --total 100000"},
      .run = run_bench};
}

} // namespace quorumd::cli
