#include "coro/loop.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <pthread.h>

#include <cstdio>
#include <cstdlib>

namespace quorumd::coro {

thread_local const loop* loop::current_ = nullptr;

/// Keeps one Asio timer armed for the earliest deadline of the loop.
class loop::asio_timer final : public timers::driver {
public:
  asio_timer(boost::asio::io_context& context, coro::timers& t) : timer_(context), timers_(t) {}

  void arm(time_point earliest) override {
    if (armed_ && earliest >= at_) return;
    armed_ = true;
    at_ = earliest;
    timer_.expires_at(earliest);
    timer_.async_wait([this, earliest](boost::system::error_code error) {
      if (error || !armed_ || at_ != earliest) return;
      armed_ = false;
      timers_.fire_due();
    });
  }

private:
  boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                    executor>
      timer_;
  coro::timers& timers_;
  bool armed_ = false;
  time_point at_;
};

loop::loop(std::string name, const clock& c, drive d)
    : name_(std::move(name)), context_(1), timers_(c, context_.get_executor()) {
  if (d == drive::thread) {
    timer_ = std::make_unique<asio_timer>(context_, timers_);
    timers_.set_driver(timer_.get());
  }
}

loop::~loop() { stop(); }

void loop::assert_here() const {
  if (here()) [[likely]]
    return;
  std::fprintf(stderr, "quorumd: broken invariant: an object of loop '%s' was used from elsewhere\n", name_.c_str());
  std::abort();
}

void loop::start() {
  work_ = std::make_unique<boost::asio::executor_work_guard<executor>>(context_.get_executor());
  thread_ = std::thread([this] { run_thread(); });
}

void loop::run_thread() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  current_ = this;
  context_.run();
  current_ = nullptr;
}

void loop::stop() {
  work_.reset();
  if (thread_.joinable()) thread_.join();
}

bool loop::run_one_ready() {
  current_ = this;
  context_.restart();
  const bool ran = context_.poll_one() != 0;
  current_ = nullptr;
  return ran;
}

} // namespace quorumd::coro
