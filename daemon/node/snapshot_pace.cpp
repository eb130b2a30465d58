#include "daemon/node/snapshot_pace.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace quorumd::node {
namespace {

constexpr auto quiet = std::chrono::seconds(1);        // after the last piece, until the log is as usual again
constexpr auto noise = std::chrono::microseconds(500); // that a write may take longer than usual
constexpr int much = 3;                                // times as long as usual
constexpr int learning = 64;                           // of so many writes the last one counts as one
constexpr auto first_pause = std::chrono::milliseconds(2);

} // namespace

void snapshot_pace::log_took(coro::duration d) {
  slowest_ = std::max(slowest_, d);
  if (loop_.now() - wrote_ < quiet) return;
  usual_ = usual_ == coro::duration() ? d : usual_ + (d - usual_) / learning;
}

coro::task<void> snapshot_pace::after_piece(std::size_t bytes, coro::duration took) {
  const coro::duration rest = pause(bytes, took);
  wrote_ = loop_.now() + rest;
  if (rest == coro::duration()) co_return;
  co_await loop_.timers().sleep_for(rest);
}

coro::duration snapshot_pace::pause(std::size_t bytes, coro::duration took) {
  if (urgent_()) return {};
  const coro::duration slowest = std::exchange(slowest_, coro::duration());
  if (usual_ != coro::duration() && slowest > usual_ * much + noise)
    pause_ = std::min<coro::duration>(std::max<coro::duration>(pause_ * 2, first_pause), pause_max);
  else
    pause_ = pause_ < first_pause ? coro::duration() : pause_ / 2;
  coro::duration for_rate{};
  if (rate_ != 0) for_rate = std::chrono::nanoseconds(bytes * 1'000'000'000 / rate_) - took;
  return std::max({pause_, for_rate, coro::duration()});
}

} // namespace quorumd::node
