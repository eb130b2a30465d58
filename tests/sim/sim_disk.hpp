#pragma once

#include "tests/sim/scheduler.hpp"
#include "tests/support/memory_files.hpp"

#include <cstdint>
#include <functional>

namespace quorumd::sim {

/// The disk of one node; survives its crashes. What the seed does to it, on top of the tests' disk in memory.
class sim_disk {
 public:
  sim_disk(scheduler& s, std::uint64_t owner, prng p);
  sim_disk(const sim_disk&) = delete;
  sim_disk& operator=(const sim_disk&) = delete;

  /// What the node sees.
  [[nodiscard]] storage::file_system& files() { return files_; }

  /// From now on every call fails and changes nothing.
  void freeze() { files_.freeze(); }
  /// Freezes before the n-th effect from now, and calls f.
  void freeze_after(std::uint64_t effects, std::function<void()> f);
  /// Power is back: what was not synced is lost or torn, and the disk works again.
  void recover();
  /// Another disk, with nothing on it.
  void wipe() { files_.wipe(); }
  /// The n-th sync from now fails, and the cache lies afterwards: what it should have made durable never is.
  void fail_sync_after(std::uint64_t syncs) { failing_sync_ = syncs; }
  void set_capacity(std::uint64_t bytes) { files_.set_capacity(bytes); }
  /// Forgets what was planned for it.
  void calm() { freeze_in_ = failing_sync_ = 0; }
  [[nodiscard]] std::uint64_t used_bytes() const { return files_.used_bytes(); }
  /// Everything that was read or written so far.
  [[nodiscard]] std::uint64_t moved_bytes() const { return moved_bytes_; }
  /// For a test to tamper with.
  [[nodiscard]] testing::memory_files& memory() { return files_; }

  [[nodiscard]] std::uint64_t unsynced_bytes_lost() const {
    return files_.count().sectors_lost * testing::memory_files::sector_bytes;
  }
  [[nodiscard]] std::uint64_t torn_writes() const { return files_.count().writes_torn; }
  [[nodiscard]] std::uint64_t failed_syncs() const { return failed_syncs_; }

 private:
  testing::memory_files::fault before(const testing::memory_files::operation& o);

  scheduler& clock_;
  std::uint64_t owner_;
  prng random_;
  testing::memory_files files_;
  std::uint64_t freeze_in_ = 0; ///< 0: not planned
  std::function<void()> on_freeze_;
  std::uint64_t moved_bytes_ = 0;
  std::uint64_t failing_sync_ = 0; ///< 0: not planned
  std::uint64_t failed_syncs_ = 0;
};

} // namespace quorumd::sim
