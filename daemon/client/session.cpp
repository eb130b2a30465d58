#include "daemon/client/session.hpp"

#include "consensus/types/invariant.hpp"

#include <utility>
#include <variant>

namespace quorumd::client {

coro::task<boost::system::result<void, call_error>> client_session::open(coro::time_point deadline,
                                                                         std::chrono::milliseconds idle_max) {
  client_body body = kv::command(
      kv::open_session{.nonce = entropy_.next(), .idle_ms_max = static_cast<std::uint64_t>(idle_max.count())});
  // Twice has the effect of once, but for one that nobody uses.
  const call_result answer = co_await client_.call(std::move(body), deadline, client::repeat::idempotent);
  if (answer.has_error()) co_return answer.error();
  const auto* done = std::get_if<kv::reply>(&answer->reply.body);
  const auto* opened = done == nullptr ? nullptr : std::get_if<kv::open_session_reply>(&done->body);
  if (opened == nullptr)
    co_return call_error(request_errc::invalid, client_.endpoint(), "it answered something else than was asked");
  id_ = opened->session;
  co_return boost::system::result<void, call_error>();
}

coro::task<void> client_session::close(coro::time_point deadline) {
  if (!id_) co_return;
  client_body body = kv::command(kv::close_session{std::exchange(id_, session_id())});
  const call_result answer = co_await client_.call(std::move(body), deadline);
  (void)answer; // or it ends by itself
}

client_session::turn client_session::begin() {
  QUORUMD_INVARIANT(is_open() && has_room(), "a session's command begins while there is room for it");
  ended_.push_back(false);
  return {*this, answered_ + ended_.size()};
}

kv::session_call client_session::turn::call() const {
  if (of_ == nullptr) return {};
  return {.session = of_->id_, .sequence = sequence_, .answered = of_->answered_};
}

void client_session::ended(std::uint64_t sequence) {
  ended_[sequence - answered_ - 1] = true;
  while (!ended_.empty() && ended_.front()) {
    ended_.pop_front();
    ++answered_;
  }
}

} // namespace quorumd::client
