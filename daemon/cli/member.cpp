#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/member_table.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr auto catch_up_interval = std::chrono::milliseconds(500); // nobody tells when a learner has caught up
/// So long nobody may answer while members are waited for.
constexpr auto silence_max = std::chrono::seconds(30);

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  return out;
}

/// `n4 is`, `n4 and n5 are`
std::string they_are(const std::vector<std::string>& names) {
  return joined(names) + (names.size() == 1 ? " is" : " are");
}

/// One wait for new members to become voters.
class promotion_wait {
 public:
  /// `limit` is --timeout, where it was given: it bounds the whole wait.
  promotion_wait(session& s, promotion p, std::optional<coro::time_point> limit)
      : session_(s)
      , promotion_(std::move(p))
      , limit_(limit)
      , bar_("entries taken", s.loop.now())
      , heard_at_(s.loop.now()) {}

  /// From the change's own answer on; the exit code.
  coro::task<int> run(client::members_reply first) {
    int code = config::exit_code::ok;
    if (!take(first, code)) co_return code;
    for (;;) {
      const coro::time_point pause = session_.loop.now() + catch_up_interval;
      co_await session_.loop.timers().sleep_until(pause);
      client::client_body body = client::members_request{};
      const coro::time_point latest = session_.loop.now() + default_timeout;
      const coro::time_point deadline = limit_ ? std::min(*limit_, latest) : latest;
      const client::call_result answer = co_await session_.client.call(std::move(body), deadline);
      if (answer.has_value() && !look_at(answer, code)) co_return code;
      if (limit_ && session_.loop.now() >= *limit_) co_return out_of_time();
      // A change of the leader, or a node that restarts, does not end the wait.
      if (answer.has_error() && session_.loop.now() - heard_at_ >= silence_max) {
        bar_.clear();
        co_return complain(answer.error());
      }
    }
  }

 private:
  bool look_at(const client::call_result& answer, int& code) {
    const auto* m = body_of<client::members_reply>(answer);
    if (m != nullptr) return take(*m, code);
    bar_.clear();
    code = complain(unexpected_answer(session_));
    return false;
  }

  /// False: the wait is over, with `code`.
  bool take(const client::members_reply& m, int& code) {
    heard_at_ = session_.loop.now();
    for (const std::string& name : promotion_.take(m)) {
      bar_.clear();
      if (!session_.json && !print_part(name + " is a voter\n", code)) return false;
    }
    if (promotion_.done()) {
      bar_.clear();
      code = session_.json ? print(members_json(m)) : config::exit_code::ok;
      return false;
    }
    if (!promotion_.gone().empty()) {
      bar_.clear();
      code = complain(error(config::exit_code::unavailable,
                            promotion_.gone() + " is no member any more: another change took it out"));
      return false;
    }
    bar_.update(promotion_.share(), promotion_.taken(), session_.loop.now());
    return true;
  }

  int out_of_time() {
    bar_.clear();
    return complain(error(config::exit_code::unavailable,
                          they_are(promotion_.waiting()) + " no voter yet, " + std::to_string(promotion_.behind()) +
                              " entries behind; the change stays, 'quorumd member list' shows how far it is"));
  }

  session& session_;
  promotion promotion_;
  const std::optional<coro::time_point> limit_;
  progress_bar bar_;
  coro::time_point heard_at_;
};

/// What is to be done where the new members are to be.
void tell_how_to_join(const session& s, const client::member_change& c, const client::members_reply& m) {
  const bool by_name = s.options.endpoints.front().socket_path.empty();
  const std::vector<std::string> names = new_names(c);
  const std::vector<std::string> commands = join_commands(c, m, by_name ? s.client.endpoint() : "HOST:PORT");
  for (std::size_t i = 0; i < names.size(); ++i) remark("start " + names[i] + " on its machine: " + commands[i]);
}

coro::task<int> change(session* s, member_order o, std::optional<std::chrono::milliseconds> limit) {
  std::optional<coro::time_point> until;
  if (limit) until = s->loop.now() + *limit;
  const client::member_change c = *o.change;
  client::client_body body = c;
  const coro::time_point deadline = o.wait ? s->loop.now() + std::min(s->timeout, default_timeout) : s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* m = body_of<client::members_reply>(answer);
  if (m == nullptr) co_return complain(unexpected_answer(*s));
  const bool brings = c.action == client::member_action::add || c.action == client::member_action::replace;
  if (brings) tell_how_to_join(*s, c, *m);
  if (!o.wait) co_return print(s->json ? members_json(*m) : members_table(*m));
  const std::vector<std::string> names = new_names(c);
  remark("waiting until " + they_are(names) + (names.size() == 1 ? " a voter" : " voters") +
         "; Ctrl-C ends the wait, and the change stays");
  client::members_reply first = *m;
  promotion_wait wait(*s, promotion(names, m->index), until);
  const int code = co_await wait.run(std::move(first));
  co_return code;
}

coro::task<int> list(session* s) {
  client::client_body body = client::members_request{};
  const coro::time_point deadline = s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* m = body_of<client::members_reply>(answer);
  if (m == nullptr) co_return complain(unexpected_answer(*s));
  co_return print(s->json ? members_json(*m) : members_table(*m));
}

int run_member(const invocation& in) {
  auto order = read_member_order(in);
  if (order.has_error()) return complain(order.error());
  if (!order->change) return run_client(in, [](session& s) { return list(&s); });
  std::optional<std::chrono::milliseconds> limit;
  if (in.has("timeout")) limit = in.duration("timeout", default_timeout);
  return run_client(in, [&](session& s) { return change(&s, *order, limit); });
}

} // namespace

command_spec member_command() {
  return {
      .name = "member",
      .summary = "list the members, or change them while the cluster runs",
      .arguments = {{"list|add|remove|promote|demote|update|replace"}, {"MEMBER", true, true}},
      .options = member_options(),
      .details =
          "  list                         the members, as the node that answers knows them\n"
          "  add NAME=HOST:PORT…          new members, with the addresses at which the others dial them\n"
          "  remove NAME…                 they are members no more\n"
          "  promote NAME…                learners become voters\n"
          "  demote NAME…                 voters become learners: they hold everything and have no vote\n"
          "  update NAME[=HOST:PORT]…     the others dial them there from now on; or --priority: who is to lead\n"
          "  replace NAME[=HOST:PORT]…    a new member takes the place of one that is lost\n"
          "Several members at once are one change. A new member is a learner until it has caught up, and then a "
          "voter;\n"
          "with --no-promote it stays a learner. A --witness votes by what it keeps of the log, terms and indexes,\n"
          "and holds no data: with it two machines and a small third are a cluster. add and replace print how to\n"
          "start it on its machine, and wait until it is a voter, without a limit but the --timeout that is given.\n"
          "Ctrl-C, or the end of that time, ends the wait and not the change, which list shows.\n"
          "A leader hands over to the voter of the highest --priority above its own, once that one has kept up for\n"
          "five seconds.\n"
          "Columns of list: name, role (voter, witness, learner; joining or leaving while a change of voters is under "
          "way),\n"
          "leader, address (for the other members), client, priority, connected (to the node that answers), behind "
          "(entries; "
          "only\n"
          "the leader knows). The other actions print the same of the members as they are then.",
      .examples = {"quorumd member list", "quorumd member add n4=10.0.0.4:2380 n5=10.0.0.5:2380",
                   "quorumd member add n3=10.0.0.3:2380 --witness", "quorumd member add n4=10.0.0.4:2380 --no-promote",
                   "quorumd member promote n4", "quorumd member remove n2", "quorumd member update n2=10.0.1.2:2380",
                   "quorumd member update n1 --priority 80",
                   "quorumd member replace n3=10.0.0.6:2380 --as n6 --timeout 10m"},
      .run = run_member};
}

} // namespace quorumd::cli
