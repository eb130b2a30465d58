#include "tests/sim/member_changes.hpp"

#include "daemon/node/group.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace quorumd::sim {

using namespace std::chrono_literals;
using client::member_action;

namespace {

constexpr coro::duration patience = 2s;   // of one change
constexpr coro::duration settled = 300ms; // after which one that was asked for is seen everywhere, or is not made

client::member_change change_of(member_action action, node_id id) {
  return {.action = action,
          .members = {{.name = name_of(id),
                       .address = action == member_action::add ? address_of(id) : std::string(),
                       .new_name = {}}}};
}

client::member_change change_of(member_action action, const std::vector<node_id>& several) {
  client::member_change c{.action = action, .members = {}};
  for (const node_id id : several) c.members.push_back(change_of(action, id).members[0]);
  return c;
}

std::string text_of(const client::member_change& c) {
  static constexpr std::array<std::string_view, 6> verbs{"add", "remove", "promote", "demote", "update", "replace"};
  std::string s(verbs[static_cast<std::size_t>(c.action)]);
  for (const client::member_spec& m : c.members) s += " " + m.name;
  return s;
}

} // namespace

member_changes::member_changes(scheduler& s, cluster& c, nemesis& trouble, const plan& p, fault_script& f, counters& n)
    : clock_(s)
    , cluster_(c)
    , nemesis_(trouble)
    , plan_(p)
    , script_(f)
    , counters_(n)
    , random_(s.random().fork(7)) {}

void member_changes::start() {
  if (!plan_.changes_members()) return;
  if (script_.repeats())
    repeat();
  else
    next();
}

/// The turns of the earlier run; beyond its end nothing new happens.
void member_changes::repeat() {
  const fault* last = nullptr;
  for (const fault& f : script_.earlier())
    if (f.kind == fault_kind::change) last = &f;
  if (last == nullptr) return next();
  for (const fault& f : script_.earlier()) {
    if (f.kind != fault_kind::change) continue;
    clock_.at(f.due, [this, &f, last] {
      if (stopped_) return;
      turn(f);
      if (&f == last) next();
    });
  }
}

void member_changes::next() {
  const coro::time_point due = clock_.now() + random_.between(coro::duration(30ms), plan_.change_pause_most);
  clock_.at(due, [this, due] {
    if (stopped_) return;
    const fault f{.kind = fault_kind::change, .due = due, .random = random_};
    const bool acts = !finishing_ && !lost_ && !script_.repeats();
    turn(acts ? script_.drawn(f) : script_.turn(f));
    next();
  });
}

void member_changes::turn(const fault& f) {
  random_ = f.random;
  clock_.trace().set_because_of(f.number);
  poll_joins();
  if (lost_)
    bring_back();
  else if (f.number != 0 && !finishing_ && !script_.leaves_out(f))
    act();
  clock_.trace().set_because_of(0);
}

node_id member_changes::any_of(const std::vector<node_id>& ids) {
  return ids[random_.below(ids.size())];
}

void member_changes::act() {
  const node_id leader = cluster_.leader();
  if (!leader) return;
  node::group& g = cluster_.the_node(leader).the_group();
  const node::roster now = g.members().in_force();
  const auto& voters = now.members.voters;
  const auto& learners = now.members.learners;
  switch (random_.below(8)) {
  case 0:
  case 1:
    if (!g.core().changing_members()) add(now); // else somebody may yet be a member
    break;
  case 2:
    if (voters.size() > 2) ask(change_of(member_action::remove, any_of(voters)));
    break;
  case 3:
    if (learners.empty()) break;
    if (random_.coin())
      ask(change_of(random_.coin() ? member_action::promote : member_action::remove, any_of(learners)));
    else
      ask(change_of(member_action::promote, learners));
    break;
  case 4:
    if (voters.size() > 2) ask(change_of(member_action::demote, any_of(voters)));
    break;
  case 5:
    lose_a_disk(g);
    break;
  case 6: { // several at once
    if (voters.size() < 3) break;
    const std::size_t most = random_.coin() ? voters.size() - 1 : voters.size() / 2 + 1;
    std::vector<node_id> left = voters;
    std::vector<node_id> leaving;
    while (leaving.size() < most) {
      leaving.push_back(any_of(left));
      std::erase(left, leaving.back());
    }
    ask(change_of(member_action::demote, leaving));
    break;
  }
  default:
    transfer();
    break;
  }
}

/// Somebody who is no member, and begins with an empty disk.
void member_changes::add(const node::roster& now) {
  std::vector<node_id> others = cluster_.ids();
  std::erase_if(others, [&](node_id id) { return now.records.contains(id); });
  // Who leads may be deposed and not know that somebody else made it a member.
  for (const node_id seen_by : cluster_.ids()) {
    if (!cluster_.up(seen_by)) continue;
    const node::roster known = cluster_.the_node(seen_by).the_group().members().in_force();
    std::erase_if(others, [&](node_id id) { return known.records.contains(id); });
  }
  if (others.empty()) return;
  const node_id who = any_of(others);
  if (!cluster_.outside(who)) cluster_.expel(who, "it begins anew");
  client::member_change c = change_of(member_action::add, who);
  c.promote = random_.below(4) != 0;
  c.members[0].witness = plan_.adds_witnesses && random_.below(3) == 0;
  ask(std::move(c));
}

/// A member whose data directory everybody knows, with all others there; it may be started as if nothing had been. Who
/// was removed and has not learned so must know it, too: with one whose data it does not know it might be a majority of
/// those whom it remembers (docs/raft.md, at the end). And nobody may have a change in its inbox which, once it goes
/// on, leaves the lost one alone.
void member_changes::lose_a_disk(node::group& leading) {
  const auto& voters = leading.members().in_force().members.voters;
  if (voters.size() < 3 || clock_.now() - asked_at_ < settled || asked_and_waits()) return;
  // What a witness acknowledged beside the lost one alone nobody has any more.
  if (!leading.members().in_force().witnesses().empty()) return;
  const node_id who = any_of(voters);
  for (const node_id id : cluster_.ids()) {
    if (cluster_.outside(id)) continue;
    if (!cluster_.up(id) || cluster_.the_node(id).the_group().core().changing_members()) return;
    if (!cluster_.the_node(id).the_group().state().members().recorded(who)) return;
  }
  lost_ = who;
  lost_at_ = clock_.now();
  clock_.trace().tell(clock_.now(), told::moment(told::topic::member, name_of(who) + " loses its disk"));
  imposes_ = random_.coin() ? random_.between(coro::duration(50ms), coro::duration(800ms)) : coro::duration(0);
  if (imposes_ > coro::duration(0))
    cluster_.impersonate(who);
  else
    cluster_.expel(who, "its disk is lost");
}

/// Replaces what was lost, until the cluster says that it is.
void member_changes::bring_back() {
  if (!finishing_ && clock_.now() - lost_at_ < imposes_) return;
  if (!cluster_.outside(lost_)) {
    cluster_.expel(lost_, "it is replaced");
    return;
  }
  const node_id leader = cluster_.leader();
  if (!leader) return;
  node::group& g = cluster_.the_node(leader).the_group();
  if (!g.members().in_force().records.contains(lost_) || !g.state().members().recorded(lost_)) {
    ++counters_[counter::replaced_disks]; // it may join again, or was removed
    lost_ = node_id();
    return;
  }
  ask(change_of(member_action::replace, lost_));
}

void member_changes::ask(client::member_change c) {
  const node_id leader = cluster_.leader();
  if (!leader) return;
  asked_at_ = clock_.now();
  clock_.record("members", leader.value(), static_cast<std::uint64_t>(c.action));
  if (clock_.trace().heeded())
    clock_.trace().tell(clock_.now(),
                        told::moment(told::topic::member, name_of(leader) + " is asked to " + text_of(c)));
  std::vector<node_id> staying = cluster_.the_node(leader).the_group().members().in_force().members.voters;
  for (const client::member_spec& m : c.members)
    std::erase_if(staying, [&](node_id id) { return name_of(id) == m.name; });
  nemesis_.members_change(staying);
  asked_.push_back({leader, cluster_.starts(leader), std::make_shared<bool>(false)});
  cluster_.the_node(leader).call(
      [this, c = std::move(c), until = clock_.now() + patience, begun = asked_.back().begun](node::group& g) {
        *begun = true;
        g.members().change(c, until, [this](const node::member_answer& a) {
          if (clock_.trace().heeded())
            clock_.trace().tell(clock_.now(), told::moment(told::topic::member,
                                                           "change of members: " + (a.text.empty() ? "done" : a.text)));
          if (a.error == wire::request_errc::none) ++counters_[counter::member_changes];
        });
      });
}

bool member_changes::asked_and_waits() {
  std::erase_if(
      asked_, [this](const question& q) { return *q.begun || !cluster_.up(q.of) || cluster_.starts(q.of) != q.start; });
  return !asked_.empty();
}

void member_changes::transfer() {
  if (clock_.trace().heeded())
    clock_.trace().tell(clock_.now(), told::moment(told::topic::member, name_of(cluster_.leader()) +
                                                                            " is asked to hand the leadership over"));
  std::vector<node_id> others = cluster_.members();
  std::erase(others, cluster_.leader());
  nemesis_.members_change(others);
  cluster_.the_node(cluster_.leader()).call([this, until = clock_.now() + patience](node::group& g) {
    g.members().transfer({}, until, [this](const node::member_answer& a) {
      if (a.error == wire::request_errc::none) ++counters_[counter::transfers];
    });
  });
}

/// Who is away asks somebody whether it may come, as serve --join does, which goes on to the leader that it is told.
void member_changes::poll_joins() {
  std::vector<node_id> up = cluster_.ids();
  std::erase_if(up, [this](node_id id) { return !cluster_.up(id) || cluster_.paused(id); });
  if (up.empty()) return;
  for (const node_id id : cluster_.ids()) {
    if (!cluster_.outside(id) || id == lost_) continue;
    const node_id leader = cluster_.leader();
    cluster_.the_node(leader && random_.below(4) != 0 ? leader : any_of(up)).call([this, id](node::group& g) {
      const node::member_answer a = g.members().join({.name = name_of(id), .address = address_of(id)});
      if (a.error != wire::request_errc::none || stopped_) return;
      clock_.after(1ms, [this, id, told = node::introduction_from(a.reply)] {
        if (stopped_ || !cluster_.outside(id)) return;
        ++counters_[counter::joins];
        clock_.trace().tell(clock_.now(), told::moment(told::topic::member, name_of(id) + " joins"));
        cluster_.join(id, told);
      });
    });
  }
}

} // namespace quorumd::sim
