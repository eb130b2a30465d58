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
#include <optional>
#include <set>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr std::size_t window_puts = 1024;
constexpr std::size_t window_bytes = std::size_t{8} * 1024 * 1024;
constexpr std::size_t piece_bytes = std::size_t{256} * 1024;
constexpr coro::duration short_pause = std::chrono::milliseconds(20);

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

/// One import: a feeder that cuts the input into pairs, and a put for each, so many at a time, in one session.
class importer {
 public:
  importer(session& s, const input_file& in, pair_format format)
      : session_(s)
      , cluster_session_(s.client, s.entropy)
      , input_(in)
      , lines_(format)
      , reader_("import")
      , puts_(s.loop)
      , room_(s.loop)
      , bar_("imported", s.loop.now())
      , progress_at_(s.loop.now()) {}

  coro::task<int> run() {
    co_await begin();
    co_await feed();
    co_await puts_.join();
    if (failure_.empty()) co_await cluster_session_.close(session_.loop.now() + session_close_max);
    co_return report();
  }

 private:
  coro::task<void> begin() {
    const auto opened = co_await cluster_session_.open(session_.deadline(), session_idle_max);
    if (!opened.has_error()) co_return;
    const auto code = opened.error().code();
    if (code != wire::request_errc::refused && code != wire::request_errc::invalid)
      fail(opened.error().message());
    else
      remark("the cluster has no sessions yet, so that after a put without an answer nothing is asked for --timeout (" +
             opened.error().message() + ")");
  }

  /// Hands every pair of the input out, until it ends or something is wrong.
  coro::task<void> feed() {
    bool ended = false;
    while (failure_.empty() && !bad_input_ && !ended) {
      const input_file* const in = &input_;
      auto job = [in] { return in->read(); };
      const result<std::string> piece = co_await coro::run_on(reader_, session_.loop, job);
      if (piece.has_error()) {
        bad_input_ = piece.error();
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
        bad_input_ = usage(input_.name() + ": " + pair.error().message());
        co_return;
      }
      if (!*pair) co_return;
      // A later line for the same key must not overtake an earlier one.
      while (!has_room((*pair)->key)) co_await room_.wait();
      while (failure_.empty() && session_.loop.now() < held_until_) co_await wait_for_lost_puts();
      if (!failure_.empty()) co_return;
      keys_.insert((*pair)->key);
      bytes_ += (*pair)->key.size() + (*pair)->value.size();
      auto turn = cluster_session_.is_open() ? cluster_session_.begin() : client::client_session::turn();
      puts_.spawn(put(std::move((*pair)->key), std::move((*pair)->value), std::move(turn)));
      show();
    }
  }

  /// Without a session an earlier try may still be in a node's hands, and must not come behind a later line's. None
  /// keeps it for longer than the call could take.
  coro::task<void> wait_for_lost_puts() {
    co_await session_.loop.timers().sleep_until(held_until_);
    progress_at_ = session_.loop.now(); // meanwhile nothing may have been asked that could be answered
  }

  [[nodiscard]] bool has_room(const std::string& key) const {
    if (!failure_.empty()) return true; // nothing more is sent
    return keys_.size() < window_puts && bytes_ < window_bytes && cluster_session_.has_room() && keys_.count(key) == 0;
  }

  coro::task<void> put(std::string key, std::string value, client::client_session::turn turn) {
    const auto repeat =
        cluster_session_.is_open() ? client::client::repeat::idempotent : client::client::repeat::certain;
    while (failure_.empty()) {
      client::client_body body = kv::command(kv::put{.key = key, .value = value});
      const coro::time_point deadline = session_.deadline();
      const client::call_result answer = co_await session_.client.call(std::move(body), deadline, repeat, turn.call());
      if (answer.has_value()) {
        ++acknowledged_;
        progress_at_ = session_.loop.now();
        break;
      }
      if (!may_repeat(answer.error())) {
        fail(answer.error().message());
        break;
      }
      if (answer.error().code() == wire::request_errc::unknown) {
        ++repeated_;
        if (!cluster_session_.is_open()) held_until_ = session_.loop.now() + session_.timeout;
      }
      co_await session_.loop.timers().sleep_for(short_pause);
    }
    { const auto ended = std::move(turn); } // before another put may begin
    keys_.erase(key);
    bytes_ -= key.size() + value.size();
    show();
    room_.set();
  }

  [[nodiscard]] bool may_repeat(const client::call_error& e) const {
    using enum wire::request_errc;
    const auto code = e.code();
    const bool passing = code == none || code == timeout || code == unknown || wire::worth_retrying(code);
    return passing && session_.loop.now() - progress_at_ < session_.timeout;
  }

  /// A put failed for good: nothing more is sent, and no other one again.
  void fail(const std::string& message) {
    if (failure_.empty()) failure_ = message;
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
    if (bad_input_) complain(bad_input_->message());
    if (!failure_.empty()) complain(failure_);
    repeated_ += session_.client.counters().repeats;
    if (repeated_ != 0)
      remark(counted(repeated_, "put") + " without an answer " + (repeated_ == 1 ? "was" : "were") +
             " sent again; each takes effect once");
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
    if (!failure_.empty()) return config::exit_code::unavailable;
    return bad_input_ ? bad_input_->exit_code() : printed;
  }

  session& session_;
  client::client_session cluster_session_;
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
  coro::time_point held_until_;    ///< nothing more is asked before
  std::optional<error> bad_input_; ///< why no more of the input is taken; what was taken before is put
  std::string failure_;            ///< why nothing more is put
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
          "Puts are pipelined, in a session: a change of leader, or an endpoint that falls silent, is survived, since "
          "a put\n"
          "without an answer is sent again, to the next endpoint, and takes effect once; a note says how many were. "
          "Lines\n"
          "for one key keep their order. The import ends when nothing was acknowledged for --timeout. A bad line is "
          "named by\n"
          "its number and ends the import with 64: the lines before it are in, none after it; with 2 if one of those "
          "could\n"
          "not be put. The last line printed is the number of puts that were acknowledged. While some member runs a "
          "version\n"
          "without sessions, nothing more is asked for --timeout after a put without an answer.",
      .examples = {"quorumd import words.tsv", "quorumd export | quorumd import - --endpoint 10.0.0.9:2379",
                   "quorumd import backup.jsonl --format jsonl --output json"},
      .run = run_import,
      .bulk = true};
}

} // namespace quorumd::cli
