#include "daemon/cli/snapshot_save.hpp"

#include "config/exit_codes.hpp"
#include "consensus/storage/posix_files.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/node_settings.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr auto wait_interval = std::chrono::milliseconds(200);
/// So long a node may fail to take a snapshot.
constexpr auto failing_max = std::chrono::seconds(15);

/// The file that is written, which has its name only once it is whole.
class target_file {
 public:
  target_file(storage::file_system& files, std::string path)
      : files_(files)
      , path_(std::move(path)) {}
  target_file(const target_file&) = delete;
  target_file& operator=(const target_file&) = delete;
  ~target_file() { discard(); }

  [[nodiscard]] storage::result<void> open() {
    auto opened = files_.open(part(), storage::file_system::mode::truncate);
    if (!opened) return opened.error();
    file_ = std::move(*opened);
    return {};
  }
  /// Durable piece by piece: on a node's own disk a whole file in the cache would be in the way of the log's syncs.
  [[nodiscard]] storage::result<void> append(std::string_view bytes) {
    if (auto written = file_->write(size_, std::as_bytes(std::span(bytes.data(), bytes.size()))); !written)
      return written;
    size_ += bytes.size();
    return file_->sync();
  }
  /// Durable, read again and compared with its checksums, and only then called FILE.
  [[nodiscard]] storage::result<void> publish() {
    if (auto synced = file_->sync(); !synced) return synced;
    auto reader = storage::snapshot_reader::open(files_, part());
    if (!reader) return reader.error();
    if (auto whole = (*reader)->verify(); !whole) return whole;
    if (auto renamed = files_.rename(part(), path_); !renamed) return renamed;
    file_.reset();
    const std::size_t slash = path_.rfind('/');
    return files_.sync_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path_.substr(0, slash));
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  [[nodiscard]] std::string part() const { return path_ + ".part"; }
  void discard() {
    if (!file_) return;
    file_.reset();
    (void)files_.remove(part());
  }

  storage::file_system& files_;
  const std::string path_;
  std::unique_ptr<storage::file> file_;
  std::uint64_t size_ = 0;
};

/// One copy of a snapshot.
class saving {
 public:
  saving(session& s, target_file& to, bool stale)
      : session_(s)
      , to_(to)
      , stale_(stale) {}

  /// The exit code.
  coro::task<int> run() {
    for (client::snapshot_reply opened;;) {
      std::optional<int> failed = co_await open(&opened);
      if (failed) co_return *failed;
      if (opened.handle == 0) continue; // another node answers now
      total_ = opened.total;
      index_ = opened.index;
      failed = co_await copy(opened.handle);
      co_return failed.value_or(config::exit_code::ok);
    }
  }
  [[nodiscard]] std::uint64_t index() const { return index_.value(); }
  [[nodiscard]] const std::string& node() const { return node_; }

 private:
  /// Until the node that answers has one that holds all that was acknowledged before; the exit code if it does not. No
  /// handle: it is to be tried anew.
  coro::task<std::optional<int>> open(client::snapshot_reply* opened) {
    if (!stale_) {
      client::client_body body = client::range_read{
          .request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true}, .serializable = false};
      const coro::time_point deadline = session_.deadline();
      const client::call_result answer = co_await session_.client.call(std::move(body), deadline);
      if (answer.has_error()) co_return complain(answer.error());
      node_ = session_.client.endpoint();
    }
    std::optional<coro::time_point> failing;
    for (log_index wanted;;) {
      client::client_body body = client::snapshot_request{.handle = 0, .offset = 0, .at_least = wanted};
      const coro::time_point deadline = session_.deadline();
      const client::call_result answer = co_await session_.client.call(std::move(body), deadline);
      if (answer.has_error()) co_return complain(answer.error());
      const auto* reply = body_of<client::snapshot_reply>(answer);
      if (reply == nullptr) co_return complain(unexpected_answer(session_));
      *opened = {.handle = reply->handle, .index = reply->index, .total = reply->total, .bytes = {}, .note = {}};
      if (std::exchange(node_, session_.client.endpoint()) != session_.client.endpoint() && !stale_) {
        opened->handle = 0;
        co_return std::nullopt;
      }
      if (reply->handle != 0) co_return std::nullopt;
      wanted = reply->index;
      if (reply->note.empty())
        failing.reset();
      else if (!failing)
        failing = session_.loop.now();
      if (failing && session_.loop.now() - *failing > failing_max)
        co_return complain(error(config::exit_code::unavailable,
                                 node_ + ": the node cannot take a snapshot: " + std::string(reply->note)));
      // No request waits at the node until a snapshot is taken, which may last longer than any deadline.
      co_await session_.loop.timers().sleep_for(wait_interval);
    }
  }

  coro::task<std::optional<int>> copy(std::uint64_t handle) {
    progress_bar bar("bytes", session_.loop.now());
    while (to_.size() < total_) {
      client::client_body body = client::snapshot_request{.handle = handle, .offset = to_.size(), .at_least = {}};
      const coro::time_point deadline = session_.deadline();
      const client::call_result answer = co_await session_.client.call(std::move(body), deadline);
      bar.clear();
      if (answer.has_error()) co_return complain(answer.error());
      const auto* piece = body_of<client::snapshot_reply>(answer);
      if (piece == nullptr) co_return complain(unexpected_answer(session_));
      if (piece->bytes.empty() || piece->total != total_)
        co_return complain(error(config::exit_code::unavailable,
                                 session_.client.endpoint() + ": the snapshot ends after " +
                                     std::to_string(to_.size()) + " of " + std::to_string(total_) + " bytes"));
      if (auto written = to_.append(piece->bytes); !written) co_return complain(written.error());
      bar.update(static_cast<double>(to_.size()) / static_cast<double>(total_), to_.size(), session_.loop.now());
    }
    bar.clear();
    if (auto published = to_.publish(); !published) co_return complain(published.error());
    co_return std::nullopt;
  }

  session& session_;
  target_file& to_;
  const bool stale_;
  std::string node_; ///< that answers
  std::uint64_t total_ = 0;
  log_index index_;
};

coro::task<int> save(session* s, target_file* to, const std::string* path, bool stale) {
  saving one(*s, *to, stale);
  const int code = co_await one.run();
  if (code != config::exit_code::ok) co_return code;
  if (!s->json)
    co_return print(*path + ": " + grouped(to->size()) + " bytes, up to entry " + grouped(one.index()) + "\n");
  std::string out;
  json_writer w(out);
  w.begin_object().key("path").text(*path).key("bytes").number(to->size()).key("index").number(one.index());
  w.key("endpoint").text(one.node()).end_object();
  co_return print(out + "\n");
}

} // namespace

int run_save(const invocation& in) {
  const std::string& path = in.argument(1);
  storage::posix_files files;
  if (!in.has("force") && files.open(path, storage::file_system::mode::read).has_value())
    return complain(usage("snapshot save: " + shown(path) + " is there already: give another name, or --force"));
  target_file to(files, path);
  if (auto opened = to.open(); !opened) return complain(opened.error());
  return run_client(in, [&](session& s) { return save(&s, &to, &path, in.has("stale")); });
}

} // namespace quorumd::cli
