#include "tests/sim/renewals.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/node/group.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace quorumd::sim {

using namespace std::chrono_literals;

namespace {
constexpr std::uint64_t renewals_most = 10;
/// After another began to lead the one before is asked within so long.
constexpr coro::duration last_chance = 150ms;
constexpr coro::duration longest_pause = 1500ms; ///< of a node, which then learns late that another leads
/// How long after its deadline a node that nobody disturbs may answer.
constexpr coro::duration answer_grace = 300ms;
} // namespace

renewals::renewals(scheduler& s, cluster& c, counters& n)
    : clock_(s)
    , cluster_(c)
    , counters_(n)
    , random_(s.random().fork(10)) {}

void renewals::granted(std::uint64_t lease, coro::duration ttl) {
  const std::uint64_t times = random_.below(renewals_most + 1);
  if (times == 0 || stopped_) return;
  const coro::duration every = random_.between(random_.coin() ? coro::duration(50ms) : ttl / 2, ttl * 9 / 10);
  all_.push_back({.lease = lease, .every = every, .left = times, .asked = {}, .asked_at = {}, .deadline = {}});
  later(all_.back(), every);
}

/// Of that node, or any; in place of what was planned before.
void renewals::later(renewal& r, coro::duration pause, node_id of) {
  const auto which = static_cast<std::size_t>(&r - all_.data());
  clock_.after(pause, [this, which, of, plan = ++r.plans] {
    if (all_[which].plans == plan && !stopped_) ask(which, of);
  });
}

void renewals::leads(node_id id) {
  const node_id before = std::exchange(leader_, id);
  if (!before || before == id || !cluster_.up(before)) return;
  if (cluster_.the_node(before).the_group().soft().role != raft::role::leader) return; // it knows
  for (renewal& r : all_) {
    if (r.waits || r.left == 0 || random_.below(4) == 0) continue;
    r.left = 1;
    later(r, random_.between(coro::duration(1ms), last_chance), before);
  }
}

void renewals::ask(std::size_t which, node_id of) {
  renewal& r = all_[which];
  std::vector<node_id> up = of ? std::vector{of} : cluster_.ids();
  std::erase_if(up, [&](node_id id) { return !cluster_.up(id); });
  if (up.empty()) return later(r, 20ms);
  r.asked = up[random_.below(up.size())];
  r.waits = true;
  r.asked_at = clock_.now();
  const coro::duration patience = random_.between(coro::duration(100ms), coro::duration(1s));
  r.deadline = clock_.now() + (of ? longest_pause : patience);
  ++r.generation;
  clock_.record("renew", r.asked.value(), r.lease, r.left);
  const kv::command question = kv::lease_question{.what = kv::lease_question::kind::renew, .id = lease_id(r.lease)};
  std::vector<node::write_request> batch(1);
  batch[0].to = {this, static_cast<std::uint32_t>(which), r.generation, r.lease};
  batch[0].arrival = {.received = clock_.now(), .handed = clock_.now()};
  batch[0].deadline = r.deadline;
  batch[0].command = kv::encode_command(arena_, question);
  batch[0].grows = false;
  batch[0].question = true;
  batch[0].level = kv::needed_level(question, {});
  cluster_.the_node(r.asked).submit(batch);
  clock_.at(r.deadline + answer_grace, [this, which, g = r.generation] { wait_no_longer(which, g); });
}

/// A node answers by the deadline, or some time after a pause.
void renewals::wait_no_longer(std::size_t which, std::uint32_t generation) {
  const renewal& r = all_[which];
  if (!r.waits || r.generation != generation) return;
  const coro::time_point disturbed = cluster_.disturbed(r.asked);
  if (disturbed + 2 * answer_grace < clock_.now())
    return cluster_.complain("no answer within the deadline: a renewal of lease " + std::to_string(r.lease));
  clock_.at(std::max(disturbed, clock_.now()) + 2 * answer_grace + 1us,
            [this, which, generation] { wait_no_longer(which, generation); });
}

bool renewals::idle() const {
  return std::none_of(all_.begin(), all_.end(), [](const renewal& r) { return r.waits; });
}

void renewals::node_gone(node_id id) {
  for (renewal& r : all_)
    if (r.waits && r.asked == id) failed(r);
}

/// It is asked again soon.
void renewals::failed(renewal& r) {
  r.waits = false;
  later(r, random_.between(coro::duration(1ms), coro::duration(100ms)));
}

renewals::renewal* renewals::waiting(const node::reply_to& to) {
  renewal& r = all_[to.slot];
  return r.waits && r.generation == to.generation ? &r : nullptr;
}

void renewals::wrote(const node::reply_to& to, const kv::result<kv::reply>& answer) {
  renewal* const r = waiting(to);
  if (r == nullptr) return;
  r->waits = false;
  const auto* told = answer ? std::get_if<kv::lease_answer>(&answer->body) : nullptr;
  if (told == nullptr || told->id != lease_id(r->lease))
    return cluster_.complain("a renewal of lease " + std::to_string(r->lease) + " is answered with something else");
  clock_.record("renewed", r->asked.value(), r->lease, told->ttl_s > 0 ? 1 : 0);
  lease_checker& leases = cluster_.changes().leases();
  if (told->ttl_s <= 0) return cluster_.complain(leases.said_to_be_gone(r->lease));
  ++counters_[counter::leases_renewed];
  cluster_.complain(leases.renewed(r->lease, r->asked_at));
  if (--r->left != 0) later(*r, r->every);
}

void renewals::ranged(const node::reply_to&, const kv::result<kv::range_reply>&) {
  cluster_.complain("a renewal is answered as a read");
}

void renewals::failed(const node::reply_to& to, node::request_errc, std::string_view) {
  if (renewal* const r = waiting(to)) failed(*r);
}

} // namespace quorumd::sim
