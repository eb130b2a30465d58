#include "wire/client.hpp"

#include "consensus/types/invariant.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace quorumd::wire {
namespace {

using std::chrono::milliseconds;

/// The server's deadline is a little earlier than ours, so that it is the server that says why.
milliseconds remaining_for_server(coro::time_point deadline, coro::time_point now) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - now);
  return std::max(milliseconds(1), left - std::min(left / 10, milliseconds(100)));
}

std::string describe(const client_error& e) {
  std::string out = e.code == request_errc::store ? "" : std::string(name_of(e.code));
  const std::string detail = !e.text.empty()                 ? std::string(e.text)
                             : e.code == request_errc::store ? e.store.message()
                                                             : std::string();
  if (!out.empty() && !detail.empty()) out += ": ";
  return out + detail;
}

} // namespace

void throw_exception_from_error(const call_error& e, const boost::source_location&) {
  throw std::runtime_error(e.message());
}

/// Gives a call's record back, however its coroutine ends.
class client::call_scope {
 public:
  call_scope(client& owner, client_call& c)
      : owner_(owner)
      , call_(c) {}
  call_scope(const call_scope&) = delete;
  call_scope& operator=(const call_scope&) = delete;
  ~call_scope() {
    if (call_.encoded && call_.end == call_end::none) --owner_.in_flight_;
    owner_.calls_.close(call_);
  }

 private:
  client& owner_;
  client_call& call_;
};

/// What to make of a call's end.
struct client::verdict {
  bool succeeded = false;
  bool again = false;
  call_error error;
};

client::client(coro::loop& l, coro::network& n, coro::entropy& e, client_options o)
    : loop_(l)
    , network_(n)
    , entropy_(e)
    , options_(std::move(o))
    , tasks_(l)
    , demand_(l)
    , output_(l)
    , sweep_wanted_(l)
    , reader_(client_reply_frame_max) {
  QUORUMD_INVARIANT(!options_.endpoints.empty(), "a client has an endpoint");
  tasks_.spawn(run_connection());
  tasks_.spawn(run_writer());
  tasks_.spawn(run_sweeper());
}

client::~client() {
  QUORUMD_INVARIANT(calls_.open_count() == 0, "a client ends after its calls");
}

coro::task<void> client::stop() {
  stopped_ = true;
  tasks_.cancel();
  co_await tasks_.join();
  lose_connection("the client was stopped");
  calls_.for_each_open([this](client_call& c) { complete(c, call_end::stopped); });
  wake_ready();
}

coro::task<call_result> client::call(client_body body, coro::time_point deadline) {
  loop_.assert_here();
  const bool command = std::holds_alternative<kv::command>(body);
  client_call* const c = &calls_.open(deadline);
  const call_scope scope(*this, *c);
  for (unsigned attempt = 0;; ++attempt) {
    if (!connected()) co_await wait_for_connection(c);
    if (c->end == call_end::none) {
      encode(*c, body);
      co_await c->done.wait(loop_);
    }
    verdict v = judge(*c, command);
    if (v.succeeded) {
      redirects_ = 0;
      co_return client_answer{std::move(*c->reply), std::move(c->bytes)};
    }
    if (c->end == call_end::replied) {
      const auto& e = std::get<client_error>(c->reply->body);
      if (e.code == request_errc::not_leader && !e.leader.empty())
        follow(e.leader);
      else if (v.again && e.code != request_errc::overloaded)
        move_on();
    }
    if (!v.again) co_return std::move(v.error);
    co_await back_off(attempt, deadline);
    if (loop_.now() >= deadline) co_return std::move(v.error);
    ++counters_.retries;
    calls_.renew(*c);
  }
}

/// Returns when there is a connection, with the call renewed; otherwise the call's end says why there is none.
coro::task<void> client::wait_for_connection(client_call* c) {
  while (!connected()) {
    calls_.renew(*c);
    if (stopped_) {
      c->end = call_end::stopped;
      co_return;
    }
    demand_.set();
    sweep_wanted_.set();
    co_await c->done.wait(loop_);
    if (c->end != call_end::connected) co_return;
  }
  calls_.renew(*c);
}

client::verdict client::judge(client_call& c, bool command) const {
  switch (c.end) {
  case call_end::replied: {
    const auto* e = std::get_if<client_error>(&c.reply->body);
    if (e == nullptr) return {.succeeded = true};
    const bool again = worth_retrying(e->code) || (e->code == request_errc::unknown && !command);
    return {.again = again, .error = call_error(e->code, endpoint_name_, describe(*e), e->store)};
  }
  case call_end::unsent:
    return {.again = true, .error = call_error(request_errc::not_applied, endpoint_name_, why_lost_)};
  case call_end::lost:
    if (!command) return {.again = true, .error = call_error(request_errc::timeout, endpoint_name_, why_lost_)};
    return {.error = call_error(request_errc::unknown, endpoint_name_,
                                "the outcome is unknown: the request was on its way when " + why_lost_)};
  case call_end::expired:
    if (c.encoded && command)
      return {.error = call_error(request_errc::unknown, endpoint_name_,
                                  "the outcome is unknown: no reply by the deadline")};
    if (c.encoded) return {.error = call_error(request_errc::timeout, endpoint_name_, "no reply by the deadline")};
    return {.error = call_error(request_errc::none, "",
                                last_failure_.empty() ? "no connection by the deadline" : last_failure_)};
  case call_end::stopped:
    return {.error = call_error(request_errc::none, endpoint_name_, "the client was stopped")};
  default:
    return {.error = call_error(request_errc::none, "", last_failure_)};
  }
}

coro::task<void> client::back_off(unsigned attempt, coro::time_point deadline) {
  if (attempt == 0) co_return;
  const auto longest = std::min(options_.backoff_max, options_.backoff_min * (1 << std::min(attempt - 1, 10u)));
  const auto half = std::chrono::duration_cast<std::chrono::microseconds>(longest) / 2;
  const auto jitter = std::chrono::microseconds(entropy_.next() % static_cast<std::uint64_t>(half.count() + 1));
  const coro::time_point until = std::min(deadline, loop_.now() + half + jitter);
  co_await loop_.timers().sleep_until(until);
}

coro::task<boost::system::result<void, call_error>> client::connect(coro::time_point deadline) {
  loop_.assert_here();
  client_call* const c = &calls_.open(deadline);
  const call_scope scope(*this, *c);
  co_await wait_for_connection(c);
  if (c->end == call_end::none) co_return boost::system::result<void, call_error>();
  co_return judge(*c, false).error;
}

bool client::submit(const client_body& body, coro::time_point deadline, std::uint64_t tag) {
  loop_.assert_here();
  if (!connected()) return false;
  client_call& c = calls_.open(deadline);
  c.direct = true;
  c.tag = tag;
  encode(c, body);
  return true;
}

coro::task<void> client::take_completions(std::vector<completion>& out) {
  while (completions_.empty()) co_await completed_.wait(loop_);
  completed_.reset();
  out.insert(out.end(), completions_.begin(), completions_.end());
  completions_.clear();
}

void client::encode(client_call& c, const client_body& body) {
  const std::size_t before = out_.size();
  const milliseconds remaining = remaining_for_server(c.deadline, loop_.now());
  std::visit([&](const auto& b) { encode_request(out_, c.id, remaining, b); }, body);
  enqueued_bytes_ += out_.size() - before;
  c.frame_end = enqueued_bytes_;
  c.encoded = true;
  ++in_flight_;
  ++counters_.frames_out;
  if (!waking_now_) output_.set();
  if (in_flight_ == 1) sweep_wanted_.set();
}

void client::complete(client_call& c, call_end how) {
  if (c.end != call_end::none) return;
  c.end = how;
  if (c.encoded) --in_flight_;
  if (c.direct) {
    completions_.push_back({c.tag, c.code});
    calls_.close(c);
  } else {
    ready_.push_back(c.id);
  }
}

/// Resumes everybody whose call has ended, and lets what they ask next leave in one write.
void client::wake_ready() {
  if (std::exchange(waking_now_, true)) return;
  while (!ready_.empty()) {
    waking_.swap(ready_);
    for (const std::uint64_t id : waking_)
      if (client_call* const c = calls_.find(id); c != nullptr) c->done.fire();
    waking_.clear();
  }
  if (!completions_.empty()) completed_.fire();
  waking_now_ = false;
  if (stream_ != nullptr && !out_.empty() && !flush(*stream_)) output_.set();
}

void client::sweep() {
  const coro::time_point now = loop_.now();
  calls_.for_each_open([&](client_call& c) {
    if (c.end != call_end::none || c.deadline > now) return;
    if (c.direct) c.code = request_errc::unknown;
    complete(c, call_end::expired);
  });
  if (hello_deadline_ && *hello_deadline_ <= now && stream_ != nullptr) {
    why_lost_ = "it did not answer the hello";
    stream_->close();
  }
  wake_ready();
  finish_move();
}

coro::task<void> client::run_sweeper() {
  constexpr milliseconds interval{10};
  for (;;) {
    while (calls_.open_count() == 0 && !hello_deadline_) co_await sweep_wanted_.wait();
    co_await loop_.timers().sleep_for(interval);
    sweep();
  }
}

} // namespace quorumd::wire
