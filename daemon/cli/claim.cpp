#include "daemon/cli/claim.hpp"

#include "config/exit_codes.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/terminal.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>

namespace quorumd::cli {
namespace {

/// After a failure, so that members that are down are not asked without end.
constexpr std::chrono::milliseconds try_every{300};
/// So long a member waits for a change: less than a client waits for one that may be gone.
constexpr std::chrono::milliseconds change_wait{1000};
constexpr const char* ended_text = "the lease has ended, and with it the claim to the name";

volatile std::sig_atomic_t signal_came = 0;

void note_signal(int number) {
  signal_came = number;
}

/// As etcd writes a lease in a key.
std::string bare_hex(std::uint64_t id) {
  char text[16];
  const auto end = std::to_chars(text, text + sizeof text, id, 16).ptr;
  return {text, end};
}

} // namespace

void heed_signals() {
  struct sigaction how {};
  how.sa_handler = note_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &how, nullptr);
}

bool asked_to_end() {
  return signal_came != 0;
}

claim::claim(session& s, std::string name, std::string value, std::chrono::seconds ttl)
    : session_(s)
    , name_(std::move(name))
    , value_(std::move(value))
    , ttl_(ttl)
    , renewing_(s.loop) {}

claim::~claim() = default;

/// Done twice, each of what is asked here has the effect of once.
coro::task<client::call_result> claim::ask(client::client_body body) {
  const coro::time_point deadline = session_.deadline();
  client::call_result r = co_await session_.client.call(std::move(body), deadline, client::client::repeat::idempotent);
  co_return r;
}

coro::task<std::optional<int>> claim::stand() {
  const client::call_result granted =
      co_await send(&session_, kv::grant_lease{.id = {}, .ttl_s = ttl_.count()}, again::no);
  if (granted.has_error()) co_return complain(granted.error());
  const auto* done = body_of<kv::reply>(granted);
  const auto* lease = done == nullptr ? nullptr : std::get_if<kv::grant_lease_reply>(&done->body);
  if (lease == nullptr) co_return complain(unexpected_answer(session_));
  lease_ = lease->id;
  key_ = name_ + "/" + bare_hex(lease_.value());
  renewing_.spawn(renew());

  kv::txn t;
  t.compares.push_back({.key = key_, .range_end = {}, .target = kv::compare_target::create, .number = 0, .value = {}});
  t.success.push_back({kv::put{.key = key_, .value = value_, .lease = lease_}});
  t.failure.push_back({kv::range_request{.key = key_, .range_end = {}}});
  client::client_body body = kv::command(std::move(t));
  const client::call_result stood = co_await ask(std::move(body));
  if (stood.has_error()) co_return complain(stood.error());
  const auto* reply = body_of<kv::reply>(stood);
  const auto* ran = reply == nullptr ? nullptr : std::get_if<kv::txn_reply>(&reply->body);
  if (ran == nullptr || ran->responses.empty()) co_return complain(unexpected_answer(session_));
  created_ = reply->revision;
  const auto* before = std::get_if<kv::range_reply>(&ran->responses.front().what); // it had come through already
  if (before != nullptr && !before->kvs.empty()) created_ = before->kvs.front().create_revision;
  co_return std::nullopt;
}

coro::task<std::optional<int>> claim::wait(bool (*over)()) {
  const std::string prefix = name_ + "/";
  const std::string end = kv::prefix_end(prefix);
  while (!over()) {
    if (lost_) co_return complain(error(config::exit_code::unavailable, why_));
    client::client_body body = client::range_read{.request = {.key = prefix,
                                                              .range_end = end,
                                                              .limit = 1,
                                                              .keys_only = true,
                                                              .target = kv::sort_target::create,
                                                              .order = kv::sort_order::descend,
                                                              .max_create_revision = created_.prev()},
                                                  .serializable = false};
    const client::call_result answer = co_await ask(std::move(body));
    if (answer.has_error()) {
      co_await session_.loop.timers().sleep_for(try_every);
      continue;
    }
    const auto* older = body_of<kv::range_reply>(answer);
    if (older == nullptr) co_return complain(unexpected_answer(session_));
    if (older->kvs.empty()) {
      // Its own key may be gone too, and a younger one have the name.
      if (co_await stands()) co_return std::nullopt;
      continue;
    }
    const std::string key(older->kvs.front().key);
    const revision from = older->revision.next();
    while (!over() && !lost_) {
      const bool is_gone = co_await gone(key, from, over);
      if (is_gone) break;
    }
  }
  co_return std::nullopt;
}

/// Whether its key is there; it is lost if not.
coro::task<bool> claim::stands() {
  client::client_body body =
      client::range_read{.request = {.key = key_, .range_end = {}, .count_only = true}, .serializable = false};
  const client::call_result answer = co_await ask(std::move(body));
  const auto* found = answer.has_error() ? nullptr : body_of<kv::range_reply>(answer);
  if (found == nullptr) { // it is asked again
    co_await session_.loop.timers().sleep_for(try_every);
    co_return false;
  }
  if (found->count == 0) {
    why_ = ended_text;
    lost_ = true;
  }
  co_return found->count != 0;
}

/// Whether the key was deleted, or it is to be looked again.
coro::task<bool> claim::gone(std::string key, revision from, bool (*over)()) {
  kv::change_place next{from};
  while (!over() && !lost_) {
    client::client_body body = client::watch_request{.key = key,
                                                     .range_end = {},
                                                     .start = next,
                                                     .no_put = true,
                                                     .wait = std::min(change_wait, session_.timeout / 2)};
    const client::call_result answer = co_await ask(std::move(body));
    if (answer.has_error()) {
      co_await session_.loop.timers().sleep_for(try_every);
      co_return true;
    }
    const auto* changes = body_of<client::watch_reply>(answer);
    if (changes == nullptr || !changes->events.empty()) co_return true;
    next = changes->next;
  }
  co_return false;
}

coro::task<void> claim::renew() {
  const auto usual = std::clamp<coro::duration>(coro::duration(ttl_) / 3, try_every, std::chrono::minutes(1));
  coro::time_point good_until = session_.loop.now() + ttl_;
  coro::duration pause = usual;
  while (!lost_) {
    co_await session_.loop.timers().sleep_for(pause);
    pause = try_every;
    const coro::time_point asked = session_.loop.now();
    client::client_body body = kv::command(kv::lease_question{.what = kv::lease_question::kind::renew, .id = lease_});
    const client::call_result answer = co_await ask(std::move(body));
    const auto* reply = answer.has_error() ? nullptr : body_of<kv::reply>(answer);
    const auto* lease = reply == nullptr ? nullptr : std::get_if<kv::lease_answer>(&reply->body);
    if (lease != nullptr && lease->ttl_s >= 0) {
      good_until = asked + std::chrono::seconds(lease->ttl_s);
      pause = usual;
      continue;
    }
    const bool ended = lease != nullptr;
    if (!ended && session_.loop.now() < good_until) continue;
    why_ = ended ? ended_text : "no member renewed the lease in its time: the claim to the name may be another's";
    lost_ = true;
  }
}

coro::task<void> claim::leave() {
  renewing_.cancel();
  co_await renewing_.join();
  if (!lease_) co_return;
  client::client_body body = kv::command(kv::revoke_lease{lease_});
  const client::call_result answer = co_await ask(std::move(body)); // else it ends by itself
}

} // namespace quorumd::cli
