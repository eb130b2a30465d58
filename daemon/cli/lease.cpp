#include "config/exit_codes.hpp"
#include "config/values.hpp"
#include "consensus/types/hex.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/lease_name.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace quorumd::cli {
namespace {

/// After a failure, so that members that are down are not asked without end; and at least, between two renewals.
constexpr std::chrono::milliseconds renews_least{500};

int print_json(const std::function<void(json_writer&)>& fill) {
  std::string out;
  json_writer w(out);
  w.begin_object();
  fill(w);
  w.end_object();
  return print(out + "\n");
}

coro::task<int> grant(session* s, kv::grant_lease g) {
  const client::call_result answer = co_await send(s, g, again::no);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* made = done == nullptr ? nullptr : std::get_if<kv::grant_lease_reply>(&done->body);
  if (made == nullptr) co_return complain(unexpected_answer(*s));
  if (!s->json) co_return print(hex64(made->id.value()) + "\n");
  co_return print_json([&](json_writer& w) {
    w.key("id").text(hex64(made->id.value())).key("ttl_s").number(static_cast<std::uint64_t>(made->ttl_s));
  });
}

coro::task<int> revoke(session* s, lease_id id) {
  const client::call_result answer = co_await send(s, kv::revoke_lease{id}, again::no);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  if (done == nullptr) co_return complain(unexpected_answer(*s));
  if (!s->json) co_return print("OK\n");
  co_return print_json([&](json_writer& w) { w.key("revision").number(done->revision.value()); });
}

/// What the leader says; asking twice is as good as once.
coro::task<client::call_result> ask(session* s, kv::lease_question q) {
  const coro::time_point deadline = s->deadline();
  client::client_body body = kv::command(q);
  client::call_result answer = co_await s->client.call(std::move(body), deadline, client::client::repeat::idempotent);
  co_return answer;
}

const kv::lease_answer* lease_answer_in(const client::call_result& r) {
  const auto* reply = body_of<kv::reply>(r);
  return reply == nullptr ? nullptr : std::get_if<kv::lease_answer>(&reply->body);
}

int no_such_lease(lease_id id) {
  complain("there is no lease " + hex64(id.value()));
  return config::exit_code::absent;
}

coro::task<int> show_time(session* s, lease_id id, bool keys) {
  std::string after;
  std::string text;
  std::string json;
  json_writer w(json);
  for (bool begun = false, more = true; more; begun = true) {
    const client::call_result answer =
        co_await ask(s, {.what = kv::lease_question::kind::time, .id = id, .keys = keys, .after = after});
    if (answer.has_error()) co_return complain(answer.error());
    const auto* a = lease_answer_in(answer);
    if (a == nullptr) co_return complain(unexpected_answer(*s));
    if (a->ttl_s < 0) co_return no_such_lease(id);
    if (!begun) {
      const auto left = static_cast<std::uint64_t>(a->ttl_s);
      const auto granted = static_cast<std::uint64_t>(a->granted_ttl_s);
      text = std::to_string(left) + " s of " + std::to_string(granted) + " s are left\n";
      w.begin_object().key("id").text(hex64(id.value())).key("ttl_s").number(left).key("granted_ttl_s").number(granted);
      if (keys) w.key("keys").begin_array();
    }
    for (const std::string_view key : a->keys) {
      append_escaped(text, key);
      text += '\n';
      w.begin_object().bytes("key", key).end_object();
    }
    more = a->more && !a->keys.empty();
    if (more) after = a->keys.back();
  }
  if (keys) w.end_array();
  w.end_object();
  co_return print(s->json ? json + "\n" : text);
}

coro::task<int> list(session* s) {
  std::string text;
  std::string json;
  json_writer w(json);
  w.begin_object().key("leases").begin_array();
  lease_id after;
  for (bool more = true; more;) {
    const client::call_result answer = co_await ask(s, {.what = kv::lease_question::kind::list, .id = after});
    if (answer.has_error()) co_return complain(answer.error());
    const auto* a = lease_answer_in(answer);
    if (a == nullptr) co_return complain(unexpected_answer(*s));
    for (const lease_id id : a->leases) {
      text += hex64(id.value()) + "\n";
      w.text(hex64(id.value()));
    }
    more = a->more && !a->leases.empty();
    if (more) after = a->leases.back();
  }
  w.end_array().end_object();
  co_return print(s->json ? json + "\n" : text);
}

/// Renews it every third of its time, or once.
coro::task<int> keep_alive(session* s, lease_id id, bool once) {
  for (bool lost = false;;) {
    const client::call_result answer = co_await ask(s, {.what = kv::lease_question::kind::renew, .id = id});
    if (answer.has_error()) {
      if (once) co_return complain(answer.error());
      if (!std::exchange(lost, true)) remark(answer.error().message() + "; it is tried again");
      co_await s->loop.timers().sleep_for(renews_least);
      continue;
    }
    lost = false;
    const auto* a = lease_answer_in(answer);
    if (a == nullptr) co_return complain(unexpected_answer(*s));
    if (a->ttl_s < 0) co_return no_such_lease(id);
    const auto ttl = std::chrono::seconds(a->ttl_s);
    std::string line = "renewed for " + std::to_string(a->ttl_s) + " s\n";
    if (s->json) {
      line.clear();
      json_writer(line).begin_object().key("ttl_s").number(static_cast<std::uint64_t>(a->ttl_s)).end_object();
      line += '\n';
    }
    int code = config::exit_code::ok;
    if (!print_part(line, code) || once) co_return code;
    co_await s->loop.timers().sleep_for(std::clamp<coro::duration>(ttl / 3, renews_least, std::chrono::hours(1)));
  }
}

/// A number of seconds, or 90s, 5m, 2h.
std::optional<std::int64_t> seconds_in(const std::string& text) {
  std::int64_t n = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (wrong == std::errc() && end == text.data() + text.size()) return n;
  const auto d = config::parse_duration(text);
  if (!d) return std::nullopt;
  return (d->count() + 999) / 1000;
}

int run_grant(const invocation& in) {
  const auto ttl = seconds_in(in.argument(1));
  if (!ttl || *ttl <= 0) return complain(usage("lease grant: " + shown(in.argument(1)) + " is no time: 60, 90s, 5m"));
  kv::grant_lease g{.id = {}, .ttl_s = *ttl};
  if (in.has("id")) {
    const auto id = lease_named(in.text("id"));
    if (id.has_error()) return complain(id.error());
    g.id = *id;
  }
  return run_client(in, [&](session& s) { return grant(&s, g); });
}

int run_lease(const invocation& in) {
  const std::string& action = in.argument(0);
  const bool lists = action == "list";
  if (!lists && action != "grant" && action != "revoke" && action != "ttl" && action != "keep-alive")
    return complain(no_such_action(in.command(), action));
  for (const auto& [option, of] : {std::pair("id", "grant"), std::pair("keys", "ttl"), std::pair("once", "keep-alive")})
    if (in.has(option) && action != of)
      return complain(usage("lease " + action + ": --" + option + " is for 'lease " + of + "'"));
  const std::size_t wanted = lists ? 1 : 2;
  if (in.argument_count() > wanted)
    return complain(usage("lease " + action + ": " + shown(in.argument(wanted)) + " is one argument too many"));
  if (in.argument_count() < wanted)
    return complain(usage("lease " + action + ": which " + (action == "grant" ? "time? (60, 90s, 5m)" : "lease?")));
  if (lists) return run_client(in, [](session& s) { return list(&s); });
  if (action == "grant") return run_grant(in);
  const auto id = lease_named(in.argument(1));
  if (id.has_error()) return complain(id.error());
  if (action == "revoke") return run_client(in, [&](session& s) { return revoke(&s, *id); });
  if (action == "ttl") return run_client(in, [&](session& s) { return show_time(&s, *id, in.has("keys")); });
  return run_client(in, [&](session& s) { return keep_alive(&s, *id, in.has("once")); });
}

} // namespace

command_spec lease_command() {
  return {
      .name = "lease",
      .summary = "grant, renew and revoke leases, with which keys end",
      .arguments = {{.name = "grant|revoke|ttl|keep-alive|list"}, {.name = "TTL|ID", .optional = true}},
      .options = {{"id", "ID", option_kind::text, "grant: under this id, not one that the cluster finds"},
                  {"keys", "", option_kind::flag, "ttl: list its keys too"},
                  {"once", "", option_kind::flag, "keep-alive: renew it once, and end"}},
      .details =
          "grant prints the id of a new lease, which ends after TTL (seconds, or 90s, 5m; 2 s at least) unless it is\n"
          "renewed; 'put --lease ID' attaches keys to it, and they are deleted when it ends. revoke ends it at\n"
          "once. keep-alive renews it, every third of its time, until it is interrupted. ttl prints how long it\n"
          "has; it, and keep-alive, end with 1 if there is no such lease. Ids are hexadecimal.",
      .examples = {"quorumd lease grant 60", "quorumd put worker/7 busy --lease 326963a02758b527",
                   "quorumd lease keep-alive 326963a02758b527", "quorumd lease ttl 326963a02758b527 --keys"},
      .run = run_lease};
}

} // namespace quorumd::cli
