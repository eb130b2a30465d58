#include "wire/greeting.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace quorumd::wire {
namespace {

using boost::system::error_code;

bool would_block(const error_code& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

std::string describe_io(const error_code& error) {
  return error == boost::asio::error::eof ? "the other end closed the stream before it was greeted" : error.message();
}

const char* const late = "no greeting within the handshake's time";

} // namespace

greeting::greeting(list& all, coro::time_point deadline, std::unique_ptr<coro::stream> s, std::size_t read_bytes)
    : all_(all)
    , place_(all.insert(all.end(), this))
    , deadline_(deadline)
    , stream_(std::move(s))
    , reader_(peer_frame_max, read_bytes) {}

greeting::~greeting() {
  all_.erase(place_);
  if (stream_) stream_->close();
}

void greeting::expire(coro::time_point now) {
  if (expired_ || !stream_ || now < deadline_) return;
  expired_ = true;
  stream_->close();
}

coro::task<greeting::heard> greeting::listen() {
  heard h;
  try {
    coro::task<heard> words = listen_unguarded();
    h = co_await std::move(words);
  } catch (const boost::system::system_error&) {
    if (!expired_) throw; // cancelled
  }
  if (expired_) h = {std::monostate(), late, false};
  co_return h;
}

coro::task<greeting::heard> greeting::listen_unguarded() {
  for (;;) {
    const auto frame = reader_.next();
    if (!frame) co_return heard{std::monostate(), frame.error().what(), true};
    if (*frame) {
      auto said = decode_greeting(**frame);
      if (!said) co_return heard{std::monostate(), said.error().what(), true};
      heard h;
      if (auto* hi = std::get_if<hello>(&*said))
        h.first = std::move(*hi);
      else
        h.first = std::move(std::get<goodbye>(*said));
      co_return h;
    }
    const std::span<std::byte> room = reader_.prepare();
    const boost::system::result<std::size_t> got = stream_->read_some(room);
    if (got) {
      reader_.commit(*got);
    } else if (would_block(got.error())) {
      coro::task<void> ready = stream_->readable();
      co_await std::move(ready);
    } else {
      co_return heard{std::monostate(), describe_io(got.error()), false};
    }
  }
}

coro::task<std::string> greeting::say(byte_buffer words) {
  std::string error;
  try {
    coro::task<std::string> said = say_unguarded(std::move(words));
    error = co_await std::move(said);
  } catch (const boost::system::system_error&) {
    if (!expired_) throw; // cancelled
  }
  if (expired_) error = late;
  co_return error;
}

coro::task<std::string> greeting::say_unguarded(byte_buffer words) {
  while (!words.empty()) {
    const boost::system::result<std::size_t> put = stream_->write_some(words.bytes());
    if (put) {
      words.consume(*put);
    } else if (would_block(put.error())) {
      coro::task<void> ready = stream_->writable();
      co_await std::move(ready);
    } else {
      co_return describe_io(put.error());
    }
  }
  co_return std::string();
}

} // namespace quorumd::wire
