#pragma once

#include "tests/cluster/process.hpp"

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

namespace quorumd::testing {

/// An ext4 of its own for each node, on loop devices: root()/n1 and so on, which only this process and its children
/// see. What has these file systems open, and frozen_disk, end before this object. The kernel takes file
/// systems and devices back also when this process is killed.
class loop_disks {
 public:
  loop_disks(const std::string& name, std::size_t count, unsigned mebibytes);
  loop_disks(const loop_disks&) = delete;
  loop_disks& operator=(const loop_disks&) = delete;
  ~loop_disks();

  /// False where the machine does not permit it, and the reason is printed.
  [[nodiscard]] bool mounted() const;
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string path(std::size_t i) const { return root_ + "/n" + std::to_string(i + 1); }
  [[nodiscard]] dev_t device(std::size_t i) const;

  /// As the kernel does when it finds the file system damaged: from now on it is read-only, also for those who have
  /// files open for writing.
  void fail(std::size_t i);
  /// Nobody may use it. Checks it and mounts it again; false if the check finds what it cannot repair.
  [[nodiscard]] bool repair(std::size_t i);

 private:
  void make(std::size_t count, unsigned mebibytes);
  [[nodiscard]] std::string image(std::size_t i) const { return root_ + "/disk" + std::to_string(i + 1); }

  std::string root_;
  std::size_t count_;
  std::string why_not_;
};

/// While this object lives, no write to the file system ends. It is thawed also when this process is killed.
class frozen_disk {
 public:
  frozen_disk(const loop_disks& disks, std::size_t i);
  frozen_disk(const frozen_disk&) = delete;
  frozen_disk& operator=(const frozen_disk&) = delete;
  ~frozen_disk();

 private:
  process holder_;
};

/// A control group in which what processes write to a device can be slowed. They end before this object.
class disk_group {
 public:
  disk_group(const std::string& name, const loop_disks& disks, std::size_t i);
  disk_group(const disk_group&) = delete;
  disk_group& operator=(const disk_group&) = delete;
  ~disk_group();

  /// False where the machine does not permit it, or such a limit does not hold there, and the reason is printed.
  [[nodiscard]] bool made() const;
  /// For a launch.
  [[nodiscard]] std::string processes() const { return group_ + "/cgroup.procs"; }
  /// At most so many writes a second; none: as many as there are. False if the kernel does not take that.
  bool limit(std::optional<unsigned> writes_per_s) const;

 private:
  void make(const std::string& name);
  /// Whether writes wait.
  [[nodiscard]] bool holds(const std::string& folder) const;

  std::string device_;
  std::string group_; ///< empty: none was made
  bool unified_ = false;
  std::string why_not_;
};

/// While this object lives, the group has that limit.
class slowed {
 public:
  slowed(const disk_group& g, unsigned writes_per_s);
  slowed(const slowed&) = delete;
  slowed& operator=(const slowed&) = delete;
  ~slowed();

 private:
  const disk_group& group_;
};

} // namespace quorumd::testing
