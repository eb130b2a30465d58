#include "daemon/cli/commands.hpp"
#include "daemon/cli/member_table.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <optional>

namespace quorumd::cli {
namespace {

using wire::member_action;

constexpr auto look_interval = std::chrono::milliseconds(500);

struct order {
  wire::member_change change;
  bool wait = false; ///< until new members vote
  std::optional<std::chrono::milliseconds> at_most;
};

int show(const session& s, const wire::members_reply& m) {
  return print(s.json ? members_json(m) : members_table(m));
}

coro::task<wire::call_result> ask(session* s) {
  wire::client_body body = wire::members_request{};
  const coro::time_point deadline = s->deadline();
  co_return co_await s->client.call(std::move(body), deadline);
}

coro::task<int> list(session* s) {
  const wire::call_result answer = co_await ask(s);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* m = body_of<wire::members_reply>(answer);
  co_return m == nullptr ? complain(unexpected_answer(*s)) : show(*s, *m);
}

/// The names of the new members, under which they come.
std::vector<std::string> newcomers(const wire::member_change& c) {
  std::vector<std::string> names;
  for (const wire::member_spec& m : c.members) names.push_back(m.new_name.empty() ? m.name : m.new_name);
  return names;
}

const wire::member_row* row_of(const wire::members_reply& m, const std::string& name) {
  const auto found = std::find_if(m.rows.begin(), m.rows.end(), [&](const auto& r) { return r.name == name; });
  return found == m.rows.end() ? nullptr : &*found;
}

/// How far they are: the one that lacks most.
struct catching_up {
  std::uint64_t held = 0;
  std::uint64_t behind = 0;
  bool all_vote = true;
  std::string gone;
};

catching_up look_at(const wire::members_reply& m, const std::vector<std::string>& names) {
  catching_up c;
  for (const std::string& name : names) {
    const wire::member_row* row = row_of(m, name);
    if (row == nullptr) {
      c.gone = name;
      continue;
    }
    if (row->role != wire::member_role::voter) c.all_vote = false;
    if (row->behind < c.behind) continue;
    c.behind = row->behind;
    c.held = row->match.value();
  }
  return c;
}

coro::task<int> wait_until_they_vote(session* s, const order* o) {
  const std::vector<std::string> names = newcomers(o->change);
  const coro::time_point began = s->loop.now();
  progress_bar bar("entries held", began);
  for (;;) {
    const wire::call_result answer = co_await ask(s);
    const auto* m = answer.has_error() ? nullptr : body_of<wire::members_reply>(answer);
    if (m != nullptr) {
      const catching_up now = look_at(*m, names);
      if (!now.gone.empty()) {
        bar.clear();
        co_return complain(error(2, now.gone + " is no member any more: somebody else removed it"));
      }
      if (now.all_vote && !m->changing) {
        bar.clear();
        if (s->json) co_return print(members_json(*m));
        std::string out;
        for (const std::string& name : names) out += name + " is a voter\n";
        co_return print(out);
      }
      const double whole = static_cast<double>(now.held + now.behind);
      bar.update(m->from_leader && whole > 0 ? static_cast<double>(now.held) / whole : -1, now.held, s->loop.now());
    }
    if (o->at_most && s->loop.now() - began >= *o->at_most) {
      bar.clear();
      co_return complain(error(2, "not all of them are voters yet; they become so by themselves once they are started "
                                  "and have caught up ('quorumd member list')"));
    }
    co_await s->loop.timers().sleep_for(look_interval);
  }
}

coro::task<int> change(session* s, const order* o) {
  wire::client_body body = o->change;
  const coro::time_point deadline = s->deadline();
  const wire::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* m = body_of<wire::members_reply>(answer);
  if (m == nullptr) co_return complain(unexpected_answer(*s));
  const bool brings_new = o->change.action == member_action::add || o->change.action == member_action::replace;
  if (!brings_new) co_return show(*s, *m);
  for (const std::string& name : newcomers(o->change))
    remark(name +
           " is a member that learns now. If it does not run yet, start it with an empty data directory, by a "
           "configuration with cluster.join or by: " +
           how_to_join(*m, name));
  if (!o->wait) co_return show(*s, *m);
  remark("waiting until it has caught up and votes; to end the wait (the change stays) press Ctrl-C");
  co_return co_await wait_until_they_vote(s, o);
}

int run_member(const invocation& in) {
  const std::string action = in.argument_count() == 0 ? "list" : in.argument(0);
  if (action == "list") {
    if (in.argument_count() > 1) return complain(usage("member list takes no names"));
    return run_client(in, [](session& s) { return list(&s); });
  }
  const auto known = parse_member_action(action);
  if (known.has_error()) return complain(known.error());
  std::vector<std::string> words;
  for (std::size_t i = 1; i < in.argument_count(); ++i) words.push_back(in.argument(i));
  auto members = parse_members(*known, words);
  if (members.has_error()) return complain(members.error());
  const bool brings_new = *known == member_action::add || *known == member_action::replace;
  for (const char* option : {"no-promote", "no-wait"})
    if (in.has(option) && !brings_new)
      return complain(usage("member " + action + ": --" + option + " is for 'add' and 'replace'"));
  if (in.has("as")) {
    if (*known != member_action::replace || members->size() != 1)
      return complain(usage("member " + action + ": --as is for 'replace' with one member"));
    members->front().new_name = in.text("as");
  }
  order o{.change = {.action = *known,
                     .members = std::move(*members),
                     .force = in.has("force"),
                     .promote = !in.has("no-promote")},
          .wait = brings_new && !in.has("no-promote") && !in.has("no-wait"),
          .at_most = {}};
  if (in.has("timeout")) o.at_most = in.duration("timeout", default_timeout);
  return run_client(in, [&o](session& s) { return change(&s, &o); });
}

} // namespace

command_spec member_command() {
  return {
      .name = "member",
      .summary = "list or change the members of the cluster",
      .arguments = {{"list|add|remove|promote|demote|update|replace", true}, {"NAME[=HOST:PORT]", true, true}},
      .options = {{"no-promote", "", option_kind::flag, "add, replace: leave the new member a learner"},
                  {"no-wait", "", option_kind::flag, "add, replace: do not wait until the new member votes"},
                  {"as", "NAME", option_kind::text, "replace: the new member has another name"},
                  {"force", "", option_kind::flag, "even if the cluster might lose its majority by it"}},
      .details =
          "  list                    who the members are (also without a word)\n"
          "  add NAME=HOST:PORT…     new members, at the addresses where the others reach them. Each learns first and\n"
          "                          votes once it has caught up. Start it with an empty data directory and --join\n"
          "  remove NAME…            members that are none any more; their data directories are void for good\n"
          "  promote NAME…           learners that vote from now on\n"
          "  demote NAME…            voters that only learn from now on\n"
          "  update NAME=HOST:PORT…  members that are reached at another address\n"
          "  replace NAME[=HOST:PORT]…  lost members: the old data directory is void, an empty one takes its place\n"
          "Several at once are one change. What would leave no majority of voters that answer is refused without\n"
          "--force. A change goes through a joint configuration: until it is over a majority of both the old and the\n"
          "new voters decides. --timeout bounds the wait for a new member, which has no bound otherwise.",
      .examples = {"quorumd member", "quorumd member add n4=10.0.0.4:2380",
                   "quorumd member add n4=10.0.0.4:2380 n5=10.0.0.5:2380", "quorumd member remove n1",
                   "quorumd member replace n2", "quorumd member replace n2=10.0.0.9:2380 --as n6"},
      .run = run_member};
}

} // namespace quorumd::cli
