#pragma once

#include "consensus/types/ids.hpp"
#include "tests/cluster/raw_client.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace quorumd::testing {

/// Stands between the members: each of them is dialed at its proxy's address, and who dials is read from the first
/// frame. Directions are from and to members by their number, whoever dialed the stream.
class proxy {
 public:
  struct member {
    place listen;
    place target;
    node_id id;
  };
  enum class link : std::uint8_t {
    open,
    blocked, ///< nothing more arrives; the streams stay, and so does what is on its way
    cut,     ///< streams are reset and new ones refused
  };

  explicit proxy(std::vector<member> members);
  proxy(const proxy&) = delete;
  proxy& operator=(const proxy&) = delete;
  ~proxy();

  // From any thread.
  /// One direction; a cut ends the streams, so it holds for both.
  void set(std::size_t from, std::size_t to, link l);
  void set_delay(std::size_t from, std::size_t to, std::chrono::milliseconds d);
  /// Both directions between the member and every other one.
  void isolate(std::size_t i, link l);
  /// Everything is open and without delay.
  void heal();
  /// The next frame that long in that direction is cut in its middle and the stream reset. Counted by resets().
  void reset_mid_frame(std::size_t from, std::size_t to);
  [[nodiscard]] std::uint64_t resets() const;

 private:
  using clock = std::chrono::steady_clock;
  struct piece {
    clock::time_point due;
    std::string bytes;
  };
  /// From one socket to the other.
  struct direction {
    std::size_t from = 0;
    std::size_t to = 0;
    std::deque<piece> waiting;
    std::size_t waiting_bytes = 0;
    std::uint64_t forwarded = 0;
    bool ended = false; ///< the sender has finished
  };
  struct stream {
    int fd[2] = {-1, -1}; ///< the dialer's, the target's
    std::string hello;    ///< until it is known who dials
    bool known = false;
    bool connected = false;
    std::size_t callee = 0;
    direction way[2]; ///< from fd[0], from fd[1]
    bool dead = false;
  };
  struct rule {
    link state = link::open;
    std::chrono::milliseconds delay{0};
    bool reset = false;
  };

  void run();
  void accept_from(std::size_t i);
  void identify(stream& s);
  void connect_target(stream& s);
  void read_from(stream& s, int side);
  void forward(stream& s, int side);
  [[nodiscard]] rule& between(std::size_t from, std::size_t to) { return rules_[from * count_ + to]; }
  [[nodiscard]] bool wants_read(const stream& s, int side);
  [[nodiscard]] bool wants_write(const stream& s, int side, clock::time_point now);
  void close(stream& s, bool reset);
  void wake();

  const std::vector<member> members_;
  const std::size_t count_; ///< members, and one more for whoever is none
  int wake_fd_ = -1;
  std::vector<int> listening_;

  mutable std::mutex mutex_; ///< over what follows
  std::vector<rule> rules_;
  bool stopping_ = false;
  std::uint64_t resets_ = 0;

  std::list<stream> streams_; ///< the thread's
  std::thread thread_;
};

} // namespace quorumd::testing
