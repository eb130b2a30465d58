#include "daemon/client/client.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <utility>

// The client's one connection: dialing, the hello, reading, writing, moving on.
namespace quorumd::client {
namespace {

/// No call has this id: theirs are at least 2^24.
constexpr std::uint64_t hello_id = 1;
/// A server that sends its clients to one another is not followed in circles.
constexpr unsigned redirects_max = 3;

/// Whether the reply's views refer to its frame.
bool has_views(const client_reply& r) {
  const auto* done = std::get_if<kv::reply>(&r.body);
  if (done == nullptr) return true;
  if (const auto* p = std::get_if<kv::put_reply>(&done->body)) return p->prev.has_value();
  if (const auto* d = std::get_if<kv::delete_range_reply>(&done->body)) return !d->prev.empty();
  return std::holds_alternative<kv::txn_reply>(done->body);
}

} // namespace

coro::task<void> client::run_connection() {
  for (;;) {
    while (!wanted()) co_await demand_.wait();
    const client_endpoint to = redirect_ ? *redirect_ : options_.endpoints[next_];
    why_lost_.clear();
    std::string failure = co_await establish(to);
    if (!failure.empty()) {
      lose_connection(failure);
      dial_failed(to, failure);
      if (rounds_ != 0 && failed_in_round_ == 0) {
        const coro::time_point never = coro::time_point::max();
        co_await back_off(rounds_, never);
      }
      continue;
    }
    std::string lost = co_await read_replies();
    lose_connection(lost);
  }
}

/// Whoever waits the shortest decides, if there is another endpoint to go to.
std::chrono::milliseconds client::dial_limit() {
  if (options_.endpoints.size() < 2) return options_.connect_timeout;
  coro::time_point first = coro::time_point::max();
  calls_.for_each_open([&](const client_call& c) {
    if (c.end == call_end::none) first = std::min(first, c.deadline);
  });
  if (first == coro::time_point::max()) return options_.connect_timeout;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(first - loop_.now());
  return share_of(left);
}

/// Nothing, or why there is no connection.
coro::task<std::string> client::establish(client_endpoint to) {
  boost::system::result<std::unique_ptr<coro::stream>> made = boost::system::error_code();
  const std::chrono::milliseconds limit = dial_limit();
  if (to.socket_path.empty()) {
    made = co_await network_.connect(loop_, to.tcp, limit);
  } else {
    made = co_await network_.connect_local(loop_, to.socket_path);
  }
  if (made.has_error()) co_return made.error().message();
  stream_ = std::move(*made);
  reader_ = wire::frame_reader(client_reply_frame_max);
  out_.clear();
  enqueued_bytes_ = 0;
  written_bytes_ = 0;
  given_up_ = false;
  current_ = to;
  endpoint_name_ = to.name();
  hello_deadline_ = loop_.now() + limit;
  sweep_wanted_.set();
  encode_request(out_, hello_id, limit, client_hello{.software = options_.software, .bulk = options_.bulk});
  enqueued_bytes_ = out_.size();
  if (!flush(*stream_)) output_.set();
  std::string failure = co_await await_hello();
  hello_deadline_.reset();
  if (!failure.empty()) co_return failure;

  up_ = true;
  redirect_.reset();
  rounds_ = 0;
  failed_in_round_ = 0;
  failures_.clear();
  ++counters_.connections;
  calls_.for_each_open([this](client_call& c) {
    if (!c.encoded) complete(c, call_end::connected);
  });
  wake_ready();
  co_return std::string();
}

coro::task<std::string> client::await_hello() {
  for (;;) {
    auto frame = reader_.next();
    if (frame.has_error()) co_return "it does not speak quorumd's client protocol: " + frame.error().what();
    if (*frame) {
      auto reply = decode_reply(**frame);
      if (reply.has_error()) co_return "it does not speak quorumd's client protocol: " + reply.error().what();
      if (const auto* e = std::get_if<client_error>(&reply->body))
        co_return std::string(name_of(e->code)) + (e->text.empty() ? "" : ": ") + std::string(e->text);
      const auto* hello = std::get_if<hello_reply>(&reply->body);
      if (hello == nullptr) co_return std::string("it did not answer the hello");
      node_name_ = hello->node_name;
      co_return std::string();
    }
    const std::shared_ptr<coro::stream> s = stream_;
    const bool open = co_await wait_readable(s);
    if (!open) co_return why_lost_.empty() ? std::string("the connection was closed") : why_lost_;
    std::string failure = take_bytes();
    if (!failure.empty()) co_return failure;
  }
}

/// Serves the connection until it ends; why it did.
coro::task<std::string> client::read_replies() {
  for (;;) {
    std::string failure = take_frames();
    wake_ready();
    finish_move();
    if (!failure.empty()) co_return failure;
    const std::shared_ptr<coro::stream> s = stream_;
    const bool open = co_await wait_readable(s);
    if (!open) co_return why_lost_.empty() ? std::string("the connection was closed") : why_lost_;
    failure = take_bytes();
    if (!failure.empty()) {
      take_frames(); // what came before the end still counts
      co_return failure;
    }
  }
}

coro::task<bool> client::wait_readable(std::shared_ptr<coro::stream> s) {
  try {
    co_await s->readable();
  } catch (const boost::system::system_error&) {
    if (tasks_.cancelled()) throw;
    co_return false; // closed here: by the sweeper, the writer, or for a move
  }
  co_return true;
}

std::string client::take_bytes() {
  const auto n = stream_->read_some(reader_.prepare());
  if (n.has_value()) {
    reader_.commit(*n);
    heard_at_ = loop_.now();
    return {};
  }
  if (n.error() == boost::asio::error::would_block) return {};
  if (n.error() == boost::asio::error::eof) return "the server closed the connection";
  return "the connection broke: " + n.error().message();
}

std::string client::take_frames() {
  for (;;) {
    auto frame = reader_.next();
    if (frame.has_error()) return "the server sent what is not the protocol: " + frame.error().what();
    if (!*frame) return {};
    auto reply = decode_reply(**frame);
    if (reply.has_error()) return "the server sent what is not the protocol: " + reply.error().what();
    take_reply(std::move(*reply));
  }
}

void client::take_reply(client_reply reply) {
  client_call* const c = calls_.find(reply.id);
  if (c == nullptr || !c->encoded || c->end != call_end::none) return; // its call was given up
  if (c->direct) {
    if (const auto* e = std::get_if<client_error>(&reply.body)) {
      c->code = e->code;
      if (wire::worth_retrying(e->code) && e->code != request_errc::overloaded) sent_away_ = std::string(e->leader);
    }
  } else {
    if (has_views(reply)) c->bytes = reader_.share();
    c->reply = std::move(reply);
  }
  complete(*c, call_end::replied);
}

/// Writes what there is; false if the kernel takes no more now.
bool client::flush(coro::stream& s) {
  while (!out_.empty()) {
    const auto n = s.write_some(out_.bytes());
    ++counters_.writes;
    if (n.has_error()) {
      if (n.error() == boost::asio::error::would_block) return false;
      why_lost_ = "the connection broke: " + n.error().message();
      out_.clear();
      return true; // the reader ends the connection, after what the server said before it closed
    }
    out_.consume(*n);
    written_bytes_ += *n;
    heard_at_ = loop_.now();
  }
  return true;
}

coro::task<void> client::run_writer() {
  for (;;) {
    co_await output_.wait();
    while (stream_ != nullptr && !out_.empty()) {
      const std::shared_ptr<coro::stream> s = stream_;
      if (flush(*s)) break;
      try {
        co_await s->writable();
      } catch (const boost::system::system_error&) {
        if (tasks_.cancelled()) throw;
      }
    }
  }
}

void client::dial_failed(const client_endpoint& at, const std::string& why) {
  const std::string failure = at.name() + ": " + why;
  if (redirect_) {
    redirect_.reset();
    last_failure_ = failure;
    return;
  }
  failures_ += (failures_.empty() ? "" : "; ") + failure;
  next_ = (next_ + 1) % options_.endpoints.size();
  if (++failed_in_round_ < options_.endpoints.size()) return;
  last_failure_ = std::exchange(failures_, {});
  failed_in_round_ = 0;
  ++rounds_;
  if (options_.patient) return;
  calls_.for_each_open([this](client_call& c) { complete(c, call_end::unreachable); });
  wake_ready();
}

void client::lose_connection(const std::string& why) {
  const bool was_up = std::exchange(up_, false);
  const bool moved = std::exchange(moving_, false);
  hello_deadline_.reset();
  why_lost_ = why;
  if (stream_ != nullptr) close_stream();
  stream_.reset();
  out_.clear();
  if (was_up && !moved && current_ == options_.endpoints[next_]) next_ = (next_ + 1) % options_.endpoints.size();
  calls_.for_each_open([this](client_call& c) {
    if (!c.encoded || c.end != call_end::none) return;
    const bool arrived = c.frame_end <= written_bytes_; // half a request has no effect
    if (c.direct) c.code = arrived ? request_errc::unknown : request_errc::not_applied;
    complete(c, arrived ? call_end::lost : call_end::unsent);
  });
  wake_ready();
}

/// Goes to the leader that the server named, once everything in flight has its answer.
void client::follow(std::string_view leader) {
  if (moving_ || !up_ || leader == endpoint_name_ || redirects_ >= redirects_max) return;
  auto at = coro::parse_endpoint(leader);
  if (!at || at->port == 0) return;
  ++redirects_;
  redirect_ = client_endpoint{std::move(*at), {}};
  moving_ = true;
  finish_move();
}

/// Goes to the next endpoint likewise.
void client::move_on() {
  const auto& all = options_.endpoints;
  if (moving_ || !up_ || all.size() < 2) return;
  if (all[next_] == current_) next_ = (next_ + 1) % all.size();
  if (all[next_] == current_) return;
  moving_ = true;
  finish_move();
}

void client::finish_move() {
  if (!moving_ || in_flight_ != 0 || stream_ == nullptr) return;
  why_lost_ = "the client moved to another endpoint";
  close_stream();
}

} // namespace quorumd::client
