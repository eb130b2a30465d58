#include "tests/sim/run.hpp"

#include "tests/sim/checkers/linearizability.hpp"
#include "tests/sim/children.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/cluster.hpp"
#include "tests/sim/member_changes.hpp"
#include "tests/sim/nemesis.hpp"
#include "tests/sim/renewals.hpp"
#include "tests/sim/watchers.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

class run final : private cluster::listener {
 public:
  run(const run_spec& s, const run_options& o, fault_script faults)
      : plan_(plan_of(s))
      , options_(o)
      , script_(std::move(faults))
      , clock_(s.seed, o.print, plan_.step_cost)
      , cluster_(clock_, plan_, counters_)
      , renewals_(clock_, cluster_, counters_)
      , clients_(clock_, cluster_, renewals_, plan_, counters_)
      , watchers_(clock_, cluster_, plan_, counters_)
      , nemesis_(clock_, cluster_, plan_, script_, counters_)
      , changes_(clock_, cluster_, nemesis_, plan_, script_, counters_) {
    clock_.trace().set_told_to(o.tell);
    clock_.set_visit_cost(plan_.visit_cost);
    cluster_.set_listener(*this);
  }

  run_result result() {
    trouble();
    if (good()) recovery();
    if (good()) end();
    run_result r;
    cluster_.gather(counters_);
    r.complaint = cluster_.wrong();
    r.counts = counters_;
    r.hash = clock_.trace().hash();
    r.events = clock_.trace().events();
    r.steps = clock_.steps();
    r.virtual_time = clock_.elapsed();
    if (options_.keep_history) r.history = clients_.history();
    clock_.trace().set_told_to({}); // what ends now is no part of it
    clients_.stop();
    renewals_.stop();
    watchers_.stop();
    nemesis_.stop();
    changes_.stop();
    cluster_.shut_down();
    return r;
  }

 private:
  static plan plan_of(const run_spec& s) {
    plan p = draw_plan(s.seed, s.mutant.empty() ? mutants{} : *find_mutant(s.mutant));
    s.changed.apply(p);
    return p;
  }
  [[nodiscard]] bool good() const { return cluster_.wrong().empty(); }
  void tell(const char* what) { clock_.trace().tell(clock_.now(), told::moment(told::topic::phase, what)); }

  /// Goes on until the condition holds or the time is up; whether it holds.
  bool until(const std::function<bool()>& condition, coro::duration at_most) {
    const coro::time_point limit = clock_.now() + at_most;
    while (good() && !condition()) {
      const bool more = clock_.step(limit);
      cluster_.after_step();
      if (!more && clock_.now() >= limit) return condition();
    }
    return good();
  }
  void go_on(coro::duration length) {
    until([] { return false; }, length);
  }

  void trouble() {
    if (clock_.trace().printing()) clock_.trace().note(clock_.now(), describe(plan_));
    cluster_.boot_all();
    clients_.start();
    watchers_.start();
    nemesis_.start();
    changes_.start();
    go_on(plan_.trouble);
  }

  void recovery() {
    nemesis_.stop();
    changes_.finish();
    cluster_.heal();
    clients_.go_on(4000);
    tell("everything is healed");
    if (!until([&] { return cluster_.leader() && all_up(); }, 10 * plan_.election_timeout() + 2s))
      cluster_.complain("no leader within ten election timeouts after everything was healed");
    const std::uint64_t before = clients_.acknowledged_writes();
    if (!until([&] { return clients_.acknowledged_writes() > before; }, 10 * plan_.election_timeout() + 5s))
      cluster_.complain("no write was acknowledged within twenty election timeouts after everything was healed");
    until([&] { return clients_.acknowledged_writes() >= acknowledged_min; }, 10s);
    if (good()) calm();
  }

  /// Nothing disturbs anybody any more: whoever leads goes on to.
  void calm() {
    cluster_.calm();
    const auto quiet = [&] {
      const node_id leader = cluster_.leader();
      return leader && !changes_.has_lost() && !cluster_.the_node(leader).the_group().core().changing_members();
    };
    if (!until(quiet, 20s)) return;           // what is wrong is found at the end
    go_on(2 * plan_.election_timeout() + 1s); // the longest that a disk stalled when it began
    const node_id behind = good() && quiet() ? leave_one_behind() : node_id();
    if (good() && behind && !quiet()) cluster_.come_back(behind);
    if (!good() || !quiet()) return;
    const node_id leader = cluster_.leader();
    const term led = cluster_.the_node(leader).the_group().soft().term;
    tell("from now on it is calm");
    cluster_.expect_quiet();
    if (behind) bring_back(behind, leader);
    go_on(plan_.calm);
    if (!good()) return;
    const bool leads = cluster_.leader() == leader && cluster_.the_node(leader).the_group().soft().term == led;
    if (!leads) cluster_.complain("n" + std::to_string(leader.value()) + " lost the leadership of a calm cluster");
  }

  [[nodiscard]] const raft::core& core(node_id id) { return cluster_.the_node(id).the_group().core(); }

  /// Where lines are narrow, one member is away for so long that it will need a snapshot: who, or nobody.
  node_id leave_one_behind() {
    const node_id leader = cluster_.leader();
    std::vector<node_id> voters = core(leader).members().voters;
    if (plan_.network.bytes_a_second == 0 || voters.size() < 3 || !all_up()) return {};
    std::erase(voters, leader);
    const node_id who = voters[clock_.random().fork(8).below(voters.size())];
    const log_index last = core(who).last_index();
    cluster_.crash(who, false, 1h, "it is left behind");
    const auto needs_one = [&] { return cluster_.leader() != leader || core(leader).first_index() > last.next(); };
    until([&] { return cluster_.down(who) && needs_one(); }, 5s);
    return who;
  }

  /// It takes the snapshot on the line on which it hears its leader.
  void bring_back(node_id who, node_id leader) {
    cluster_.come_back(who);
    cluster_.calm(); // its disk too
    const log_index known = core(leader).commit();
    until([&] { return cluster_.leader() != leader || (cluster_.up(who) && core(who).commit() >= known); }, 10s);
  }

  [[nodiscard]] bool all_up() const {
    const std::vector<node_id> members = cluster_.members();
    return std::all_of(members.begin(), members.end(), [this](node_id id) { return cluster_.up(id); });
  }

  void end() {
    clients_.stop();
    renewals_.stop();
    watchers_.settle();
    if (!until([&] { return clients_.idle() && renewals_.idle(); }, 10s)) cluster_.complain("a client waits for ever");
    if (good()) leases_end();
    if (!until([&] { return cluster_.why_not_settled().empty(); }, 20s))
      cluster_.complain("the nodes do not agree after everything was healed: " + cluster_.why_not_settled());
    if (good() && !until([&] { return watchers_.why_behind().empty(); }, 10s))
      cluster_.complain(watchers_.why_behind());
    if (!good()) return;
    clients_.read_everywhere();
    until([&] { return clients_.idle(); }, 10s);
    if (!good()) return;
    if (clients_.acknowledged_writes() < acknowledged_min)
      cluster_.complain("only " + std::to_string(clients_.acknowledged_writes()) + " writes were acknowledged");
    linearizability_options o;
    o.guesses = clients_.made_by();
    const judgement j = check_linearizable(clients_.history(), std::move(o));
    counters_[counter::searched_revisions] += j.explored;
    if (j.is != judgement::verdict::linearizable && clock_.trace().printing())
      for (const operation& op : clients_.history()) clock_.trace().note(clock_.now(), describe(op));
    if (j.is == judgement::verdict::violation) cluster_.complain("not linearizable: " + j.why);
    if (j.is == judgement::verdict::undecided) cluster_.complain("linearizability is undecided: " + j.why);
  }

  /// Nobody renews any more.
  void leases_end() {
    constexpr coro::duration ttl_most = 3s; // of those that anybody waits for
    const lease_checker& leases = cluster_.changes().leases();
    if (!until([&] { return leases.first_standing(ttl_most) == 0; }, ttl_most + plan_.election_timeout() + 1s))
      cluster_.complain("lease " + std::to_string(leases.first_standing(ttl_most)) +
                        " stands, and its time was over long ago");
  }

  void node_gone(node_id id) override {
    clients_.node_gone(id);
    renewals_.node_gone(id);
    watchers_.node_gone(id);
  }
  void role_changed(node_id id, raft::role now) override {
    nemesis_.role_changed(id, now);
    if (now == raft::role::leader) renewals_.leads(id);
  }

  const plan plan_;
  const run_options& options_;
  fault_script script_;
  counters counters_;
  scheduler clock_;
  cluster cluster_;
  renewals renewals_;
  clients clients_;
  watchers watchers_;
  nemesis nemesis_;
  member_changes changes_;
};

} // namespace

run_result run_seed(const run_spec& s, const run_options& o, std::vector<fault> earlier) {
  run r(s, o, s.changed.any() ? fault_script(std::move(earlier), s.changed.without) : fault_script(o.on_fault));
  return r.result();
}

std::vector<fault> faults_of(std::uint64_t seed, const std::string& mutant) {
  children processes;
  processes.start(0, [&](int out) {
    run_options o;
    o.on_fault = [out](const fault& f) { write_all(out, &f, sizeof f); };
    (void)run_seed({seed, mutant, {}}, o);
  });
  std::vector<ended_child> ended;
  while (ended.empty()) ended = processes.wait();
  std::vector<fault> all(ended.front().output.size() / sizeof(fault));
  std::memcpy(all.data(), ended.front().output.data(), all.size() * sizeof(fault));
  return all;
}

run_result run_again(const run_spec& s, const run_options& o) {
  return run_seed(s, o, s.changed.any() ? faults_of(s.seed, s.mutant) : std::vector<fault>());
}

std::string replay_command(const run_spec& s) {
  std::string text = "./dev sim --seed " + std::to_string(s.seed);
  if (!s.mutant.empty()) text += " --mutant " + s.mutant;
  return text + s.changed.text();
}

} // namespace quorumd::sim
