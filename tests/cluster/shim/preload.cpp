// LD_PRELOAD: makes `kill -9` as hard as a power cut. Every change to a file or a name below POWER_SHIM_DATA happens as
// asked, after a note of what it replaces; a sync strikes the notes that it makes durable. When the process is dead,
// power_cut() (power_cut.hpp) undoes whatever still has a note.
#include "tests/cluster/shim/journal.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using quorumd::testing::shim::change;
using quorumd::testing::shim::record;
namespace shim = quorumd::testing::shim;

template <class F>
F* real(F*, const char* name) {
  void* found = ::dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  F* out = nullptr;
  std::memcpy(&out, &found, sizeof out);
  return out;
}
#define REAL(name)                                                                                                     \
  ([] {                                                                                                                \
    static auto* const found = real(&::name, #name);                                                                   \
    return found;                                                                                                      \
  }())

/// A note cannot be lost silently: the test would prove nothing.
void must(bool good, const char* what) {
  if (good) return;
  const char text[] = "power shim: cannot keep its journal: ";
  if (::write(2, text, sizeof text - 1) < 0 || ::write(2, what, std::strlen(what)) < 0 || ::write(2, "\n", 1) < 0) {
  }
  std::abort();
}

bool all_zero(const std::vector<char>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

/// When the process is to die, if at all.
class moment {
 public:
  explicit moment(const std::string& side)
      : armed_by_(side + shim::armed_name) {
    const char* text = std::getenv(shim::variable_moment);
    if (text == nullptr) return;
    std::istringstream in(text);
    must(static_cast<bool>(in >> what_ >> part_ >> left_), "understand POWER_SHIM_MOMENT");
  }
  void pass(std::string_view what, std::string_view path) {
    if (left_ == 0 || what != what_ || path.find(part_) == std::string_view::npos) return;
    if (::access(armed_by_.c_str(), F_OK) != 0 || --left_ != 0) return;
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }

 private:
  std::string armed_by_;
  std::string what_;
  std::string part_;
  std::uint64_t left_ = 0;
};

class journal {
 public:
  journal() {
    const char* data = std::getenv(shim::variable_data);
    const char* side = std::getenv(shim::variable_side);
    if (data == nullptr || side == nullptr) return;
    data_ = std::string(data) + "/";
    side_ = std::string(side) + "/";
    lie_ = std::getenv(shim::variable_lie) != nullptr;
    moment_ = moment(side_);
    fd_ = REAL(open)((side_ + shim::journal_name).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd_ >= 0, "open");
  }

  std::mutex mutex;

  [[nodiscard]] bool covers(const char* path) const {
    if (fd_ < 0) return false;
    const std::string_view p(path);
    const std::string_view directory(data_);
    return p.starts_with(directory) || p == directory.substr(0, directory.size() - 1);
  }
  [[nodiscard]] bool lies() const { return lie_; }
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }

  /// Something has happened, or begins: the process may end here.
  void pass(std::string_view what, std::string_view path) { moment_.pass(what, path); }
  void pass(std::string_view what, int fd) {
    if (const auto it = open_.find(fd); it != open_.end()) moment_.pass(what, it->second.path);
  }

  void opened(int fd, const char* path, bool created, bool directory) {
    if (created) {
      record r;
      r.what = change::created;
      note_name(r, path, {});
    }
    open_[fd] = directory ? known{0, path, path} : known{number_of(path), {}, path};
    if (created) pass("created", path);
  }
  void closed(int fd) { open_.erase(fd); }

  /// The file's number, 0 if it is none of ours.
  [[nodiscard]] std::uint64_t file(int fd) const {
    const auto it = open_.find(fd);
    return it == open_.end() ? 0 : it->second.file;
  }
  [[nodiscard]] std::string directory(int fd) const {
    const auto it = open_.find(fd);
    return it == open_.end() ? std::string() : it->second.directory;
  }

  /// Before the bytes from offset on are changed, up to `length` of them.
  void note_contents(int fd, std::uint64_t offset, std::uint64_t length) {
    struct stat s {};
    must(::fstat(fd, &s) == 0, "fstat");
    record r;
    r.what = change::contents;
    r.file = file(fd);
    r.offset = offset;
    r.old_size = static_cast<std::uint64_t>(s.st_size);
    if (offset < r.old_size) r.length = std::min(length, r.old_size - offset);
    std::vector<char> old(r.length);
    const int readable = REAL(open)(link_of(r.file).c_str(), O_RDONLY | O_CLOEXEC);
    must(readable >= 0, "open a link");
    must(::pread(readable, old.data(), old.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(old.size()),
         "pread");
    REAL(close)(readable);
    r.zeros = all_zero(old) ? 1 : 0;
    if (r.zeros != 0) old.clear();
    append(r, old, {}, {});
    notes_.push_back({r.sequence, r.file, {}});
  }

  void note_renamed(const char* from, const char* to) {
    record r;
    r.what = change::renamed;
    r.file = number_of(to);
    note_name(r, from, to);
  }
  void note_removed(const char* path) {
    record r;
    r.what = change::removed;
    r.file = number_of(path);
    note_name(r, path, {});
  }

  void synced(std::uint64_t file, std::uint64_t up_to) {
    record r;
    r.what = change::synced;
    r.file = file;
    r.offset = up_to;
    append(r, {}, {}, {});
    strike([&](const open_note& n) { return n.file == file && n.sequence <= up_to; });
  }
  void synced_names(const std::string& directory, std::uint64_t up_to) {
    record r;
    r.what = change::synced_names;
    r.offset = up_to;
    append(r, {}, directory, {});
    strike([&](const open_note& n) { return n.directory == directory && n.sequence <= up_to; });
  }

 private:
  struct known {
    std::uint64_t file = 0;
    std::string directory;
    std::string path; ///< as it was opened
  };
  /// A change that is not durable: of a file, or of a directory's names.
  struct open_note {
    std::uint64_t sequence = 0;
    std::uint64_t file = 0;
    std::string directory;
  };

  template <class F>
  void strike(F durable) {
    std::erase_if(notes_, durable);
    if (!notes_.empty()) return;
    must(REAL(ftruncate)(fd_, 0) == 0, "truncate"); // else it grows with the log
    end_ = 0;
  }

  [[nodiscard]] std::string link_of(std::uint64_t file) const { return side_ + std::to_string(file); }

  /// The number of the file at the path, under which it gets its link; 0 if there is none.
  std::uint64_t number_of(const char* path) {
    struct stat s {};
    if (::stat(path, &s) != 0) return 0;
    const auto [it, fresh] = numbers_.emplace(s.st_ino, numbers_.size() + 1);
    if (fresh) must(::link(path, link_of(it->second).c_str()) == 0, "link");
    return it->second;
  }

  void note_name(record& r, const std::string& name, const std::string& other) {
    append(r, {}, name, other);
    notes_.push_back({r.sequence, 0, name.substr(0, name.rfind('/'))});
  }

  void append(record& r, const std::vector<char>& bytes, const std::string& name, const std::string& other) {
    r.sequence = ++sequence_;
    r.name_bytes = static_cast<std::uint32_t>(name.size());
    r.other_bytes = static_cast<std::uint32_t>(other.size());
    std::string out(reinterpret_cast<const char*>(&r), sizeof r);
    out.append(bytes.data(), bytes.size());
    out += name;
    out += other;
    must(REAL(pwrite)(fd_, out.data(), out.size(), end_) == static_cast<ssize_t>(out.size()), "write");
    end_ += static_cast<off_t>(out.size());
  }

  std::string data_;
  std::string side_;
  bool lie_ = false;
  moment moment_{{}};
  int fd_ = -1;
  off_t end_ = 0;
  std::uint64_t sequence_ = 0;
  std::map<int, known> open_;
  std::map<ino_t, std::uint64_t> numbers_; ///< a file that has a link keeps its inode's number
  std::vector<open_note> notes_;
};

journal& notes() {
  static journal* const only = new journal; // never destroyed: other threads may still write at the end
  return *only;
}

int open_noted(const char* path, int flags, mode_t mode) {
  journal& j = notes();
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  const bool directory = (flags & O_DIRECTORY) != 0;
  if (!j.covers(path) || (!writes && !directory)) return REAL(open)(path, flags, mode);
  const std::lock_guard lock(j.mutex);
  const bool existed = ::access(path, F_OK) == 0;
  const int fd = REAL(open)(path, flags & ~O_TRUNC, mode);
  if (fd < 0) return fd;
  j.opened(fd, path, !existed, directory);
  if ((flags & O_TRUNC) != 0 && existed) {
    j.note_contents(fd, 0, ~std::uint64_t{0});
    if (REAL(ftruncate)(fd, 0) != 0) must(false, "empty a file");
  }
  return fd;
}

ssize_t pwrite_noted(int fd, const void* bytes, std::size_t n, off_t at) {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  if (j.file(fd) != 0) j.note_contents(fd, static_cast<std::uint64_t>(at), n);
  const ssize_t written = REAL(pwrite)(fd, bytes, n, at);
  j.pass("written", fd);
  return written;
}

int ftruncate_noted(int fd, off_t size) {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  if (j.file(fd) != 0) j.note_contents(fd, static_cast<std::uint64_t>(size), ~std::uint64_t{0});
  return REAL(ftruncate)(fd, size);
}

int allocate_noted(int fd, off_t offset, off_t length) {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  if (j.file(fd) != 0) j.note_contents(fd, 0, 0);
  return REAL(posix_fallocate)(fd, offset, length);
}

/// What came before the call is durable when it returns, and of what came meanwhile nothing is.
template <class F>
int sync_noted(int fd, F sync) {
  journal& j = notes();
  std::unique_lock lock(j.mutex);
  const std::uint64_t file = j.file(fd);
  const std::string directory = j.directory(fd);
  const std::uint64_t up_to = j.sequence();
  if ((file != 0 || !directory.empty()) && j.lies()) return 0;
  j.pass("syncing", fd);
  lock.unlock();
  const int result = sync(fd);
  if (result != 0) return result;
  lock.lock();
  if (file != 0) j.synced(file, up_to);
  if (!directory.empty()) j.synced_names(directory, up_to);
  j.pass("synced", fd);
  return result;
}

} // namespace

extern "C" {

__attribute__((visibility("default"))) int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_noted(path, flags, mode);
}
__attribute__((visibility("default"))) int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_noted(path, flags, mode);
}
__attribute__((visibility("default"))) int close(int fd) {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  j.closed(fd);
  return REAL(close)(fd);
}
__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void* bytes, size_t n, off_t at) {
  return pwrite_noted(fd, bytes, n, at);
}
__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void* bytes, size_t n, off_t at) {
  return pwrite_noted(fd, bytes, n, at);
}
__attribute__((visibility("default"))) int ftruncate(int fd, off_t size) noexcept {
  return ftruncate_noted(fd, size);
}
__attribute__((visibility("default"))) int ftruncate64(int fd, off_t size) noexcept {
  return ftruncate_noted(fd, size);
}
__attribute__((visibility("default"))) int posix_fallocate(int fd, off_t offset, off_t length) {
  return allocate_noted(fd, offset, length);
}
__attribute__((visibility("default"))) int posix_fallocate64(int fd, off_t offset, off_t length) {
  return allocate_noted(fd, offset, length);
}
__attribute__((visibility("default"))) int fdatasync(int fd) {
  return sync_noted(fd, [](int f) { return REAL(fdatasync)(f); });
}
__attribute__((visibility("default"))) int fsync(int fd) {
  return sync_noted(fd, [](int f) { return REAL(fsync)(f); });
}
__attribute__((visibility("default"))) int rename(const char* from, const char* to) noexcept {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  if (j.covers(to)) j.note_renamed(from, to);
  const int result = REAL(rename)(from, to);
  if (j.covers(to)) j.pass("renamed", to);
  return result;
}
__attribute__((visibility("default"))) int unlink(const char* path) noexcept {
  journal& j = notes();
  const std::lock_guard lock(j.mutex);
  if (j.covers(path)) j.note_removed(path);
  const int result = REAL(unlink)(path);
  if (j.covers(path)) j.pass("removed", path);
  return result;
}

} // extern "C"
