#include "tests/cluster/loop_disks.hpp"

#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace quorumd::testing {
namespace {

/// Its exit code; throws if it is above the one that is still good.
int must_run(const std::string& folder, std::vector<std::string> words, int good_up_to = 0) {
  launch l;
  l.arguments = std::move(words);
  l.errors = folder + "/said";
  process p(l);
  const auto code = p.wait(seconds(30));
  const std::string said = read_file(l.errors);
  std::filesystem::remove(l.errors);
  if (code && *code <= good_up_to) return *code;
  std::string command;
  for (const std::string& w : l.arguments) command += w + " ";
  throw std::runtime_error(command + "failed: " + said);
}

std::string numbers_of(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

bool write_line(const std::string& path, const std::string& line) {
  std::ofstream out(path);
  return static_cast<bool>(out << line << std::flush);
}

/// Where the hierarchy of control groups is mounted that has one of these among its options or as its type.
std::string hierarchy(const std::string& type, const std::string& option) {
  std::istringstream mounts(read_file("/proc/self/mounts"));
  std::string device;
  std::string place;
  std::string found_type;
  std::string options;
  for (std::string rest; mounts >> device >> place >> found_type >> options && std::getline(mounts, rest);)
    if (found_type == type && (option.empty() || ("," + options + ",").find("," + option + ",") != std::string::npos))
      return place;
  return {};
}

/// This process's group in the hierarchy whose line in /proc/self/cgroup has these controllers.
std::string own_group(const std::string& controllers) {
  std::istringstream lines(read_file("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second != std::string::npos && line.substr(first + 1, second - first - 1) == controllers)
      return line.substr(second + 1);
  }
  return "/";
}

bool has_word(const std::string& words, const std::string& word) {
  std::istringstream in(words);
  for (std::string w; in >> w;)
    if (w == word) return true;
  return false;
}

} // namespace

loop_disks::loop_disks(const std::string& name, std::size_t count, unsigned mebibytes)
    : root_(std::string(QUORUMD_CLUSTER_FOLDER) + "/disks." + name + "." + std::to_string(::getpid()))
    , count_(count) {
  std::filesystem::create_directories(root_);
  try {
    make(count, mebibytes);
  } catch (const std::exception& e) {
    why_not_ = e.what();
  }
}

loop_disks::~loop_disks() {
  for (std::size_t i = 0; i < count_; ++i) ::umount2(path(i).c_str(), MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void loop_disks::make(std::size_t count, unsigned mebibytes) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    throw std::runtime_error(std::string("unshare: ") + std::strerror(errno));
  for (std::size_t i = 0; i < count; ++i) {
    std::filesystem::create_directories(path(i));
    std::ofstream(image(i), std::ios::binary).flush();
    std::filesystem::resize_file(image(i), std::uint64_t{mebibytes} << 20);
    must_run(root_, {"/sbin/mkfs.ext4", "-q", "-F", image(i)});
    must_run(root_, {"/bin/mount", "-n", "-o", "loop,errors=remount-ro", image(i), path(i)});
  }
}

bool loop_disks::mounted() const {
  if (!why_not_.empty()) MESSAGE("skipped: loop devices take root, CAP_SYS_ADMIN and e2fsprogs: " << why_not_);
  return why_not_.empty();
}

dev_t loop_disks::device(std::size_t i) const {
  struct stat s {};
  REQUIRE(::stat(path(i).c_str(), &s) == 0);
  return s.st_dev;
}

void loop_disks::fail(std::size_t i) {
  // The kernel refuses the remount, or not, and has the file system fail in any case.
  ::mount(nullptr, path(i).c_str(), nullptr, MS_REMOUNT, "abort");
  const int fd = ::open((path(i) + "/new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool read_only = fd < 0 && errno == EROFS;
  if (fd >= 0) ::close(fd);
  REQUIRE_MESSAGE(read_only, "the file system still takes writes");
}

bool loop_disks::repair(std::size_t i) {
  REQUIRE(::umount2(path(i).c_str(), 0) == 0);
  try {
    must_run(root_, {"/sbin/e2fsck", "-p", image(i)}, 1); // 1: damage that was repaired
    must_run(root_, {"/bin/mount", "-n", "-o", "loop,errors=remount-ro", image(i), path(i)});
  } catch (const std::exception& e) {
    MESSAGE(e.what());
    return false;
  }
  return true;
}

namespace {

/// A process that is not ours to kill waits for the end of our pipe, which comes also when we die, and thaws.
launch holder_of(const std::string& path) {
  launch l;
  l.arguments = {"/bin/sh", "-c",
                 R"(exec 3<&0; (read -r _ <&3; exec /sbin/fsfreeze --unfreeze "$0") & exec 3<&-
                    /sbin/fsfreeze --freeze "$0" && : >"$0.frozen"; wait)",
                 path};
  l.feed = true;
  return l;
}

} // namespace

frozen_disk::frozen_disk(const loop_disks& disks, std::size_t i)
    : holder_(holder_of(disks.path(i))) {
  const std::string sign = disks.path(i) + ".frozen";
  const bool frozen = eventually([&] { return std::filesystem::exists(sign); }, seconds(10));
  REQUIRE(frozen);
  std::filesystem::remove(sign);
}

frozen_disk::~frozen_disk() {
  holder_.end_of_feed();
  (void)holder_.wait(seconds(10));
}

disk_group::disk_group(const std::string& name, const loop_disks& disks, std::size_t i)
    : device_(numbers_of(disks.device(i))) {
  try {
    make("/quorumd-" + name + "-" + std::to_string(::getpid()));
    if (!holds(disks.path(i))) throw std::runtime_error("the limit of " + group_ + " does not hold");
  } catch (const std::exception& e) {
    why_not_ = e.what();
  }
}

void disk_group::make(const std::string& name) {
  const std::string unified = hierarchy("cgroup2", "");
  const std::string blkio = hierarchy("cgroup", "blkio");
  std::string path;
  if (!unified.empty() && has_word(read_file(unified + "/cgroup.subtree_control"), "io")) {
    unified_ = true;
    path = unified + name; // beside this process's: a group with processes has none below it that has limits
  } else if (!blkio.empty()) {
    path = blkio + own_group("blkio") + name;
  } else {
    throw std::runtime_error("there is neither cgroup2's io controller nor cgroup's blkio");
  }
  std::error_code e;
  std::filesystem::create_directory(path, e);
  if (e) throw std::runtime_error("cannot create " + path + ": " + e.message());
  group_ = path;
}

disk_group::~disk_group() {
  if (!group_.empty()) (void)eventually([&] { return ::rmdir(group_.c_str()) == 0; }, seconds(10));
}

bool disk_group::made() const {
  if (!why_not_.empty()) MESSAGE("skipped: a slow disk takes a control group with a limit for it: " << why_not_);
  return why_not_.empty();
}

bool disk_group::limit(std::optional<unsigned> writes_per_s) const {
  if (unified_) {
    const std::string most = writes_per_s ? std::to_string(*writes_per_s) : "max";
    return write_line(group_ + "/io.max", device_ + " wiops=" + most);
  }
  return write_line(group_ + "/blkio.throttle.write_iops_device",
                    device_ + " " + std::to_string(writes_per_s.value_or(0)));
}

bool disk_group::holds(const std::string& folder) const {
  if (!limit(2)) return false;
  const std::string file = folder + "/probe";
  launch l;
  l.arguments = {"/bin/dd", "if=/dev/zero", "of=" + file, "bs=4k", "count=4", "oflag=sync"};
  l.control_group = processes();
  const auto began = std::chrono::steady_clock::now();
  process p(l);
  const bool written = p.wait(seconds(20)) == 0;
  const bool waited = std::chrono::steady_clock::now() - began > seconds(1);
  std::filesystem::remove(file);
  return limit(std::nullopt) && written && waited;
}

slowed::slowed(const disk_group& g, unsigned writes_per_s)
    : group_(g) {
  REQUIRE(g.limit(writes_per_s));
}

slowed::~slowed() {
  group_.limit(std::nullopt);
}

} // namespace quorumd::testing
