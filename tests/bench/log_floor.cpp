// The floor under a cluster's durable writes: so many logs on one disk, each appended to and synced in turn, a batch of
// entries at a time, over bytes that are there already (as in a recycled segment). No Raft, no network, no store.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr std::size_t file_bytes = std::size_t{64} << 20;

struct load {
  std::string directory;
  std::size_t logs = 0;
  std::size_t batch = 0;
  std::size_t entry_bytes = 0;
  std::chrono::seconds length{0};
};

[[noreturn]] void fail(const std::string& what) {
  std::perror(("bench_log_floor: " + what).c_str());
  std::_Exit(1);
}

void write_all(int fd, const std::vector<char>& bytes, std::size_t at, const std::string& path) {
  if (::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)) != static_cast<ssize_t>(bytes.size()))
    fail(path);
}

/// Entries that were durable in a second.
double append_and_sync(const load& l, const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) fail(path);
  ::unlink(path.c_str());
  write_all(fd, std::vector<char>(file_bytes, 'f'), 0, path);
  if (::fsync(fd) != 0) fail(path);
  std::vector<char> entries(l.batch * l.entry_bytes);
  const auto began = std::chrono::steady_clock::now();
  const auto spent = [&] { return std::chrono::steady_clock::now() - began; };
  std::size_t batches = 0;
  for (std::size_t at = 0; spent() < l.length; ++batches, at += entries.size()) {
    if (at + entries.size() > file_bytes) at = 0;
    entries.assign(entries.size(), static_cast<char>(batches));
    write_all(fd, entries, at, path);
    if (::fdatasync(fd) != 0) fail(path);
  }
  const double seconds = std::chrono::duration<double>(spent()).count();
  ::close(fd);
  return static_cast<double>(batches * l.batch) / seconds;
}

std::size_t number(const char* text) {
  const auto n = std::strtoul(text, nullptr, 10);
  if (n == 0 || n > 100'000) {
    std::fprintf(stderr, "bench_log_floor: not a number from 1 to 100000: %s\n", text);
    std::_Exit(64);
  }
  return n;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: bench_log_floor DIRECTORY LOGS BATCH ENTRY_BYTES SECONDS\n"
               "prints how many entries a second the slowest log took\n",
               stderr);
    return 64;
  }
  const load l{.directory = argv[1],
               .logs = number(argv[2]),
               .batch = number(argv[3]),
               .entry_bytes = number(argv[4]),
               .length = std::chrono::seconds(number(argv[5]))};
  if (l.batch * l.entry_bytes > file_bytes) {
    std::fputs("bench_log_floor: a batch is larger than the file of 64 MiB\n", stderr);
    return 64;
  }
  int answers[2];
  if (::pipe(answers) != 0) fail("pipe");
  for (std::size_t i = 0; i < l.logs; ++i) {
    const pid_t child = ::fork();
    if (child < 0) fail("fork");
    if (child != 0) continue;
    const double rate = append_and_sync(l, l.directory + "/floor." + std::to_string(::getpid()));
    std::_Exit(::write(answers[1], &rate, sizeof rate) == sizeof rate ? 0 : 1);
  }
  ::close(answers[1]);
  double slowest = 0;
  double rate = 0;
  std::size_t heard = 0;
  for (; ::read(answers[0], &rate, sizeof rate) == sizeof rate; ++heard)
    slowest = heard == 0 || rate < slowest ? rate : slowest;
  while (::wait(nullptr) > 0) {
  }
  if (heard != l.logs) return 1;
  std::printf("%.0f\n", slowest);
  return 0;
}
