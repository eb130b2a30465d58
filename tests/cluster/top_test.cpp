#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

using namespace quorumd::testing;

namespace {

constexpr const char* enters = "\033[?1049h\033[?25l";
constexpr const char* leaves = "\033[?25h\033[?1049l";

/// A terminal of 60 columns, and a program that has it for its own.
class terminal {
 public:
  terminal()
      : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    slave_ = ::open(::ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(slave_ >= 0);
    resize(60, 10);
  }
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;
  ~terminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(master_);
    ::close(slave_);
  }

  void run(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setsid();
      ::ioctl(slave_, TIOCSCTTY, 0);
      for (int fd = 0; fd < 3; ++fd) ::dup2(slave_, fd);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  void resize(unsigned short columns, unsigned short rows) {
    const winsize w{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    REQUIRE(::ioctl(master_, TIOCSWINSZ, &w) == 0);
  }
  void type(const std::string& keys) { REQUIRE(::write(master_, keys.data(), keys.size()) == ssize_t(keys.size())); }
  void signal(int which) { REQUIRE(::kill(pid_, which) == 0); }

  /// Reads on until the text was seen since the last forget().
  bool shows(const std::string& text) {
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (seen_.find(text) == std::string::npos) {
      if (std::chrono::steady_clock::now() > until) return false;
      pollfd p{.fd = master_, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(master_, buffer, sizeof buffer);
      if (n > 0) seen_.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }
  void forget() { seen_.clear(); }
  [[nodiscard]] const std::string& seen() const { return seen_; }
  /// Whether keys are echoed and come by the line, as a shell wants it.
  [[nodiscard]] bool sane() const {
    termios t{};
    return ::tcgetattr(slave_, &t) == 0 && (t.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO);
  }
  /// It is told so after the last words are written.
  [[nodiscard]] bool becomes_sane() const {
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (!sane() && std::chrono::steady_clock::now() < until) ::usleep(1'000);
    return sane();
  }
  /// How the program changed its state: the status of waitpid.
  int wait(int options = 0) {
    int status = -1;
    const auto until = std::chrono::steady_clock::now() + seconds(20);
    while (::waitpid(pid_, &status, options | WNOHANG) != pid_) {
      if (std::chrono::steady_clock::now() > until) return -1;
      ::usleep(10'000);
    }
    if (WIFEXITED(status) || WIFSIGNALED(status)) pid_ = 0;
    return status;
  }

 private:
  int master_;
  int slave_ = -1;
  pid_t pid_ = 0;
  std::string seen_;
};

} // namespace

// The view takes the terminal, draws itself again when the window changes, and gives the terminal back by a key, by
// each signal that ends it, by one that says it crashed, by one that stops it, and when the whole cluster is gone.
TEST_CASE("top gives the terminal back whatever happens") {
  cluster c("top_terminal", {.nodes = 1});
  c.start(0);
  c.wait_healthy(0);
  const std::vector<std::string> words{quorumd_program(), "top", "--endpoint", c.endpoint(0), "--interval", "300ms"};
  const auto begin = [&](terminal& t) {
    t.run(words);
    REQUIRE(t.shows(enters));
    REQUIRE(t.shows("1 of 1 member reached"));
    REQUIRE_FALSE(t.sane());
  };
  const auto given_back = [](terminal& t) { return t.shows(leaves) && t.becomes_sane(); };
  {
    terminal t;
    begin(t);
    CHECK(t.shows("leader"));
    CHECK(t.seen().find("MEMORY") == std::string::npos); // beyond the 60th column
    t.forget();
    t.resize(200, 30);
    CHECK(t.shows("MEMORY"));
    t.type("q");
    CHECK(given_back(t));
    const int status = t.wait();
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  for (const int which : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV}) {
    CAPTURE(which);
    terminal t;
    begin(t);
    t.signal(which);
    CHECK(given_back(t));
    const int status = t.wait();
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == which);
  }
  {
    terminal t;
    begin(t);
    t.forget();
    t.signal(SIGTSTP); // the kernel does not stop who has no shell to go on for it: it gives back and takes again
    CHECK(t.shows(leaves));
    CHECK(t.shows(enters));
    t.forget();
    t.signal(SIGCONT);
    CHECK(t.shows(enters));
    CHECK(t.shows("1 of 1 member reached"));
    CHECK_FALSE(t.sane());
    c.kill(0);
    t.forget();
    CHECK(t.shows("refused"));
    t.type("\x03"); // as the terminal's own SIGINT
    CHECK(given_back(t));
    CHECK(WIFSIGNALED(t.wait()));
  }
}
