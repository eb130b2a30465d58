#include "config/values.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace quorumd::cli {
namespace {

/// A setting of the cluster, as it is called in the configuration file.
struct setting {
  std::string_view name;
  std::optional<std::uint64_t> kv::configure::*given;
  std::uint64_t kv::settings::*value;
  enum class unit : std::uint8_t { count, bytes, milliseconds } of;
};
using unit = setting::unit;
constexpr std::array settings_known{
    setting{"history.keep_revisions", &kv::configure::keep_revisions, &kv::settings::keep_revisions, unit::count},
    setting{"history.bytes_max", &kv::configure::history_bytes_max, &kv::settings::history_bytes_max, unit::bytes},
    setting{"history.keep_for", &kv::configure::keep_for_ms, &kv::settings::keep_for_ms, unit::milliseconds},
    setting{"storage.quota_bytes", &kv::configure::quota_bytes, &kv::settings::quota_bytes, unit::bytes},
};

std::optional<std::uint64_t> parse(unit of, std::string_view text) {
  if (of == unit::bytes) return config::parse_size(text);
  if (of == unit::count) return config::parse_count(text);
  const auto time = config::parse_duration(text);
  return time ? std::optional(static_cast<std::uint64_t>(time->count())) : std::nullopt;
}

std::string text_of(unit of, std::uint64_t value) {
  if (of == unit::bytes) return config::format_size(value);
  return of == unit::count ? std::to_string(value) : config::format_duration(std::chrono::milliseconds(value));
}

std::string_view example_of(unit of) {
  if (of == unit::bytes) return "a size like 256MiB";
  return of == unit::count ? "a whole number" : "a duration like 24h";
}

result<void> take(std::string_view word, kv::configure& to) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto found =
      std::find_if(settings_known.begin(), settings_known.end(), [&](const setting& s) { return s.name == name; });
  if (found == settings_known.end()) {
    std::array<std::string_view, settings_known.size()> names;
    std::transform(settings_known.begin(), settings_known.end(), names.begin(),
                   [](const setting& s) { return s.name; });
    return usage("settings: " + shown(name) + " is no setting of the cluster" + suggestion(name, names));
  }
  if (equals == std::string_view::npos)
    return usage("settings: expected " + std::string(name) +
                 "=VALUE; without a value, all are shown by 'quorumd "
                 "settings'");
  const std::string_view text = word.substr(equals + 1);
  to.*found->given = parse(found->of, text);
  if (to.*found->given) return {};
  return usage("settings: " + std::string(name) + " is " + std::string(example_of(found->of)) + ", not " + shown(text));
}

int show(const session& s, const kv::settings& now) {
  std::string out;
  if (s.json) {
    json_writer w(out);
    w.begin_object();
    for (const setting& each : settings_known) {
      w.key(each.name);
      if (each.of == unit::milliseconds)
        w.text(text_of(each.of, now.*each.value));
      else
        w.number(now.*each.value);
    }
    w.end_object();
    return print(out + "\n");
  }
  for (const setting& each : settings_known) {
    out += std::string(each.name) + "=" + text_of(each.of, now.*each.value) + "\n";
  }
  return print(out);
}

coro::task<int> change(session* s, const kv::configure* c) {
  client::client_body body = kv::command(*c);
  const coro::time_point deadline = s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* now = done == nullptr ? nullptr : std::get_if<kv::configure_reply>(&done->body);
  if (now == nullptr) co_return complain(unexpected_answer(*s));
  co_return show(*s, now->now);
}

coro::task<int> ask(session* s) {
  const auto rows = co_await ask_members(s);
  if (rows.has_error()) co_return complain(rows.error());
  // Whoever has applied the most knows the latest.
  const client::status_row* newest = nullptr;
  for (const client::status_row& r : *rows)
    if (r.settings && (newest == nullptr || r.applied > newest->applied)) newest = &r;
  if (newest == nullptr)
    co_return complain(error(2, "the cluster has no settings yet: it has them as soon as it has a leader"));
  co_return show(*s, *newest->settings);
}

int run_settings(const invocation& in) {
  if (in.argument_count() == 0) return run_client(in, [](session& s) { return ask(&s); });
  kv::configure c;
  for (std::size_t i = 0; i < in.argument_count(); ++i)
    if (auto taken = take(in.argument(i), c); taken.has_error()) return complain(taken.error());
  return run_client(in, [&](session& s) { return change(&s, &c); });
}

} // namespace

command_spec settings_command() {
  return {.name = "settings",
          .summary = "show or change what all members do alike",
          .arguments = {{"NAME=VALUE", true, true}},
          .details =
              "  history.keep_revisions  revisions that can still be read; 0: only history.bytes_max bounds them\n"
              "  history.bytes_max       what old revisions may take in memory; older ones are compacted\n"
              "  history.keep_for        for how long old revisions can be read; 0s: only the two above bound them\n"
              "  storage.quota_bytes     what the store may take in memory; beyond it puts are refused. 0B: no bound\n"
              "A cluster begins with what the configuration of its first leader says; from then on only this command\n"
              "changes it, at once on every member. Prints all of them as they are afterwards.",
          .examples = {"quorumd settings", "quorumd settings history.keep_revisions=10000",
                       "quorumd settings history.keep_for=24h history.keep_revisions=0",
                       "quorumd settings history.bytes_max=1GiB storage.quota_bytes=16GiB"},
          .run = run_settings};
}

} // namespace quorumd::cli
