#include "daemon/client/client.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/validate.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace quorumd::client {
namespace {

using std::chrono::milliseconds;

milliseconds until(coro::time_point deadline, coro::time_point now) {
  return std::chrono::duration_cast<milliseconds>(deadline - now);
}

/// A command is not sent again with less time than this left: it could not be answered by the deadline, and what was
/// certainly not done would end as unknown.
milliseconds least_for_another(milliseconds total) {
  return std::min(total / 10, milliseconds(200));
}

/// What an answer may take beyond the time that the server was given to find a leader.
constexpr milliseconds silence_margin{250};
constexpr milliseconds share_min{50};

/// Whether the error says for certain that nothing was changed, and why.
bool says_why(const call_error& e) {
  return e.code() != request_errc::none && e.code() != request_errc::unknown && e.code() != request_errc::timeout;
}

/// Beyond what any node takes; that it would take less the server says.
bool is_too_large(const client_body& body) {
  const auto* c = std::get_if<kv::command>(&body);
  if (c == nullptr) return false;
  const auto valid = kv::validate(*c);
  return !valid && valid.error().code() == kv::errc::request_too_large;
}

/// What may leave its outcome open, as a command does; a transaction that only reads is a read.
bool may_change(const client_body& body) {
  if (std::holds_alternative<member_change>(body) || std::holds_alternative<leader_transfer>(body)) return true;
  const auto* c = std::get_if<kv::command>(&body);
  if (c == nullptr) return false;
  const auto* t = std::get_if<kv::txn>(c);
  return t == nullptr || !kv::only_reads(*t);
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

coro::task<call_result> client::call(client_body body, coro::time_point deadline, repeat r, kv::session_call as) {
  loop_.assert_here();
  if (is_too_large(body))
    co_return call_error(request_errc::too_large, "",
                         "too large: the request's keys and values take more than " +
                             std::to_string(kv::request_bytes_max) + " bytes; it was not sent");
  client_call* const c = &calls_.open(deadline);
  const call_scope scope(*this, *c);
  c->command = may_change(body);
  c->once = c->command && r == repeat::certain;
  const milliseconds least = c->once ? least_for_another(until(deadline, loop_.now())) : milliseconds(0);
  call_error learned; // the last answer that said why, or that the outcome is unknown
  for (unsigned attempt = 0;; ++attempt) {
    if (!connected()) co_await wait_for_connection(c);
    if (c->end == call_end::none) {
      encode(*c, body, as);
      co_await c->done.wait(loop_);
    }
    verdict v = judge(*c);
    if (v.succeeded) {
      redirects_ = 0;
      co_return client_answer{std::move(*c->reply), std::move(c->bytes)};
    }
    // What was learned is not forgotten for a later try that came to nothing, nor that an earlier one may have come to
    // something.
    const bool unknown = v.error.code() == request_errc::unknown;
    if (unknown || says_why(v.error)) learned = unknown || learned.code() != request_errc::unknown ? v.error : learned;
    if (learned.code() != request_errc::none) v.error = learned;
    if (c->end == call_end::replied) {
      const auto& e = std::get<client_error>(c->reply->body);
      if (e.code == request_errc::not_leader && !e.leader.empty())
        follow(e.leader);
      else if (v.again && e.code != request_errc::overloaded)
        move_on();
    }
    if (!v.again) co_return std::move(v.error);
    co_await back_off(attempt, deadline);
    if (loop_.now() >= deadline || until(deadline, loop_.now()) < least) co_return std::move(v.error);
    ++counters_.retries;
    if (unknown) ++counters_.repeats;
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

client::verdict client::judge(client_call& c) const {
  switch (c.end) {
  case call_end::replied: {
    const auto* e = std::get_if<client_error>(&c.reply->body);
    if (e == nullptr) return {.succeeded = true};
    const bool again = worth_retrying(e->code) || (e->code == request_errc::unknown && !c.once);
    return {.again = again, .error = call_error(e->code, endpoint_name_, describe(*e), e->store)};
  }
  case call_end::unsent:
    return {.again = true, .error = call_error(request_errc::not_applied, endpoint_name_, why_lost_)};
  case call_end::lost:
    if (!c.command) return {.again = true, .error = call_error(request_errc::timeout, endpoint_name_, why_lost_)};
    return {.again = !c.once,
            .error = call_error(request_errc::unknown, endpoint_name_,
                                "the outcome is unknown: the request was on its way when " + why_lost_)};
  case call_end::expired:
    if (c.encoded && !c.sent)
      return {.error = call_error(request_errc::timeout, endpoint_name_,
                                  "the connection took nothing more by the deadline; the request was not sent")};
    if (c.encoded && c.command)
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
  co_return judge(*c).error;
}

bool client::submit(const client_body& body, coro::time_point deadline, std::uint64_t tag) {
  loop_.assert_here();
  if (!connected()) return false;
  client_call& c = calls_.open(deadline);
  c.direct = true;
  c.command = may_change(body);
  c.once = true; // whatever it is
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

void client::encode(client_call& c, const client_body& body, const kv::session_call& as) {
  const std::size_t before = out_.size();
  const coro::time_point now = loop_.now();
  request_limits limits(wire::remaining_behind(until(c.deadline, now)));
  if (!c.direct && options_.endpoints.size() > 1) {
    limits.leader_wait = share_of(until(c.deadline, now));
    c.sent_at = now;
    c.leave_at = now + limits.leader_wait + silence_margin;
  }
  if (const auto* command = std::get_if<kv::command>(&body))
    encode_request(out_, c.id, limits, *command, as);
  else
    std::visit([&](const auto& b) { encode_request(out_, c.id, limits, b); }, body);
  c.frame_bytes = out_.size() - before;
  enqueued_bytes_ += c.frame_bytes;
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
  if (const auto leader = std::exchange(sent_away_, std::nullopt)) {
    if (leader->empty())
      move_on();
    else
      follow(*leader);
  }
  if (!completions_.empty()) completed_.fire();
  waking_now_ = false;
  if (stream_ != nullptr && !out_.empty() && !flush(*stream_)) output_.set();
}

void client::sweep() {
  const coro::time_point now = loop_.now();
  bool half_written = false;
  calls_.for_each_open([&](client_call& c) {
    if (c.end != call_end::none || c.deadline > now) return;
    c.sent = c.encoded && c.frame_end <= written_bytes_;
    if (c.encoded && !c.sent && !take_back(c)) half_written = true;
    given_up_ = given_up_ || c.sent;
    if (c.direct) c.code = c.sent ? request_errc::unknown : request_errc::not_applied;
    complete(c, call_end::expired);
  });
  if (stream_ != nullptr) {
    if (hello_deadline_ && *hello_deadline_ <= now)
      leave("it did not answer the hello");
    else if (half_written) // whose rest must not follow: its call was told that it had no effect
      leave("it took no more than a part of a request by the deadline");
    else if (up_ && is_silent(now))
      leave("it did not answer, and another endpoint was tried");
  }
  wake_ready();
  finish_move();
}

/// What no byte of was written is taken out of what is to be written. False: some of it was.
bool client::take_back(const client_call& c) {
  const std::uint64_t begin = c.frame_end - c.frame_bytes;
  if (begin < written_bytes_) return false;
  out_.erase(begin - written_bytes_, c.frame_bytes);
  enqueued_bytes_ -= c.frame_bytes;
  calls_.for_each_open([&](client_call& other) {
    if (other.encoded && other.frame_end > c.frame_end) other.frame_end -= c.frame_bytes;
  });
  return true;
}

/// Whether nothing came for so long that the other end is left: as long as one that it answers would have told that it
/// finds no leader. Not while a command is on its way that must not be sent twice.
bool client::is_silent(coro::time_point now) {
  if (in_flight_ == 0 || options_.endpoints.size() < 2) return false;
  bool due = false;
  bool held = false;
  calls_.for_each_open([&](client_call& c) {
    if (!c.encoded || c.end != call_end::none) return;
    held = held || c.once;
    due = due || (c.leave_at <= now && (moving_ || heard_at_ + (c.leave_at - c.sent_at) <= now));
  });
  return due && !held;
}

void client::leave(const std::string& why) {
  why_lost_ = why;
  close_stream();
}

/// What was sent and is not answered must not be read from the connection later, behind what is asked elsewhere.
void client::close_stream() {
  if (in_flight_ != 0 || given_up_)
    stream_->abort();
  else
    stream_->close();
}

/// How long one endpoint is given, of what is left: the others and another try get the rest.
milliseconds client::share_of(milliseconds left) const {
  const auto parts = static_cast<milliseconds::rep>(options_.endpoints.size() + 1);
  return std::min(std::max(left / parts, share_min), options_.connect_timeout);
}

coro::task<void> client::run_sweeper() {
  constexpr milliseconds interval{10};
  for (;;) {
    while (calls_.open_count() == 0 && !hello_deadline_) co_await sweep_wanted_.wait();
    co_await loop_.timers().sleep_for(interval);
    sweep();
  }
}

} // namespace quorumd::client
