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
  asio_timer(boost::asio::io_context& context, coro::timers& t)
      : timer_(context)
      , timers_(t) {}

  /// Re-armed lazily while the loop runs; once it ends, a timer for nobody would keep it alive.
  void idle() override {
    if (ending_) disarm();
  }

  void end() {
    ending_ = true;
    if (!timers_.earliest()) disarm();
  }

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
  void disarm() {
    armed_ = false;
    timer_.cancel();
  }

  boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                    executor>
      timer_;
  coro::timers& timers_;
  bool armed_ = false;
  bool ending_ = false;
  time_point at_;
};

loop::loop(std::string name, const clock& c, drive d)
    : name_(std::move(name))
    , context_(1)
    , timers_(c, context_.get_executor()) {
  if (d == drive::thread) {
    timer_ = std::make_unique<asio_timer>(context_, timers_);
    timers_.set_driver(timer_.get());
  }
}

loop::~loop() {
  stop();
}

void loop::assert_here() const {
  if (here()) [[likely]]
    return;
  std::fprintf(stderr, "quorumd: broken invariant: an object of loop '%s' was used from elsewhere\n", name_.c_str());
  std::abort();
}

task<void> loop::yield() {
  co_await boost::asio::post(get_executor(), use_task);
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
  if (!thread_.joinable()) return;
  if (timer_) post([this] { timer_->end(); });
  work_.reset();
  thread_.join();
}

bool loop::run_one_ready() {
  struct scope { // a handler may throw, and may drive another loop
    explicit scope(const loop* l)
        : outer(std::exchange(current_, l)) {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { current_ = outer; }
    const loop* outer;
  };
  const scope on_this_loop(this);
  context_.restart();
  return context_.poll_one() != 0;
}

} // namespace quorumd::coro
