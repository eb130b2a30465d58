#include "daemon/clients/connection.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace quorumd::clients {
namespace {

/// Written in one turn of the loop.
constexpr std::size_t write_bytes = std::size_t{256} * 1024;
/// Replies to commands cannot wait once these are applied. Beyond so many more bytes than it may hold, a client whose
/// socket takes nothing is let go.
constexpr std::size_t reply_slack = client::client_reply_frame_max / 2;
/// So long a client may take none of its replies while all clients' memory is nearly full.
constexpr auto reply_patience = std::chrono::seconds(1);
/// So long a connection that has no place of its own may ask for health.
constexpr auto health_only_for = std::chrono::seconds(10);

} // namespace

connection::connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o,
                       observer& watcher)
    : loop_(p.loop)
    , observer_(watcher)
    , service_(p, o, *this)
    , stream_(std::move(s))
    , reading_(p.loop)
    , writing_(p.loop)
    , wake_(p.loop)
    , settled_(p.loop)
    , resume_(p.loop)
    , since_(p.loop.now()) {}

coro::task<void> connection::serve() {
  stream_->heed_abort(); // a client that has given its requests up may have asked another node since
  reading_.spawn(run_reader());
  writing_.spawn(run_writer());
  if (reads_always()) writing_.spawn(run_taking());
  co_await reading_.join();
  reading_ended();
  service_.submit(); // what was gathered when it was cut off: its places are given back with the answers
  // It stays until its requests are answered: the answers refer to it.
  while (!settled()) co_await settled_.wait();
  writing_.cancel();
  co_await writing_.join();
  stream_->close();
}

void connection::stop_reading() {
  reading_.cancel();
}

coro::task<void> connection::run_reader() {
  for (bool open = true; open;) {
    auto once = read_once();
    const bool goes_on = co_await std::move(once);
    open = goes_on;
  }
}

coro::task<std::optional<std::size_t>> connection::read_into(std::span<std::byte> into) {
  const auto n = stream_->read_some(into);
  if (n) {
    service_.read_at(loop_.now());
    co_return *n;
  }
  if (n.error() == boost::asio::error::eof) co_return std::nullopt; // it may still read
  if (n.error() != boost::asio::error::would_block) {
    break_off();
    co_return std::nullopt;
  }
  co_await stream_->readable();
  co_return 0;
}

coro::task<void> connection::end_turn() {
  service_.submit();
  if (!out_.empty()) wake_.set();
  // A client that sends as fast as it is read has no more than its turn of the loop.
  auto turn = boost::asio::post(loop_.get_executor(), coro::use_task);
  co_await std::move(turn);
}

coro::task<void> connection::run_taking() {
  for (;;) {
    co_await resume_.wait();
    take_left();
    service_.submit();
    if (!out_.empty()) wake_.set();
  }
}

coro::task<void> connection::resumed() {
  co_await resume_.wait();
}

void connection::replies_came() {
  if (replies_unwritten_ == 0) replies_since_ = service_.made_at();
  replies_unwritten_ += take_from(service_);
  resume_.set();
  if (broken_) drop_replies();
  if (too_slow()) give_up_slow();
  if (settled()) settled_.set();
  if (!out_.empty()) wake_.set();
}

void connection::room_came() {
  resume_.set();
  if (settled()) settled_.set();
}

void connection::answers_hold(std::size_t bytes) {
  if (bytes > held_)
    service_.holds(bytes - held_);
  else if (bytes < held_)
    service_.left(held_ - bytes);
  held_ = bytes;
}

void connection::answers_left(std::size_t bytes) {
  held_ -= bytes;
  service_.left(bytes);
}

void connection::drop_replies() {
  service_.left(out_.size());
  out_.clear();
}

coro::task<void> connection::run_writer() {
  for (;;) {
    co_await wake_.wait();
    co_await write_out();
    if (settled()) settled_.set();
  }
}

coro::task<void> connection::write_out() {
  std::size_t written = 0; // since the others of the loop had their turn
  while (!out_.empty()) {
    if (written >= write_bytes) { // a client that reads as fast as it is written to has no more than its turn
      written = 0;
      auto turn = boost::asio::post(loop_.get_executor(), coro::use_task);
      co_await std::move(turn);
      continue;
    }
    const auto n = stream_->write_some(out_.bytes().first(std::min(out_.size(), write_bytes)));
    if (n) {
      written += *n;
      out_.consume(*n);
      sent(*n);
      stalled_ = false;
      if (out_.empty()) make_more();
      continue;
    }
    if (n.error() != boost::asio::error::would_block) {
      break_off();
      co_return;
    }
    if (!std::exchange(stalled_, true)) stalled_since_ = loop_.now();
    if (too_slow()) {
      give_up_slow();
      co_return;
    }
    co_await stream_->writable();
  }
  if (std::size_t n = std::exchange(replies_unwritten_, 0))
    service_.metrics().reply.record(loop_.now() - replies_since_, n);
}

bool connection::too_slow() const {
  return stalled_ && service_.reply_bytes() > service_.options().queue_bytes_max + reply_slack;
}

void connection::give_up_slow() {
  observer_.slow_client(stream_->remote(), service_.reply_bytes());
  break_off();
}

std::string connection::complaint(coro::time_point now) {
  if (!heard_ && now - since_ >= service_.options().handshake_timeout)
    return "it said nothing whole within limits.handshake_timeout";
  return {};
}

void connection::look_after(coro::time_point now) {
  if (broken_) return;
  if (const std::string why = complaint(now); !why.empty()) {
    observer_.bad_client(stream_->remote(), why);
    break_off();
  } else if (stalled_ && service_.memory().replies.nearly_full() && now - stalled_since_ >= reply_patience) {
    give_up_slow(); // there is no room for the others while it stays
  } else if (service_.options().only_health && now - since_ >= health_only_for) {
    break_off();
  }
  resume_.set(); // what all clients hold may have become less
}

void connection::break_off() {
  broken_ = true;
  service_.client_gone();
  drop_replies();
  reading_.cancel();
  if (settled()) settled_.set();
}

} // namespace quorumd::clients
