#pragma once

#include "consensus/storage/file.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace quorumd::testing {

/// A disk in memory that forgets what was not synced: for tests and the simulator. It holds a durable image and the
/// operations after it, in order; reads see both. A crash keeps a part of those operations that a seed decides: of
/// writes any subset of their 512-byte sectors, of the creations, renames and removals in a directory a prefix.
class memory_files final : public storage::file_system {
 public:
  static constexpr std::size_t sector_bytes = 512;

  enum class call : std::uint8_t {
    open,
    read,
    write,
    sync,
    truncate,
    allocate,
    rename,
    remove,
    sync_directory,
    list,
    lock
  };
  /// One call as the hook sees it, before it is carried out.
  struct operation {
    memory_files::call call = call::read;
    std::string path;
    std::uint64_t offset = 0;
    std::size_t bytes = 0;
    std::uint64_t number = 0; ///< counts every call that changes something
    /// Whether the call changes the disk or makes a change durable.
    [[nodiscard]] bool changes() const {
      return call != memory_files::call::read && call != memory_files::call::list && call != memory_files::call::lock;
    }
  };
  enum class fault : std::uint8_t {
    none,
    io,       ///< fails; a sync that fails loses what it should have made durable, and later ones say nothing of it
    no_space, ///< fails without effect
    freeze,   ///< the disk stops before this call: it and all later ones fail, until crash()
  };
  using hook = std::function<fault(const operation&)>;

  memory_files();
  ~memory_files() override;

  void set_hook(hook h);
  /// Total size of files; a write beyond it is no_space.
  void set_capacity(std::uint64_t bytes);
  /// Every call fails from now on without effect, as for a process that is already dead.
  void freeze();
  [[nodiscard]] bool frozen() const;

  /// What unsynced operations do at a crash.
  enum class loss : std::uint8_t {
    random,     ///< the seed chooses one of the following, or a mixture
    everything, ///< all are lost
    nothing,    ///< all had reached the disk (as after a kill of the process alone)
  };
  /// The machine stops: what was not synced is lost in part, and every open file is dead. The disk works again.
  void crash(std::uint64_t seed, loss l = loss::random);

  struct counters {
    std::uint64_t operations = 0; ///< calls that change something
    std::uint64_t syncs = 0;
    std::uint64_t sectors_lost = 0;
    std::uint64_t writes_torn = 0; ///< of one write some sectors were kept and some lost
    std::uint64_t names_lost = 0;  ///< creations, renames and removals undone
  };
  [[nodiscard]] counters count() const;

  // --- tampering, with both the durable and the visible bytes ---
  [[nodiscard]] std::vector<std::byte> contents(const std::string& path) const;
  void set_contents(const std::string& path, std::vector<std::byte> bytes);
  /// An empty disk in its place; what was open is dead.
  void wipe();
  void flip(const std::string& path, std::uint64_t offset, std::byte mask = std::byte{1});
  [[nodiscard]] std::vector<std::string> paths() const;
  [[nodiscard]] std::uint64_t used_bytes() const;
  /// A copy of what is visible now, all of it durable: to try many things from one state.
  [[nodiscard]] std::unique_ptr<memory_files> copy() const;

  // --- storage::file_system ---
  [[nodiscard]] storage::result<std::unique_ptr<storage::file>> open(const std::string& path, mode m) override;
  [[nodiscard]] storage::result<void> rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] storage::result<void> remove(const std::string& path) override;
  [[nodiscard]] storage::result<void> sync_directory(const std::string& path) override;
  [[nodiscard]] storage::result<std::vector<std::string>> list(const std::string& path) override;
  [[nodiscard]] storage::result<void> make_directory(const std::string& path) override;
  [[nodiscard]] storage::result<std::unique_ptr<storage::file_lock>> lock(const std::string& path) override;
  [[nodiscard]] storage::result<std::uint64_t> free_bytes(const std::string& path) override;

 private:
  class open_file;
  class held_lock;
  struct change { // to one file, not synced
    bool resizes = false;
    std::uint64_t offset = 0; ///< or the new size
    std::vector<std::byte> bytes;
  };
  struct node {
    std::vector<std::byte> durable;
    std::vector<std::byte> visible;
    std::vector<change> unsynced;
  };
  struct naming { // of a file in a directory, not synced
    std::string directory;
    std::string from; ///< empty for a creation
    std::string to;   ///< empty for a removal
    std::shared_ptr<node> file;
  };
  using names = std::map<std::string, std::shared_ptr<node>>;

  /// Counts the call and asks the hook; what fails with it.
  [[nodiscard]] std::optional<storage::error> begin(call c, const std::string& path, std::uint64_t offset = 0,
                                                    std::size_t bytes = 0);
  [[nodiscard]] std::optional<storage::error> resize(node& n, const std::string& path, std::uint64_t bytes);
  static void apply(names& n, const naming& change);
  void crash_file(node& n, std::uint64_t& random, loss l);

  mutable std::recursive_mutex mutex_; // tests with threads use it too
  hook hook_;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t generation_ = 0; ///< files opened in an earlier one are dead
  bool frozen_ = false;
  bool lose_sync_ = false;
  counters counters_;
  std::set<std::string> directories_;
  std::set<std::string> locked_;
  names durable_;
  names visible_;
  std::vector<naming> unsynced_;
};

} // namespace quorumd::testing
