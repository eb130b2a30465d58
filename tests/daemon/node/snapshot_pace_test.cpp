#include "daemon/node/snapshot_pace.hpp"

#include "tests/coro/manual.hpp"

#include <doctest/doctest.h>

#include <chrono>

namespace quorumd::node::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t piece = std::size_t{256} * 1024;

struct writer {
  explicit writer(std::uint64_t rate)
      : pace(
            m.loop, [this] { return full; }, rate) {}
  ~writer() {
    m.on_loop([this] { tasks.cancel(); });
    m.drain();
  }

  static coro::task<void> rest(writer* w, coro::duration took) {
    auto pause = w->pace.after_piece(piece, took);
    co_await std::move(pause);
    w->resting = false;
  }
  /// How long the pause after a piece is, which took so long.
  coro::duration pause_after(coro::duration took) {
    resting = true;
    m.on_loop([this, took] { tasks.spawn(rest(this, took)); });
    coro::duration length{};
    for (; resting && length < 10s; length += 1ms) m.advance(1ms);
    return length;
  }
  /// So many writes of the log, a millisecond apart, each of which takes so long.
  void log(int writes, coro::duration each) {
    for (int i = 0; i < writes; ++i) {
      m.advance(1ms);
      pace.log_took(each);
    }
  }

  coro::test::manual m;
  bool full = false;
  bool resting = false;
  snapshot_pace pace;
  coro::task_group tasks{m.loop};
};

} // namespace

// As long as the log is as fast as usual, pieces follow each other; when it is not, they pause, longer and longer up to
// a bound, and no more once it is as usual again. What is slow because of the snapshot does not become usual.
TEST_CASE("a snapshot gives way while the log is slower than usual") {
  writer w(0);
  w.m.advance(2s);
  w.log(200, 1ms);
  CHECK(w.pause_after(1ms) == 0ms);
  w.log(5, 2ms);
  CHECK(w.pause_after(1ms) == 0ms);
  w.log(5, 20ms);
  CHECK(w.pause_after(1ms) == 2ms);
  w.log(300, 20ms);
  CHECK(w.pause_after(1ms) == 4ms);
  for (int i = 0; i < 10; ++i) {
    w.log(1, 20ms);
    (void)w.pause_after(1ms);
  }
  w.log(1, 20ms);
  CHECK(w.pause_after(1ms) == snapshot_pace::pause_max);
  for (int i = 0; i < 6; ++i) {
    w.log(1, 1ms);
    (void)w.pause_after(1ms);
  }
  w.log(1, 1ms);
  CHECK(w.pause_after(1ms) == 0ms);
}

// A full volume waits for the room that the snapshot makes.
TEST_CASE("a snapshot does not give way while the volume is full") {
  writer w(piece);
  w.m.advance(2s);
  w.log(200, 1ms);
  w.log(5, 50ms);
  w.full = true;
  CHECK(w.pause_after(1ms) == 0ms);
}

// With a rate, a piece and its pause take as long as the rate says.
TEST_CASE("a snapshot keeps to its rate") {
  writer w(piece);
  CHECK(w.pause_after(100ms) == 900ms);
  CHECK(w.pause_after(2s) == 0ms);
}

} // namespace quorumd::node::test
