#include "consensus/storage/posix_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

namespace quorumd::storage {
namespace {

/// What errno says about the call.
error failed(const char* call, const std::string& path, int number) {
  error_code code = error_code::io;
  // EFBIG: a limit on the size of files, which like a quota is not the disk's failure.
  if (number == ENOSPC || number == EDQUOT || number == EFBIG) code = error_code::no_space;
  if (number == ENOENT) code = error_code::not_found;
  if (number == EEXIST) code = error_code::exists;
  return {code, path, std::string(call) + ": " + std::strerror(number)};
}

/// Repeats the call while a signal interrupts it.
template <class F>
auto uninterrupted(F call) {
  auto got = call();
  while (got < 0 && errno == EINTR) got = call();
  return got;
}

class descriptor {
 public:
  explicit descriptor(int fd)
      : fd_(fd) {}
  descriptor(descriptor&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

class posix_file final : public file {
 public:
  posix_file(std::string path, descriptor fd)
      : path_(std::move(path))
      , fd_(std::move(fd)) {}

  [[nodiscard]] const std::string& path() const override { return path_; }

  [[nodiscard]] result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = uninterrupted([&] {
        return ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      });
      if (got < 0) return failed("read", path_, errno).at(offset + done);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  [[nodiscard]] result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = uninterrupted([&] {
        return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      });
      if (put < 0) return failed("write", path_, errno).at(offset + done);
      done += static_cast<std::size_t>(put);
    }
    return {};
  }

  [[nodiscard]] result<void> sync() override {
    if (uninterrupted([&] { return ::fdatasync(fd_.get()); }) != 0) return failed("fdatasync", path_, errno);
    return {};
  }

  [[nodiscard]] result<void> truncate(std::uint64_t bytes) override {
    if (uninterrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(bytes)); }) != 0)
      return failed("truncate", path_, errno);
    return {};
  }

  [[nodiscard]] result<void> allocate(std::uint64_t bytes) override {
    // posix_fallocate() writes where the file system cannot allocate; it returns the error instead of setting errno.
    int number = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    while (number == EINTR) number = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    if (number != 0) return failed("allocate", path_, number);
    return {};
  }

  [[nodiscard]] result<std::uint64_t> size() override {
    struct stat s {};
    if (::fstat(fd_.get(), &s) != 0) return failed("stat", path_, errno);
    return static_cast<std::uint64_t>(s.st_size);
  }

 private:
  std::string path_;
  descriptor fd_;
};

class posix_lock final : public file_lock {
 public:
  explicit posix_lock(descriptor fd)
      : fd_(std::move(fd)) {}

 private:
  descriptor fd_;
};

/// Who wrote its number into the lock file.
std::string holder_of(int fd) {
  char text[32] = {};
  const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
  const std::string_view digits(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t end = digits.find_first_not_of("0123456789");
  const std::string_view pid = digits.substr(0, end);
  return pid.empty() ? std::string("another process") : "the process with pid " + std::string(pid);
}

} // namespace

result<std::unique_ptr<file>> posix_files::open(const std::string& path, mode m) {
  int flags = O_CLOEXEC;
  switch (m) {
  case mode::read:
    flags |= O_RDONLY;
    break;
  case mode::write:
    flags |= O_RDWR;
    break;
  case mode::create:
    flags |= O_RDWR | O_CREAT | O_EXCL;
    break;
  case mode::truncate:
    flags |= O_RDWR | O_CREAT | O_TRUNC;
    break;
  }
  descriptor fd(uninterrupted([&] { return ::open(path.c_str(), flags, 0640); }));
  if (fd.get() < 0) return failed("open", path, errno);
  return std::unique_ptr<file>(std::make_unique<posix_file>(path, std::move(fd)));
}

result<void> posix_files::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from, errno);
  return {};
}

result<void> posix_files::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return failed("remove", path, errno);
  return {};
}

result<void> posix_files::sync_directory(const std::string& path) {
  const descriptor fd(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() < 0) return failed("open", path, errno);
  if (uninterrupted([&] { return ::fsync(fd.get()); }) != 0) return failed("fsync", path, errno);
  return {};
}

result<std::vector<std::string>> posix_files::list(const std::string& path) {
  struct closer {
    void operator()(DIR* d) const { ::closedir(d); }
  };
  const std::unique_ptr<DIR, closer> d(::opendir(path.c_str()));
  if (!d) return failed("open", path, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* e = ::readdir(d.get())) {
    const std::string_view name = e->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return failed("list", path, errno);
  std::sort(names.begin(), names.end());
  return names;
}

result<void> posix_files::make_directory(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0750) == 0) {
      const std::size_t end = part.rfind('/');
      const result<void> synced = sync_directory(end == std::string::npos ? "." : end == 0 ? "/" : part.substr(0, end));
      if (!synced) return synced;
    } else if (errno != EEXIST) {
      return failed("mkdir", part, errno);
    }
    if (slash == std::string::npos) break;
  }
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return failed("stat", path, errno);
  if (!S_ISDIR(s.st_mode)) return error(error_code::io, path, "this is a file and should be a directory");
  return {};
}

result<std::unique_ptr<file_lock>> posix_files::lock(const std::string& path) {
  descriptor fd(uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640); }));
  if (fd.get() < 0) return failed("open", path, errno);
  if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return failed("lock", path, errno);
    return error(error_code::locked, path, holder_of(fd.get()) + " holds the lock");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd.get(), 0) != 0) return failed("truncate", path, errno);
  // Only a hint for whoever is refused: a full disk must not keep a daemon from starting.
  if (::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0 && errno != ENOSPC && errno != EFBIG)
    return failed("write", path, errno);
  return std::unique_ptr<file_lock>(std::make_unique<posix_lock>(std::move(fd)));
}

result<std::uint64_t> posix_files::free_bytes(const std::string& path) {
  struct statvfs s {};
  if (uninterrupted([&] { return ::statvfs(path.c_str(), &s); }) != 0) return failed("statvfs", path, errno);
  return std::uint64_t{s.f_bavail} * s.f_frsize;
}

} // namespace quorumd::storage
