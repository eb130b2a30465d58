#include "harness.hpp"

#include "consensus/types/invariant.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

namespace quorumd::raft::test {
namespace {

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

std::vector<term_run> runs_of(const std::vector<entry>& entries) {
  std::vector<term_run> runs;
  for (const entry& e : entries)
    if (runs.empty() || runs.back().term != e.term()) runs.push_back({e.index(), e.term()});
  return runs;
}

} // namespace

entry make_entry(std::uint64_t t, std::uint64_t i, std::string_view text) {
  return entry::make(group_id(1), term(t), log_index(i), entry_kind::command, bytes_of(text));
}

std::vector<entry> make_entries(std::uint64_t first, const std::vector<std::uint64_t>& terms) {
  std::vector<entry> entries;
  for (std::uint64_t t : terms) entries.push_back(make_entry(t, first++));
  return entries;
}

proposal make_proposal(std::string_view text) {
  chunk_arena arena(0);
  proposal p(arena, text.size());
  if (!text.empty()) std::memcpy(p.payload().data(), text.data(), text.size());
  p.finish();
  return p;
}

configuration voters(std::uint64_t n) {
  configuration c;
  for (std::uint64_t i = 1; i <= n; ++i) c.voters.push_back(id(i));
  return c;
}

configuration these(const std::vector<std::uint64_t>& voting, const std::vector<std::uint64_t>& learning) {
  configuration c;
  for (const std::uint64_t n : voting) c.voters.push_back(id(n));
  for (const std::uint64_t n : learning) c.learners.push_back(id(n));
  return c;
}

std::string text_of(const configuration& c) {
  std::string s;
  const auto add = [&s](const std::vector<node_id>& set, const char* before) {
    for (const node_id n : set) {
      if (!s.empty()) s += " ";
      s += before + std::to_string(n.value());
      before = "";
    }
  };
  add(c.voters, "");
  add(c.outgoing, "<- ");
  add(c.learners, "+ ");
  return s;
}

initial_state state_with(std::uint64_t n, const std::vector<std::uint64_t>& terms, std::uint64_t term_now,
                         std::uint64_t commit) {
  initial_state s;
  s.start.members = voters(n);
  s.runs = runs_of(make_entries(1, terms));
  s.last = log_index(terms.size());
  s.commit = log_index(commit);
  s.hard.term = term(std::max(term_now, terms.empty() ? 0 : terms.back()));
  return s;
}

options options_of(std::uint64_t self, std::uint64_t seed) {
  options o;
  o.self = id(self);
  o.seed = seed * 1000 + self;
  return o;
}

std::vector<outgoing> subject::settle() {
  std::vector<outgoing> left;
  while (c.has_ready()) {
    take();
    left.insert(left.end(), out.messages.begin(), out.messages.end());
    if (!out.number) continue;
    c.persisted(out.number);
    left.insert(left.end(), out.after_persist.begin(), out.after_persist.end());
  }
  return left;
}

void subject::tick_until(role wanted) {
  for (int i = 0; i < 1000 && c.soft().role != wanted; ++i) c.tick();
  REQUIRE(c.soft().role == wanted);
}

void subject::win(std::uint64_t n) {
  c.campaign();
  settle();
  for (std::uint64_t v = 1; v <= n; ++v)
    c.step(id(v), vote_response{.term = c.hard().term.next(), .pre_vote = true, .granted = true});
  settle();
  for (std::uint64_t v = 1; v <= n; ++v)
    c.step(id(v), vote_response{.term = c.hard().term, .pre_vote = false, .granted = true});
  settle();
  REQUIRE(c.soft().role == role::leader);
}

initial_state disk::recover() const {
  initial_state s;
  s.hard = hard;
  s.start = start;
  s.runs = runs_of(entries);
  s.last = last();
  for (const entry& e : entries)
    if (e.kind() == entry_kind::members) s.configurations.push_back(e);
  s.commit = std::max(commit, snapshot.index);
  s.applied = snapshot.index;
  return s;
}

void disk::apply(const ready& write) {
  if (write.hard) hard = *write.hard;
  if (write.install) {
    start = snapshot = *write.install;
    entries.clear();
  }
  if (!write.entries.empty()) {
    const log_index first = write.entries.front().index();
    QUORUMD_INVARIANT(first > start.index && first <= last().next(), "a write leaves no gap in the log");
    entries.resize(first - start.index.next());
    entries.insert(entries.end(), write.entries.begin(), write.entries.end());
  }
  QUORUMD_INVARIANT(write.commit <= last(), "a stored commit never exceeds the durable log");
  commit = std::max(commit, write.commit);
}

void witness::leader(node_id who, std::uint64_t boot, const core& c) {
  const term t = c.soft().term;
  const auto [it, fresh] = leaders_.try_emplace(t, who, boot);
  if (!fresh && it->second != std::pair(who, boot))
    report("term " + std::to_string(t.value()) + " was won twice: by node " + std::to_string(it->second.first.value()) +
           " and by node " + std::to_string(who.value()));
  for (const auto& [index, what] : truth_)
    if (what.known_in < t && index >= c.first_index() && c.term_at(index) != what.term)
      report("the leader of term " + std::to_string(t.value()) + " lacks the committed entry " +
             std::to_string(index.value()));
}

void witness::applied(node_id who, const entry& e, term now) {
  const auto [it, fresh] = truth_.try_emplace(
      e.index(),
      fact{.term = e.term(), .text = text_of(e), .known_in = now, .command = e.kind() == entry_kind::command});
  it->second.known_in = std::min(it->second.known_in, now);
  if (!fresh && (it->second.term != e.term() || it->second.text != text_of(e)))
    report("node " + std::to_string(who.value()) + " applied another entry at index " +
           std::to_string(e.index().value()) + " than was applied before");
}

cluster::cluster(std::uint64_t n, const std::function<void(options&)>& tweak, std::uint64_t seed)
    : cluster(n, voters(n), tweak, seed) {}

cluster::cluster(std::uint64_t n, const configuration& first, const std::function<void(options&)>& tweak,
                 std::uint64_t seed)
    : nodes_(n) {
  for (std::uint64_t i = 1; i <= n; ++i) {
    node& self = at(i);
    self.id = id(i);
    self.opt = options_of(i, seed);
    if (tweak) tweak(self.opt);
    self.durable.start.members = first;
    self.durable.snapshot = self.durable.start;
    restart(i);
  }
}

cluster::cluster(const std::vector<std::vector<std::uint64_t>>& logs, std::uint64_t term_now)
    : nodes_(logs.size()) {
  for (std::uint64_t i = 1; i <= logs.size(); ++i) {
    node& self = at(i);
    self.id = id(i);
    self.opt = options_of(i);
    self.durable.hard.term = term(term_now);
    self.durable.start.members = voters(logs.size());
    self.durable.snapshot = self.durable.start;
    self.durable.entries = make_entries(1, logs[i - 1]);
    restart(i);
  }
}

bool cluster::connected(node_id a, node_id b) const {
  return !cuts_.contains(std::minmax(a.value(), b.value()));
}

void cluster::isolate(std::uint64_t n) {
  for (std::uint64_t other = 1; other <= size(); ++other)
    if (other != n) cut(n, other);
}

void cluster::send(node& n, std::vector<outgoing>& messages) {
  for (outgoing& o : messages) {
    envelope e{n.id, o.to, std::move(o.message)};
    if (watched != nullptr) watched->sent(e);
    if (!connected(e.from, e.to) || (drop && drop(e))) continue;
    bag.push_back(std::move(e));
  }
  messages.clear();
}

void cluster::stepped(node& n, const char* what, const envelope* arrived) {
  ++inputs;
  if (watched != nullptr) watched->stepped(n, what, arrived);
}

void cluster::carry_out(node& n, ready& out) {
  send(n, out.messages);
  if (out.soft && out.soft->role == role::leader) seen.leader(n.id, n.boots, *n.c);
  for (const load_request& l : out.loads) {
    ++loads;
    std::vector<entry> found;
    for (log_index i = l.first; i <= l.last && found.size() < 5; i = i.next())
      found.push_back(n.durable.entries.at(i - n.durable.start.index.next()));
    n.c->loaded(l.ticket, std::move(found));
    stepped(n, "is given entries of its log");
  }
  for (const entry& e : out.committed) {
    QUORUMD_INVARIANT(e.index() == n.applied.next(), "committed entries are handed out without gaps");
    n.applied = e.index();
    seen.applied(n.id, e, n.c->hard().term);
    if (e.kind() == entry_kind::command) n.commands.push_back(text_of(e));
  }
  if (!out.committed.empty()) {
    n.c->applied(n.applied);
    stepped(n, "has applied");
  }
  n.reads.insert(n.reads.end(), out.reads.begin(), out.reads.end());
  for (node_id follower : out.snapshots) {
    snapshots.emplace_back(n.id, follower);
    if (!send_snapshots) continue;
    std::vector<outgoing> whole{{follower, install_snapshot{n.c->hard().term, n.durable.snapshot}}};
    const std::size_t before = bag.size();
    send(n, whole);
    n.c->snapshot_sent(follower, bag.size() > before);
  }
}

void cluster::pump(std::uint64_t i) {
  node& n = at(i);
  while (n.c && n.c->has_ready()) {
    auto out = std::make_unique<ready>();
    n.c->take(*out);
    if (watched != nullptr) watched->stepped(n, "gives an output", nullptr);
    if (watched != nullptr && out->number) watched->writing(n);
    QUORUMD_INVARIANT(!out->empty(), "has_ready() promises an output");
    QUORUMD_INVARIANT(out->number ||
                          (!out->hard && !out->install && out->entries.empty() && out->after_persist.empty()),
                      "an output that persists has a number");
    carry_out(n, *out);
    if (out->number) n.writes.push_back(std::move(out));
  }
}

void cluster::persist_one(std::uint64_t i) {
  node& n = at(i);
  const std::unique_ptr<ready> write = std::move(n.writes.front());
  n.writes.pop_front();
  n.durable.apply(*write);
  if (watched != nullptr) watched->durable(n);
  n.c->persisted(write->number);
  stepped(n, "hears that a write is durable");
  if (write->install) {
    n.applied = write->install->index;
    n.commands.clear();
    for (const auto& [index, what] : seen.truth())
      if (index <= n.applied && what.command) n.commands.push_back(what.text);
    n.c->applied(n.applied);
  }
  send(n, write->after_persist);
}

void cluster::deliver(const envelope& e) {
  if (connected(e.from, e.to)) arrive(e);
}

void cluster::arrive(const envelope& e) {
  node& n = at(e.to.value());
  if (!n.c) return;
  n.c->step(e.from, e.message);
  stepped(n, "gets a message", &e);
}

void cluster::settle() {
  for (bool moved = true; moved;) {
    moved = false;
    for (std::uint64_t i = 1; i <= size(); ++i) {
      pump(i);
      while (at(i).c && !at(i).slow_disk && !at(i).writes.empty()) {
        persist_one(i);
        pump(i);
        moved = true;
      }
    }
    for (std::size_t left = bag.size(); left > 0; --left) {
      const envelope e = std::move(bag.front());
      bag.pop_front();
      deliver(e);
      moved = true;
    }
  }
}

void cluster::tick(std::uint64_t n, std::uint32_t count) {
  core& c = *at(n).c;
  while (count-- > 0) {
    const std::uint32_t quiet = c.quiet_ticks();
    const bool had_ready = c.has_ready();
    const soft_state before = c.soft();
    c.tick();
    stepped(at(n), "ticks");
    if (quiet == 0) continue;
    REQUIRE(c.has_ready() == had_ready);
    REQUIRE(c.soft() == before);
    REQUIRE(c.quiet_ticks() + 1 >= quiet);
  }
}

void cluster::run(std::uint32_t ticks) {
  while (ticks-- > 0) {
    for (std::uint64_t i = 1; i <= size(); ++i)
      if (at(i).c) tick(i);
    settle();
  }
}

std::uint64_t cluster::run_until_leader(std::uint32_t ticks_max) {
  for (; ticks_max > 0; --ticks_max) {
    run(1);
    for (std::uint64_t i = 1; i <= size(); ++i)
      if (at(i).c && at(i).c->soft().serving) return i;
  }
  return 0;
}

void cluster::elect(std::uint64_t n) {
  (*this)[n].campaign();
  settle();
  REQUIRE((*this)[n].soft().role == role::leader);
}

bool cluster::propose(std::uint64_t n, std::string_view text) {
  std::vector<proposal> batch;
  batch.push_back(make_proposal(text));
  const bool taken = (*this)[n].propose(batch).has_value();
  stepped(at(n), "is asked for a command");
  return taken;
}

change_error cluster::change(std::uint64_t n, const configuration& target) {
  const auto placed = (*this)[n].change_members(target, {});
  stepped(at(n), "is asked for other members");
  return placed ? change_error::none : placed.error();
}

void cluster::crash(std::uint64_t n) {
  at(n).c.reset();
  at(n).writes.clear();
}

void cluster::restart(std::uint64_t i) {
  node& n = at(i);
  n.writes.clear();
  n.applied = n.durable.snapshot.index;
  n.commands.clear();
  for (const auto& [index, what] : seen.truth())
    if (index <= n.applied && what.command) n.commands.push_back(what.text);
  n.opt.seed += 1000000;
  ++n.boots;
  n.c = std::make_unique<core>(n.opt, n.durable.recover());
  if (watched != nullptr) watched->started(n);
}

void cluster::compact(std::uint64_t i, std::uint64_t trailing) {
  node& n = at(i);
  pump(i);
  for (const auto& write : n.writes)
    if (write->install) return; // the log is about to start elsewhere
  const log_index upto = std::min(n.applied, n.c->persisted_index());
  if (upto <= n.durable.snapshot.index || upto <= n.durable.start.index) return;
  n.durable.snapshot = {.index = upto, .term = n.c->term_at(upto), .members = n.c->members_at(upto)};
  n.durable.commit = std::max(n.durable.commit, upto);
  const log_index keep_from(upto.value() > trailing ? upto.value() - trailing + 1 : 1);
  n.c->compacted(n.durable.snapshot, keep_from);
  stepped(n, "has a snapshot");
  const log_index start = n.c->first_index().prev();
  if (start <= n.durable.start.index) return;
  const term start_term = n.c->term_at(start);
  n.durable.entries.erase(n.durable.entries.begin(),
                          n.durable.entries.begin() + static_cast<std::ptrdiff_t>(start - n.durable.start.index));
  n.durable.start = {.index = start, .term = start_term, .members = n.c->members_at(start)};
}

std::function<bool(const envelope&)> no_appends_to(std::vector<std::uint64_t> nodes) {
  return [nodes = std::move(nodes)](const envelope& e) {
    return std::holds_alternative<append_request>(e.message) &&
           std::find(nodes.begin(), nodes.end(), e.to.value()) != nodes.end();
  };
}

std::string members_of(cluster& c, std::uint64_t n) {
  return text_of(c[n].members());
}

} // namespace quorumd::raft::test
