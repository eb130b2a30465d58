#include "config/exit_codes.hpp"
#include "coro/event.hpp"
#include "coro/task_group.hpp"
#include "coro/worker.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/pair_lines.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr std::size_t window_puts = 1024;
constexpr std::size_t window_bytes = std::size_t{8} * 1024 * 1024;
constexpr std::size_t piece_bytes = std::size_t{256} * 1024;

/// A file descriptor that is closed at the end, unless it is standard input.
class input_file {
 public:
  explicit input_file(const std::string& path)
      : name_(path == "-" ? "standard input" : path)
      , fd_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat about {};
    if (fd_ >= 0 && ::fstat(fd_, &about) == 0 && S_ISREG(about.st_mode))
      bytes_ = static_cast<std::uint64_t>(about.st_size);
  }
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;
  ~input_file() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }

  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// 0 if that is not known.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// The next piece, empty at the end. Blocks.
  [[nodiscard]] result<std::string> read() const {
    std::string out(piece_bytes, '\0');
    for (;;) {
      const ssize_t n = ::read(fd_, out.data(), out.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return usage(name_ + ": " + std::strerror(errno));
      out.resize(static_cast<std::size_t>(n));
      return out;
    }
  }

 private:
  std::string name_;
  int fd_;
  std::uint64_t bytes_ = 0;
};

/// One import: a feeder that cuts the input into pairs, and a put for each, so many at a time.
class importer {
 public:
  importer(session& s, const input_file& in, pair_format format)
      : session_(s)
      , input_(in)
      , lines_(format)
      , reader_("import")
      , puts_(s.loop)
      , room_(s.loop)
      , bar_("imported", s.loop.now())
      , progress_at_(s.loop.now()) {}

  coro::task<int> run() {
    co_await feed();
    co_await puts_.join();
    co_return report();
  }

 private:
  /// Hands every pair of the input out, until it ends or something is wrong.
  coro::task<void> feed() {
    bool ended = false;
    while (failure_.empty() && !ended) {
      const input_file* const in = &input_;
      auto job = [in] { return in->read(); };
      const result<std::string> piece = co_await coro::run_on(reader_, session_.loop, job);
      if (piece.has_error()) {
        fail(piece.error().exit_code(), piece.error().message());
        co_return;
      }
      ended = piece->empty();
      if (ended) lines_.finish();
      lines_.feed(*piece);
      co_await hand_out();
    }
  }

  coro::task<void> hand_out() {
    while (failure_.empty()) {
      auto pair = lines_.next();
      if (pair.has_error()) {
        fail(config::exit_code::usage, input_.name() + ": " + pair.error().message());
        co_return;
      }
      if (!*pair) co_return;
      // A later line for the same key must not overtake an earlier one that is sent again.
      while (!has_room((*pair)->key)) co_await room_.wait();
      if (!failure_.empty()) co_return;
      keys_.insert((*pair)->key);
      bytes_ += (*pair)->key.size() + (*pair)->value.size();
      puts_.spawn(put(std::move((*pair)->key), std::move((*pair)->value)));
      show();
    }
  }

  [[nodiscard]] bool has_room(const std::string& key) const {
    if (!failure_.empty()) return true; // nothing more is sent
    return keys_.size() < window_puts && bytes_ < window_bytes && keys_.count(key) == 0;
  }

  coro::task<void> put(std::string key, std::string value) {
    while (failure_.empty()) {
      wire::client_body body = kv::command(kv::put{.key = key, .value = value});
      const coro::time_point deadline = session_.deadline();
      const wire::call_result answer =
          co_await session_.client.call(std::move(body), deadline, wire::client::repeat::idempotent);
      if (answer.has_value()) {
        ++acknowledged_;
        progress_at_ = session_.loop.now();
        break;
      }
      if (!may_repeat(answer.error())) {
        fail(config::exit_code::unavailable, answer.error().message());
        break;
      }
      if (answer.error().code() == wire::request_errc::unknown) ++repeated_;
      const coro::duration pause = std::chrono::milliseconds(20);
      co_await session_.loop.timers().sleep_for(pause);
    }
    keys_.erase(key);
    bytes_ -= key.size() + value.size();
    show();
    room_.set();
  }

  /// A put is idempotent as long as no later one for its key was sent: so an unknown one may be sent again.
  [[nodiscard]] bool may_repeat(const wire::call_error& e) const {
    using enum wire::request_errc;
    const auto code = e.code();
    const bool passing = code == none || code == unknown || code == timeout || wire::worth_retrying(code);
    return passing && session_.loop.now() - progress_at_ < session_.timeout;
  }

  void fail(int code, const std::string& message) {
    if (!failure_.empty()) return;
    failure_ = message;
    code_ = code;
    room_.set();
  }

  void show() {
    const double share = input_.bytes() == 0
                             ? -1
                             : static_cast<double>(lines_.taken_bytes() - std::min(lines_.taken_bytes(), bytes_)) /
                                   static_cast<double>(input_.bytes());
    bar_.update(share, acknowledged_, session_.loop.now());
  }

  int report() {
    bar_.clear();
    if (!failure_.empty()) complain(failure_);
    repeated_ += session_.client.counters().repeats;
    if (repeated_ != 0)
      remark(counted(repeated_, "put") + " without an answer " + (repeated_ == 1 ? "was" : "were") +
             " sent again (a put is idempotent)");
    std::string out;
    if (session_.json)
      json_writer(out)
          .begin_object()
          .key("acknowledged")
          .number(acknowledged_)
          .key("repeated")
          .number(repeated_)
          .end_object();
    else
      out = "acknowledged " + std::to_string(acknowledged_);
    const int printed = print(out + "\n");
    return code_ == config::exit_code::ok ? printed : code_;
  }

  session& session_;
  const input_file& input_;
  pair_lines lines_;
  coro::thread_worker reader_;
  coro::task_group puts_;
  coro::event room_;
  progress_bar bar_;
  std::set<std::string, std::less<>> keys_; ///< in flight
  std::size_t bytes_ = 0;                   ///< of them and their values
  std::uint64_t acknowledged_ = 0;
  std::uint64_t repeated_ = 0;
  coro::time_point progress_at_;
  std::string failure_;
  int code_ = config::exit_code::ok;
};

coro::task<int> import(session* s, const input_file* in, pair_format format) {
  importer i(*s, *in, format);
  const int code = co_await i.run();
  co_return code;
}

int run_import(const invocation& in) {
  const input_file file(in.argument(0));
  if (!file.open()) return complain(usage(in.argument(0) + ": " + std::strerror(errno)));
  const auto format = in.text("format") == "jsonl" ? pair_format::jsonl : pair_format::lines;
  constexpr bool patient = true;
  return run_client(
      in, [&](session& s) { return import(&s, &file, format); }, patient);
}

} // namespace

command_spec import_command() {
  return {
      .name = "import",
      .summary = "put every line of a file",
      .arguments = {{"FILE"}},
      .options = {{"format", "lines|jsonl", option_kind::choice, "key<TAB>value lines, or a JSON object a line"}},
      .details =
          "FILE '-' is standard input. A line is key<TAB>value with \\t \\n \\\\ \\xHH escapes; with --format jsonl it "
          "is\n"
          "{\"key\": …, \"value\": …}, or key_base64 and value_base64 for bytes that are not UTF-8.\n"
          "Puts are pipelined; lines for one key keep their order. A change of leader, or an endpoint that falls\n"
          "silent, is survived: a put without an answer is sent again, to the next endpoint, and a note says how many\n"
          "were. The import ends when nothing was acknowledged for --timeout. A bad line is named by its number and "
          "ends the\n"
          "import with 64: the lines before it are in, none after it. The last line printed is the number of puts\n"
          "that were acknowledged.",
      .examples = {"quorumd import words.tsv", "quorumd export | quorumd import - --endpoint 10.0.0.9:2379",
                   "quorumd import backup.jsonl --format jsonl --output json"},
      .run = run_import,
      .bulk = true};
}

} // namespace quorumd::cli
