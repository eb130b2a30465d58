#include "daemon/clients/etcd/recipe.hpp"

#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/requests.hpp"
#include "daemon/kv/command.hpp"

#include "election.pb.h"
#include "health.pb.h"
#include "lock.pb.h"
#include "rpc.pb.h"

#include <array>
#include <charconv>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;
namespace election = v3electionpb;
namespace health = grpc::health::v1;

/// Of a lease that a call without one is given, as etcd has it.
constexpr std::int64_t own_ttl_s = 60;
constexpr auto look_at_health_every = std::chrono::seconds(1);
constexpr auto renew_every = std::chrono::seconds(own_ttl_s) / 3;
/// What its watch holds of the connection.
constexpr std::size_t watch_bytes = 1024;
constexpr std::size_t joined_bytes_max = std::size_t{4} * 1024 * 1024;

/// As etcd writes a lease in a key.
std::string hex_of(lease_id id) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), id.value(), 16).ptr;
  return {text.data(), end};
}

/// As etcd's own service answers what its client is told: with the text, and no code.
grpc_status unknown(std::string_view text) {
  return {grpc_code::unknown, std::string(text)};
}

kv::compare created_at(std::string_view key, std::int64_t revision) {
  return {.key = key, .range_end = {}, .target = kv::compare_target::create, .number = revision, .value = {}};
}

} // namespace

recipe::recipe(const parts& p, coro::time_point deadline)
    : asks_(p.asks)
    , carrier_(p.by)
    , events_(p.events)
    , id_(p.id)
    , deadline_(deadline)
    , changed_(p.asks.loop()) {}

coro::task<void> recipe::run(std::shared_ptr<recipe> self, method what, std::string message) {
  // The name is in its key, and in what it asks.
  const std::size_t held = 4 * message.size() + sizeof(recipe);
  shared_pool& requests = self->asks_.memory().requests;
  requests.take(held);
  auto serving = self->serve(what, std::move(message));
  co_await std::move(serving);
  requests.give(held);
  self->end_watch();
  if (self->over()) self->take_back();
  if (self->failed_ && !self->cancelled_) {
    carrier& by = self->carrier_;
    by.end(self->id_, *self->failed_);
    by.said();
  }
  self->asks_.leave_place();
}

void recipe::take(const staged& s) {
  switch (s.kind) {
  case staged_kind::end:
    return refused({s.code, std::string(reinterpret_cast<const char*>(s.content.data()), s.content.size())});
  case staged_kind::part: {
    pb::WatchResponse r;
    const auto content = s.content.subspan(prefix_bytes);
    if (!watch_ || !r.ParseFromArray(content.data(), static_cast<int>(content.size())) || r.watch_id() != watch_id_)
      return;
    watch_ended_ = watch_ended_ || r.canceled();
    if (r.events_size() != 0)
      changes_.emplace_back(reinterpret_cast<const char*>(s.content.data()), s.content.size());
    else
      watch_->left(s.content.size());
    return changed_.set();
  }
  default:
    answer_.emplace(reinterpret_cast<const char*>(s.content.data()), s.content.size());
    return changed_.set();
  }
}

void recipe::refused(const grpc_status& s) {
  if (!asks_health_) return fail(unknown(s.text));
  answer_.emplace();
  changed_.set();
}

void recipe::fail(const grpc_status& s) {
  if (!failed_) failed_ = s;
  changed_.set();
}

void recipe::cancel() {
  cancelled_ = true;
  changed_.set();
}

void recipe::look(coro::time_point now) {
  if (now >= deadline_) return fail({grpc_code::deadline_exceeded, "context deadline exceeded"});
  renewal_due_ = own_lease_ && now - renewed_ >= renew_every;
  changed_.set();
}

void recipe::write(const kv::command& c) {
  answer_.reset();
  asks_.read_at(asks_.loop().now());
  asks_.write(static_cast<std::uint64_t>(id_), slot_of(method::step), asks_.limits({}), c);
  asks_.submit();
}

void recipe::read(const kv::range_request& r) {
  answer_.reset();
  asks_.read_at(asks_.loop().now());
  asks_.range(static_cast<std::uint64_t>(id_), slot_of(method::step, r.limit), asks_.limits({}),
              {.request = r, .serializable = false});
  asks_.submit();
}

coro::task<bool> recipe::answered() {
  while (!answer_ && !over()) co_await changed_.wait();
  co_return !over();
}

template <class Message>
bool recipe::parse(Message& m) {
  if (m.ParseFromArray(answer_->data() + prefix_bytes, static_cast<int>(answer_->size() - prefix_bytes))) return true;
  fail({grpc_code::internal, "grpc: error unmarshalling an answer"});
  return false;
}

void recipe::say(const google::protobuf::MessageLite& m) {
  std::string bytes(prefix_bytes + m.ByteSizeLong(), '\0');
  write_prefix(reinterpret_cast<std::byte*>(bytes.data()), bytes.size() - prefix_bytes);
  m.SerializeToArray(bytes.data() + prefix_bytes, static_cast<int>(bytes.size() - prefix_bytes));
  carrier_.answer(id_, std::as_bytes(std::span(bytes)));
  carrier_.said();
}

void recipe::finish(const google::protobuf::MessageLite& m) {
  key_.clear(); // it is its owner's now
  say(m);
  carrier_.end(id_, {});
  carrier_.said();
}

/// The key with which it stood in line.
void recipe::take_back() {
  if (key_.empty()) return;
  asks_.write_for_nobody(kv::delete_range{.key = key_, .range_end = {}});
}

coro::task<void> recipe::serve(method what, std::string message) {
  const auto with = [&](auto request, auto act) -> coro::task<void> {
    if (!request.ParseFromString(message)) {
      fail({grpc_code::internal, "grpc: error unmarshalling request"});
      co_return;
    }
    auto doing = (this->*act)(request);
    co_await std::move(doing);
  };
  auto doing = what == method::lock       ? with(v3lockpb::LockRequest(), &recipe::lock)
               : what == method::unlock   ? with(v3lockpb::UnlockRequest(), &recipe::unlock)
               : what == method::campaign ? with(election::CampaignRequest(), &recipe::campaign)
               : what == method::proclaim ? with(election::ProclaimRequest(), &recipe::proclaim)
               : what == method::resign   ? with(election::ResignRequest(), &recipe::resign)
               : what == method::leader   ? with(election::LeaderRequest(), &recipe::leader)
               : what == method::observe  ? with(election::LeaderRequest(), &recipe::observe)
               : what == method::snapshot ? with(pb::SnapshotRequest(), &recipe::copy_snapshot)
                                          : with(health::HealthCheckRequest(), &recipe::watch_health);
  co_await std::move(doing);
}

coro::task<bool> recipe::have_lease(std::int64_t asked) {
  lease_ = lease_id(static_cast<std::uint64_t>(asked));
  if (asked != 0) co_return true;
  write(kv::grant_lease{.id = {}, .ttl_s = own_ttl_s});
  const bool granted = co_await answered();
  pb::LeaseGrantResponse r;
  if (!granted || !parse(r)) co_return false;
  lease_ = lease_id(static_cast<std::uint64_t>(r.id()));
  own_lease_ = true;
  renewed_ = asks_.loop().now();
  co_return true;
}

coro::task<bool> recipe::renew() {
  renewal_due_ = false;
  write(kv::lease_question{.what = kv::lease_question::kind::renew, .id = lease_});
  const bool renewed = co_await answered();
  pb::LeaseTimeToLiveResponse r;
  if (!renewed || !parse(r)) co_return false;
  renewed_ = asks_.loop().now();
  if (r.ttl() < 0) fail(unknown("etcdserver: requested lease not found"));
  co_return !over();
}

/// Has its key in line, below the name. What is there already, from a try before, is left where it is.
coro::task<bool> recipe::stand(std::string name, std::string value) {
  prefix_ = name + "/";
  key_ = prefix_ + hex_of(lease_);
  kv::txn t;
  t.compares.push_back(created_at(key_, 0));
  t.success.push_back({kv::put{.key = key_, .value = value, .lease = lease_}});
  t.failure.push_back({kv::range_request{.key = key_, .range_end = {}}});
  write(kv::command(std::move(t)));
  const bool ran = co_await answered();
  pb::TxnResponse r;
  if (!ran || !parse(r)) co_return false;
  created_ = r.header().revision();
  header_ = r.header().SerializeAsString();
  if (r.succeeded() || r.responses_size() == 0 || r.responses(0).response_range().kvs_size() == 0) co_return true;
  const auto& before = r.responses(0).response_range().kvs(0);
  created_ = before.create_revision();
  if (before.value() == value) co_return true;
  kv::txn anew;
  anew.compares.push_back(created_at(key_, created_));
  anew.success.push_back({kv::put{.key = key_, .value = value, .lease = lease_}});
  write(kv::command(std::move(anew)));
  const bool replaced = co_await answered();
  co_return replaced;
}

/// Until those before it are gone. `lost` is said if it is not there any more by then.
coro::task<bool> recipe::wait_for_others(std::string lost) {
  const std::string end = kv::prefix_end(prefix_);
  for (bool first = true;; first = false) {
    read({.key = prefix_,
          .range_end = end,
          .limit = 1,
          .keys_only = true,
          .target = kv::sort_target::create,
          .order = kv::sort_order::descend,
          .max_create_revision = revision(static_cast<std::uint64_t>(created_ - 1))});
    const bool found = co_await answered();
    pb::RangeResponse r;
    if (!found || !parse(r)) co_return false;
    if (r.kvs_size() == 0) {
      if (first) co_return true;
      break;
    }
    const bool gone = co_await deleted(r.kvs(0).key(), r.header().revision() + 1);
    if (!gone) co_return false;
  }
  read({.key = key_, .range_end = {}});
  const bool found = co_await answered();
  pb::RangeResponse r;
  if (!found || !parse(r)) co_return false;
  header_ = r.header().SerializeAsString();
  if (r.kvs_size() != 0 && r.kvs(0).create_revision() == created_) co_return true;
  fail(unknown(lost));
  co_return false;
}

coro::task<bool> recipe::deleted(std::string key, std::int64_t from) {
  watch({.key = key, .from = from, .no_put = true});
  const bool happened = co_await changed();
  end_watch();
  co_return happened;
}

/// Waits until changes_ has something, or the watch ended.
coro::task<bool> recipe::changed() {
  while (changes_.empty() && !watch_ended_ && !over()) {
    co_await changed_.wait();
    if (!renewal_due_ || over()) continue;
    const bool renewed = co_await renew();
    if (!renewed) co_return false;
  }
  co_return !over();
}

/// Until the client reads what it was answered.
coro::task<bool> recipe::room() {
  while (!asks_.may_ask() && !over()) co_await changed_.wait();
  co_return !over();
}

/// At least so long, and until it is looked after again.
coro::task<bool> recipe::pause(coro::duration so_long) {
  const coro::time_point until = asks_.loop().now() + so_long;
  while (!over() && asks_.loop().now() < until) co_await changed_.wait();
  co_return !over();
}

void recipe::watch(const interest& w) {
  changes_.clear();
  watch_ended_ = false;
  const auto place = asks_.hold_place(static_cast<std::uint64_t>(id_), watch_bytes);
  if (!place) return;
  watch_ = std::make_shared<watch_stream>(
      asks_, id_, *place, events_,
      watch_stream::options{.number = static_cast<unsigned>(id_), .joined_bytes_max = joined_bytes_max});
  watch_create create{.key = std::string(w.key),
                      .range_end = std::string(w.end),
                      .start_revision = w.from,
                      .id = ++watch_id_,
                      .no_put = w.no_put,
                      .no_delete = w.no_delete};
  asks_.node().call([stream = watch_, create = std::move(create)](node::group&) {
    stream->begin();
    stream->create(create);
  });
}

void recipe::end_watch() {
  if (auto stream = std::exchange(watch_, nullptr)) stream->close();
}

void recipe::read_oldest(const std::string& prefix) {
  const std::string end = kv::prefix_end(prefix);
  read({.key = prefix,
        .range_end = end,
        .limit = 1,
        .target = kv::sort_target::create,
        .order = kv::sort_order::ascend});
}

coro::task<void> recipe::lock(const v3lockpb::LockRequest& r) {
  const bool has_lease = co_await have_lease(r.lease());
  if (!has_lease) co_return;
  const bool stands = co_await stand(r.name(), {});
  if (!stands) co_return;
  const bool holds = co_await wait_for_others("mutex: session is expired");
  if (!holds) co_return;
  v3lockpb::LockResponse answer;
  answer.mutable_header()->ParseFromString(header_);
  answer.set_key(key_);
  finish(answer);
}

coro::task<void> recipe::unlock(const v3lockpb::UnlockRequest& r) {
  write(kv::delete_range{.key = r.key(), .range_end = {}});
  const bool done = co_await answered();
  pb::DeleteRangeResponse ran;
  if (!done || !parse(ran)) co_return;
  v3lockpb::UnlockResponse answer;
  *answer.mutable_header() = ran.header();
  finish(answer);
}

coro::task<void> recipe::campaign(const election::CampaignRequest& r) {
  const bool has_lease = co_await have_lease(r.lease());
  if (!has_lease) co_return;
  const bool stands = co_await stand(r.name(), r.value());
  if (!stands) co_return;
  const bool leads = co_await wait_for_others("election: not leader");
  if (!leads) co_return;
  election::CampaignResponse answer;
  answer.mutable_header()->ParseFromString(header_);
  election::LeaderKey& leader = *answer.mutable_leader();
  leader.set_name(r.name());
  leader.set_key(key_);
  leader.set_rev(created_);
  leader.set_lease(static_cast<std::int64_t>(lease_.value()));
  finish(answer);
}

coro::task<void> recipe::proclaim(const election::ProclaimRequest& r) {
  if (!r.has_leader()) co_return fail(unknown("\"leader\" field must be provided"));
  const auto lease = lease_id(static_cast<std::uint64_t>(r.leader().lease()));
  kv::txn t;
  t.compares.push_back(created_at(r.leader().key(), r.leader().rev()));
  t.success.push_back({kv::put{.key = r.leader().key(), .value = r.value(), .lease = lease}});
  write(kv::command(std::move(t)));
  const bool done = co_await answered();
  pb::TxnResponse ran;
  if (!done || !parse(ran)) co_return;
  if (!ran.succeeded()) co_return fail(unknown("election: not leader"));
  election::ProclaimResponse answer;
  *answer.mutable_header() = ran.header();
  finish(answer);
}

coro::task<void> recipe::resign(const election::ResignRequest& r) {
  if (!r.has_leader()) co_return fail(unknown("\"leader\" field must be provided"));
  kv::txn t;
  t.compares.push_back(created_at(r.leader().key(), r.leader().rev()));
  t.success.push_back({kv::delete_range{.key = r.leader().key(), .range_end = {}}});
  write(kv::command(std::move(t)));
  const bool done = co_await answered();
  pb::TxnResponse ran;
  if (!done || !parse(ran)) co_return;
  election::ResignResponse answer;
  *answer.mutable_header() = ran.header();
  finish(answer);
}

coro::task<void> recipe::leader(const election::LeaderRequest& r) {
  read_oldest(r.name() + "/");
  const bool done = co_await answered();
  pb::RangeResponse found;
  if (!done || !parse(found)) co_return;
  if (found.kvs_size() == 0) co_return fail(unknown("election: no leader"));
  election::LeaderResponse answer;
  *answer.mutable_header() = found.header();
  *answer.mutable_kv() = found.kvs(0);
  finish(answer);
}

/// Without end: who leads, and each value that it proclaims.
coro::task<void> recipe::observe(const election::LeaderRequest& r) {
  const std::string prefix = r.name() + "/";
  const std::string end = kv::prefix_end(prefix);
  while (!over()) {
    read_oldest(prefix);
    const bool done = co_await answered();
    pb::RangeResponse found;
    if (!done || !parse(found)) co_return;
    const std::int64_t from = found.header().revision() + 1;
    const bool leads = found.kvs_size() != 0;
    if (leads) {
      election::LeaderResponse answer;
      *answer.mutable_header() = found.header();
      *answer.mutable_kv() = found.kvs(0);
      say(answer);
      watch({.key = found.kvs(0).key(), .from = from});
    } else {
      watch({.key = prefix, .end = end, .from = from, .no_delete = true});
    }
    for (bool same = true; same && !over();) {
      const bool happened = co_await changed();
      const bool goes_on = happened && co_await room();
      if (!goes_on || changes_.empty() || !leads) break;
      pb::WatchResponse now;
      const std::string& bytes = changes_.front();
      if (!now.ParseFromArray(bytes.data() + prefix_bytes, static_cast<int>(bytes.size() - prefix_bytes))) break;
      watch_->left(bytes.size());
      changes_.pop_front();
      for (const auto& event : now.events()) {
        same = same && event.type() == mvccpb::Event::PUT;
        if (!same) break;
        election::LeaderResponse answer;
        *answer.mutable_header() = now.header();
        *answer.mutable_kv() = event.kv();
        say(answer);
      }
    }
    end_watch();
  }
}

void recipe::say_health(int status) {
  health::HealthCheckResponse answer;
  answer.set_status(static_cast<health::HealthCheckResponse::ServingStatus>(status));
  say(answer);
}

/// Without end: how it is now, and each change.
coro::task<void> recipe::watch_health(const health::HealthCheckRequest& r) {
  int last = health::HealthCheckResponse::UNKNOWN;
  asks_health_ = true;
  while (!over()) {
    int now = health::HealthCheckResponse::SERVICE_UNKNOWN;
    if (r.service().empty()) {
      answer_.reset();
      asks_.read_at(asks_.loop().now());
      asks_.range(static_cast<std::uint64_t>(id_), slot_of(method::step), asks_.limits(look_at_health_every),
                  health_read(), true);
      asks_.submit();
      const bool said = co_await answered();
      if (!said) co_return;
      now = answer_->empty() ? health::HealthCheckResponse::NOT_SERVING : health::HealthCheckResponse::SERVING;
    }
    if (now != last) say_health(now);
    last = now;
    const bool goes_on = co_await pause(look_at_health_every);
    if (!goes_on) co_return;
  }
}

} // namespace quorumd::clients::etcd
