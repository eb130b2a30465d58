#pragma once

#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/client/protocol.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/snapshot_taker.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace quorumd::node {

/// How a request about a snapshot to copy ends; the views hold until the receiver returns.
struct snapshot_answer {
  wire::request_errc error = wire::request_errc::none;
  std::string text; ///< why, and what to do
  client::snapshot_reply reply;
};

/// Lets clients copy the newest snapshot, piece by piece, as it is on the disk. One that was opened stays readable
/// though others take its place, until nobody has asked for a piece of it for a while. Belongs to the group's loop.
class snapshot_copies {
 public:
  using receiver = std::function<void(const snapshot_answer&)>;

  snapshot_copies(snapshot_context& context, snapshot_taker& taker, coro::task_group& tasks)
      : context_(context)
      , taker_(taker)
      , tasks_(tasks) {}

  /// Answers soon: no request waits until a snapshot is taken, the client asks again.
  void ask(const client::snapshot_request& r, receiver done);
  /// Closes what nobody copies any more; called a few times a second.
  void keep_house();
  /// Nobody is to wait any more.
  void end();

  static constexpr std::size_t copies_max = 4; ///< at a time
  static constexpr coro::duration idle_max = std::chrono::seconds(30);

 private:
  struct copy {
    std::shared_ptr<storage::snapshot_reader> file;
    coro::time_point asked; ///< for a piece
    bool busy = false;
    bool ended = false; ///< its end was read: it gives way to another
  };
  [[nodiscard]] coro::task<void> open(std::uint64_t ticket, log_index wanted);
  [[nodiscard]] coro::task<void> read(std::uint64_t ticket, std::uint64_t handle, std::uint64_t offset);
  void answer(std::uint64_t ticket, const snapshot_answer& a);
  [[nodiscard]] bool has_place();

  snapshot_context& context_;
  snapshot_taker& taker_;
  coro::task_group& tasks_;
  std::map<std::uint64_t, receiver> waiting_; ///< by ticket
  std::map<std::uint64_t, copy> copies_;      ///< by handle
  std::size_t opening_ = 0;
  std::uint64_t tickets_ = 0;
};

} // namespace quorumd::node
