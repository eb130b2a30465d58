#include "tests/sim/sim_worker.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::sim {

/// What the agenda refers to; outlives the worker until its last event came.
struct sim_worker::state : std::enable_shared_from_this<state> {
  state(scheduler& s, std::uint64_t o, worker_options w, prng p)
      : clock(s)
      , owner(o)
      , options(w)
      , random(p) {}

  void begin() {
    busy = true;
    const bool stalls = random.per_mille(options.stall_per_mille);
    const coro::duration whole = random.between(options.least, stalls ? options.stall_most : options.most);
    const coro::duration before = random.between(coro::duration::zero(), whole);
    clock.after(before, [self = shared_from_this(), rest = whole - before] { self->run(rest); });
  }

  void run(coro::duration rest) {
    if (ended) return;
    running = queue.front();
    queue.pop_front();
    clock.record("job", owner);
    const std::uint64_t before = bytes ? bytes() : 0;
    running.what->run();
    const std::uint64_t moved = bytes ? bytes() - before : 0;
    most_bytes = std::max(most_bytes, moved);
    clock.after(rest + options.per_mib * moved / (1 << 20), [self = shared_from_this()] { self->finish(); });
  }

  void finish() {
    if (ended) return;
    running.back->post([j = running.what] { j->done(); });
    running = {};
    busy = false;
    if (!queue.empty()) begin();
  }

  scheduler& clock;
  std::uint64_t owner;
  worker_options options;
  prng random;
  std::deque<item> queue;
  std::function<std::uint64_t()> bytes;
  std::uint64_t most_bytes = 0;
  item running{}; // has run, its loop was not told yet
  bool busy = false;
  bool ended = false;
};

sim_worker::sim_worker(scheduler& s, std::uint64_t owner, worker_options o, prng p)
    : state_(std::make_shared<state>(s, owner, o, p)) {}

sim_worker::~sim_worker() {
  state_->ended = true;
}

void sim_worker::submit(job& j, coro::loop& back) {
  if (state_->ended) {
    j.run();
    back.post([what = &j] { what->done(); });
    return;
  }
  state_->queue.push_back({&j, &back});
  if (!state_->busy) state_->begin();
}

void sim_worker::abandon() {
  state_->ended = true;
  if (state_->running.what != nullptr) state_->running.back->post([j = state_->running.what] { j->done(); });
  state_->running = {};
  for (const item& i : state_->queue) {
    i.what->run();
    i.back->post([j = i.what] { j->done(); });
  }
  state_->queue.clear();
}

void sim_worker::set_options(worker_options o) {
  state_->options = o;
}

void sim_worker::count(std::function<std::uint64_t()> bytes) {
  state_->bytes = std::move(bytes);
}

std::uint64_t sim_worker::most_bytes() const {
  return state_->most_bytes;
}

} // namespace quorumd::sim
