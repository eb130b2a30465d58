#pragma once

namespace quorumd::kv {

/// Deliberate bugs, for the simulator to find.
struct bugs {
  bool skip_on_resume = false; ///< a watcher that has room again goes on behind the change that it needs next
  bool split_revision = false; ///< what a part of a revision left is taken to have been delivered
};

} // namespace quorumd::kv
