#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/clients/profiler.hpp"

#include <atomic>
#include <optional>
#include <string>

namespace quorumd::profile {

/// Profiles this process with gperftools: where it spends its CPU, and what it allocates and keeps. While no profile is
/// taken there is no cost. A build with a sanitizer has none, and says so.
class gperf_profiler final : public clients::profiler {
 public:
  static constexpr std::chrono::seconds length_max{300};

  /// It waits on the loop `home`.
  explicit gperf_profiler(coro::loop& home)
      : home_(home)
      , tasks_(home) {}

  [[nodiscard]] std::optional<std::string> begin(const void* who, client::profile_request what, coro::loop& back,
                                                 receiver done) override;
  void cancel(const void* who) override;
  /// On the home loop, when nobody can begin any more: ends what is under way.
  [[nodiscard]] coro::task<void> stop();

 private:
  coro::task<void> run(client::profile_request what, coro::loop* back, receiver done);

  coro::loop& home_;
  std::atomic<const void*> who_{nullptr}; ///< null: nobody profiles
  std::atomic<bool> over_{false};
  coro::task_group tasks_; ///< home's
};

} // namespace quorumd::profile
