#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"
#include "daemon/client/status.hpp"
#include "daemon/client/verification.hpp"
#include "daemon/node/status_collector.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace quorumd::node {

/// Whether the members hold the same, asked every so often while they go on. Each member keeps what its state hashed to
/// at certain indexes, so that a comparison is a question to each of the others, and nothing is read for it.
///
/// Whoever holds at an index what a majority does not is corrupt; where no majority agrees, nobody knows who is right,
/// and all are. Every member judges by itself. Belongs to the group's loop.
class consistency {
 public:
  struct options {
    coro::duration every = std::chrono::seconds(10); ///< 0: never
  };
  struct seams {
    const std::string& name; ///< this member's
    status_collector& status;
    /// This member's own state is corrupt, and why; empty: it is what most hold. Said at every comparison.
    std::function<void(const std::string&)> judged;
  };
  consistency(options o, seams s)
      : options_(o)
      , seams_(std::move(s)) {}

  /// A few times a second.
  void keep_house(coro::time_point now);
  /// What was found of members at the last comparison that they took part in, and not taken back since: why.
  [[nodiscard]] const std::map<node_id, std::string>& corrupt() const { return corrupt_; }

 private:
  void compare(const std::vector<client::status_row>& answers);
  [[nodiscard]] std::string describe(const client::verification& v, const std::string& who) const;

  const options options_;
  const seams seams_;
  coro::time_point next_;
  client::state_mark equal_; ///< where all that answered were equal last
  std::map<node_id, std::string> corrupt_;
};

/// The rows that are to be compared with this build's: another version may hash a state in another way, so that its
/// members count as silent. A rolling upgrade must stop nobody.
[[nodiscard]] std::vector<client::status_row> comparable(std::vector<client::status_row> rows);

} // namespace quorumd::node
