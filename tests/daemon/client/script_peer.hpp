#pragma once

#include "coro/asio_network.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "coro/task_group.hpp"
#include "daemon/client/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::tests {

/// What a client asked, with its bytes.
struct request {
  client::client_request what;
  chunk_ref bytes;
};

/// The server's end of one connection, for a script to read from and write to.
class script_connection {
 public:
  script_connection(std::unique_ptr<coro::stream> s, coro::loop& l)
      : loop(l)
      , stream_(std::move(s))
      , reader_(client::client_request_frame_max) {}

  /// The next request; id 0 once the client has closed.
  coro::task<request> read() {
    for (;;) {
      auto frame = reader_.next();
      if (frame.has_error()) throw std::runtime_error("the client sent: " + frame.error().what());
      if (*frame) {
        auto decoded = client::decode_request(**frame);
        if (decoded.has_error()) throw std::runtime_error("the client sent: " + decoded.error().what());
        ++requests;
        co_return request{std::move(*decoded), reader_.share()};
      }
      co_await stream_->readable();
      const auto n = stream_->read_some(reader_.prepare());
      if (n.has_value())
        reader_.commit(*n);
      else if (n.error() != boost::asio::error::would_block)
        co_return request{};
    }
  }

  /// Takes the hello and answers it.
  coro::task<void> greet() {
    const request hello = co_await read();
    client::hello_reply reply;
    reply.version = client::client_version_max;
    reply.node_name = "scripted";
    client::encode_reply(out, hello.what.id, reply);
    co_await send();
  }

  void answer_put(std::uint64_t id, std::uint64_t revision) {
    kv::reply r;
    r.revision = quorumd::revision(revision);
    r.body = kv::put_reply{};
    client::encode_reply(out, id, kv::result<kv::reply>(r));
  }
  void refuse(std::uint64_t id, wire::request_errc code, std::string_view leader = {}, std::string_view text = {}) {
    client::encode_reply(out, id, client::client_error{code, text, leader, {}});
  }

  /// Writes what was encoded, at most so many bytes at a time.
  coro::task<void> send(std::size_t piece = SIZE_MAX) {
    while (!out.empty()) {
      const auto bytes = out.bytes();
      const auto n = stream_->write_some(bytes.subspan(0, std::min(piece, bytes.size())));
      if (n.has_value()) {
        out.consume(*n);
        const coro::duration turn(0);
        co_await loop.timers().sleep_for(turn);
      } else if (n.error() == boost::asio::error::would_block) {
        co_await stream_->writable();
      } else {
        co_return;
      }
    }
  }
  void close() { stream_->close(); }
  void heed_abort() { stream_->heed_abort(); }

  coro::loop& loop;
  wire::byte_buffer out;
  std::size_t requests = 0;

 private:
  std::unique_ptr<coro::stream> stream_;
  wire::frame_reader reader_;
};

/// Listens on loopback and plays one script for each connection, in order; the last one again and again.
class script_server {
 public:
  using script = coro::task<void> (*)(script_connection*, script_server*);

  script_server(coro::loop& l, coro::network& n, std::vector<script> scripts)
      : loop_(l)
      , scripts_(std::move(scripts))
      , tasks_(l) {
    auto listening = n.listen(l, {"127.0.0.1", 0});
    acceptor_ = std::move(listening.value());
    at_ = acceptor_->local();
    tasks_.spawn(run_accept());
  }

  [[nodiscard]] client::client_endpoint endpoint() const { return {at_, {}}; }
  [[nodiscard]] std::string address() const { return coro::to_string(at_); }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }

  coro::task<void> stop() {
    tasks_.cancel();
    co_await tasks_.join();
  }

  script_server* other = nullptr; ///< for scripts that name another server
  std::vector<std::string> seen;  ///< what scripts note

 private:
  coro::task<void> run_accept() {
    for (;;) {
      auto stream = co_await acceptor_->accept(loop_);
      if (stream.has_error()) continue;
      const script s = scripts_[std::min(accepted_, scripts_.size() - 1)];
      ++accepted_;
      tasks_.spawn(play(s, std::move(*stream)));
    }
  }
  coro::task<void> play(script s, std::unique_ptr<coro::stream> stream) {
    script_connection c(std::move(stream), loop_);
    co_await s(&c, this);
  }

  coro::loop& loop_;
  std::vector<script> scripts_;
  coro::task_group tasks_;
  std::unique_ptr<coro::acceptor> acceptor_;
  coro::endpoint at_;
  std::size_t accepted_ = 0;
};

/// A loop with its thread, on which a test's coroutine runs to its end.
class test_loop {
 public:
  test_loop()
      : loop("test", clock_) {
    loop.start();
  }
  ~test_loop() { loop.stop(); }

  using body = coro::task<void> (*)(test_loop*);
  void run(body b) {
    std::promise<void> ended;
    auto end = ended.get_future();
    loop.post([&] {
      boost::asio::co_spawn(loop.get_executor(), b(this), [&](std::exception_ptr failed) {
        if (failed)
          ended.set_exception(failed);
        else
          ended.set_value();
      });
    });
    end.get();
  }

  [[nodiscard]] coro::time_point in(std::chrono::milliseconds d) const { return clock_.now() + d; }
  [[nodiscard]] std::unique_ptr<client::client> connect_to(std::vector<client::client_endpoint> endpoints,
                                                           bool patient = false) {
    client::client_options o;
    o.endpoints = std::move(endpoints);
    o.patient = patient;
    o.backoff_min = std::chrono::milliseconds(1);
    o.backoff_max = std::chrono::milliseconds(5);
    return std::make_unique<client::client>(loop, network, entropy, std::move(o));
  }

 private:
  coro::steady_clock clock_;

 public:
  coro::loop loop;
  coro::asio_network network;
  coro::system_entropy entropy;
};

} // namespace quorumd::tests
