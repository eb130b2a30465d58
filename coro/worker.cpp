#include "coro/worker.hpp"

#include <pthread.h>

namespace quorumd::coro {

thread_worker::thread_worker(std::string name)
    : thread_([this, name = std::move(name)] { run_thread(name); }) {}

thread_worker::~thread_worker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void thread_worker::submit(job& j, loop& back) {
  bool first;
  {
    const std::lock_guard lock(mutex_);
    first = items_.empty();
    items_.push_back({&j, &back});
  }
  if (first) changed_.notify_one();
}

void thread_worker::run_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  std::vector<item> batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
      if (items_.empty()) return;
      batch.swap(items_);
    }
    for (const item& i : batch) {
      i.what->run();
      i.back->post([j = i.what] { j->done(); });
    }
    batch.clear();
  }
}

} // namespace quorumd::coro
