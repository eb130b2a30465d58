#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>

// What the command line says, and how soon, when members are silent, cut off or late.
namespace quorumd::testing {
namespace {

using std::chrono::steady_clock;

/// A command in the background, whose output is read when the test wants to.
class background {
 public:
  background(cluster& c, std::vector<std::string> arguments)
      : errors_(c.folder() + "/background." + std::to_string(++count_) + ".err")
      , pipe_(errors_ + ".pipe") {
    REQUIRE(::mkfifo(pipe_.c_str(), 0600) == 0);
    in_ = ::open(pipe_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    launch l;
    l.arguments = std::move(arguments);
    l.arguments.insert(l.arguments.begin(), quorumd_program());
    l.output = pipe_;
    l.errors = errors_;
    process_.emplace(l);
  }
  background(const background&) = delete;
  background& operator=(const background&) = delete;
  ~background() { ::close(in_); }

  /// Reads until there are so many bytes.
  [[nodiscard]] bool read(std::size_t bytes, milliseconds at_most) {
    return eventually([&] { return take() && output_.size() >= bytes; }, at_most);
  }
  /// Reads what still comes, until it has ended: the exit code.
  [[nodiscard]] std::optional<int> end(milliseconds at_most) {
    std::optional<int> code;
    const auto ended = [&] {
      take();
      code = process_->wait(milliseconds(0));
      return code.has_value();
    };
    if (!eventually(ended, at_most)) return std::nullopt;
    take();
    return code;
  }
  [[nodiscard]] const std::string& output() const { return output_; }
  [[nodiscard]] std::string errors() const { return read_file(errors_); }

 private:
  bool take() {
    char piece[65536];
    for (ssize_t n = 0; (n = ::read(in_, piece, sizeof piece)) > 0;) {
      output_.append(piece, static_cast<std::size_t>(n));
      if (n < static_cast<ssize_t>(sizeof piece)) break;
    }
    return true;
  }

  static inline unsigned count_ = 0;
  std::string errors_;
  std::string pipe_;
  int in_ = -1;
  std::optional<process> process_;
  std::string output_;
};

std::string first_then_rest(const cluster& c, std::size_t first) {
  std::string all = c.endpoint(first);
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != first) all += "," + c.endpoint(i);
  return all;
}

/// Values large enough that an export of them does not fit into a pipe and a page.
std::vector<word> large_words(std::size_t count) {
  auto words = make_words(count);
  for (word& w : words) w.value += std::string(1000, 'x');
  return words;
}

} // namespace

// Two of three members are stopped. Two dozen puts at once through the third, which finds no leader, were never
// proposed: each is told so, and none that its outcome is unknown; reads are told the same.
TEST_CASE("without a quorum the answer is that nothing was changed") {
  cluster c("answers_quorum");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t alone = c.follower();
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != alone) c.pause(i);
  const auto leaderless = [&] {
    const auto row = c.status(alone);
    return row && !row->leader;
  };
  REQUIRE(eventually(leaderless, seconds(10)));
  std::vector<std::unique_ptr<background>> puts;
  for (int i = 0; i < 24; ++i)
    puts.push_back(
        std::make_unique<background>(c, std::vector<std::string>{"put", "key" + std::to_string(i), "v", "--timeout",
                                                                 "3s", "--endpoint", c.endpoint(alone)}));
  for (const auto& p : puts) {
    REQUIRE(p->end(seconds(20)) == 2);
    CHECK_MESSAGE(p->errors().find("no quorum") != std::string::npos, p->errors());
    CHECK(p->errors().find("unknown") == std::string::npos);
  }
  const command_result got = c.run({"get", "key", "--timeout", "1s", "--endpoint", c.endpoint(alone)});
  REQUIRE(got.code == 2);
  REQUIRE_MESSAGE(got.errors.find("no quorum") != std::string::npos, got.errors);
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != alone) c.resume(i);
  c.wait_all_healthy();
  REQUIRE(c.anywhere({"get", "key", "--prefix"}).output.empty());
}

// The member that is listed first is stopped: a command goes to the next after a fraction of its time.
TEST_CASE("a silent member that is listed first costs a fraction of the time") {
  cluster c("answers_silent");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t silent = c.follower();
  c.pause(silent);
  const std::string endpoints = first_then_rest(c, silent);
  const auto began = steady_clock::now();
  const command_result put = c.run({"put", "key", "value", "--timeout", "6s", "--endpoint", endpoints});
  REQUIRE_MESSAGE(put.code == 0, put.errors);
  REQUIRE(steady_clock::now() - began < seconds(4));
  const command_result got = c.run({"get", "key", "--timeout", "6s", "--endpoint", endpoints});
  REQUIRE_MESSAGE(got.output == "value\n", got.errors);
  REQUIRE(steady_clock::now() - began < seconds(8));
  // A transaction that only reads is a read: it leaves no outcome open.
  const command_result read = c.run({"txn", "--timeout", "6s", "--endpoint", endpoints}, "\nget key\n\n");
  REQUIRE_MESSAGE(read.code == 0, read.errors);
  REQUIRE(read.output.find("value") != std::string::npos);
}

// The member that is listed first is cut off from the others and alive: it says so after a fraction of the time.
TEST_CASE("a member that is cut off and listed first costs a fraction of the time") {
  cluster c("answers_cut_off", {.nodes = 3, .proxied = true, .set = {}});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t lonely = c.follower();
  c.links().isolate(lonely, proxy::link::cut);
  const auto leaderless = [&] {
    const auto row = c.status(lonely);
    return row && !row->leader;
  };
  REQUIRE(eventually(leaderless, seconds(10)));
  const auto began = steady_clock::now();
  const command_result put =
      c.run({"put", "key", "value", "--timeout", "8s", "--endpoint", first_then_rest(c, lonely)});
  REQUIRE_MESSAGE(put.code == 0, put.errors);
  REQUIRE(steady_clock::now() - began < seconds(5));
}

// A member that was asked a moment ago answers reads of some age by itself though the leader is gone, until it cannot
// know any more how old what it has is.
TEST_CASE("a read of bounded age does without the leader while that is known") {
  cluster c("answers_max_age");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t asked = c.follower();
  REQUIRE(c.at(asked, {"put", "key", "value"}).code == 0);
  REQUIRE(c.at(asked, {"get", "key", "--max-age", "1ms"}).output == "value\n");
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != asked) c.pause(i);
  CHECK(c.at(asked, {"get", "key", "--max-age", "30s"}).output == "value\n");
  CHECK(c.at(asked, {"get", "key", "--max-age", "30s", "--count-only"}).output == "1\n");
  const command_result young = c.at(asked, {"get", "key", "--max-age", "1ms", "--timeout", "1s"});
  CHECK(young.code == 2);
  CHECK(young.errors.find("no quorum") != std::string::npos);
  CHECK(c.at(asked, {"get", "key", "--max-age", "1s", "--stale"}).code == 64);
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != asked) c.resume(i);
  REQUIRE(c.at(leader, {"get", "key", "--max-age", "1ms"}).output == "value\n");
}

// The member that an import goes through is stopped halfway: the import goes on through the others, and its note
// counts the puts that were sent again, which are no more than were on their way.
TEST_CASE("an import leaves a silent member") {
  cluster c("answers_import");
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(20000);
  const std::size_t first = c.follower();
  process import([&] {
    launch l;
    l.arguments = {quorumd_program(), "import", "-", "--endpoint", first_then_rest(c, first)};
    l.output = c.folder() + "/import.out";
    l.errors = c.folder() + "/import.err";
    l.feed = true;
    return l;
  }());
  REQUIRE(import.feed(to_lines(words, 0, 10000)));
  c.pause(first);
  REQUIRE(import.feed(to_lines(words, 10000, words.size())));
  import.end_of_feed();
  const auto code = import.wait(seconds(30));
  REQUIRE_MESSAGE(code == 0, read_file(c.folder() + "/import.err"));
  REQUIRE(read_file(c.folder() + "/import.out") == "acknowledged 20000\n");
  const std::string note = read_file(c.folder() + "/import.err");
  REQUIRE_MESSAGE(note.find("sent again; each takes effect once") != std::string::npos, note);
  REQUIRE(std::stoul(note.substr(note.find("note: ") + 6)) <= 1024);
  c.resume(first);
  c.check_all_hold(words);
}

// The member that an import goes through is stopped with a key's first line in its socket. Another one takes both lines
// of the key; awake again, the member does not carry out the first one behind the second.
TEST_CASE("a member that wakes up brings no earlier line of an import") {
  cluster c("answers_order");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t first = c.follower();
  launch l;
  l.arguments = {quorumd_program(), "import", "-", "--timeout", "2s", "--endpoint", first_then_rest(c, first)};
  l.errors = c.folder() + "/import.err";
  l.feed = true;
  process import(l);
  REQUIRE(import.feed("other\t0\n"));
  c.wait_keys(first, 1);
  c.pause(first);
  REQUIRE(import.feed("key\told\nkey\tnew\n"));
  import.end_of_feed();
  const auto code = import.wait(seconds(20));
  REQUIRE_MESSAGE(code == 0, read_file(c.folder() + "/import.err"));
  c.resume(first);
  c.wait_healthy(first);
  const command_result got = c.at(first, {"get", "key", "-w", "json"});
  REQUIRE(got.code == 0);
  CHECK_MESSAGE(got.output.find("\"value\":\"new\"") != std::string::npos, got.output);
  CHECK_MESSAGE(got.output.find("\"version\":2") != std::string::npos, got.output); // the first try came to nothing
}

// Nobody answers an import any more: it ends once nothing was acknowledged for --timeout.
TEST_CASE("an import ends when there is no progress for its timeout") {
  cluster c("answers_import_end", {.nodes = 1});
  c.start_all();
  c.wait_all_healthy();
  launch l;
  l.arguments = {quorumd_program(), "import", "-", "--timeout", "2s", "--endpoint", c.endpoints()};
  l.errors = c.folder() + "/import.err";
  l.feed = true;
  process import(l);
  const auto words = make_words(2000);
  REQUIRE(import.feed(to_lines(words, 0, 1000)));
  c.wait_keys(0, 500);
  c.pause(0);
  REQUIRE(import.feed(to_lines(words, 1000, words.size())));
  import.end_of_feed();
  REQUIRE(import.wait(seconds(10)) == 2);
}

// The member that an export reads from is stopped halfway: the export goes on at its revision through another.
TEST_CASE("an export leaves a silent member and keeps its revision") {
  cluster c("answers_export");
  c.start_all();
  c.wait_all_healthy();
  const auto words = large_words(8000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::size_t first = c.follower();
  background exported(c, {"export", "--endpoint", first_then_rest(c, first)});
  REQUIRE(exported.read(100'000, seconds(10)));
  REQUIRE(c.anywhere({"put", "zzz/late", "not in it"}).code == 0);
  c.pause(first);
  const auto code = exported.end(seconds(20));
  REQUIRE_MESSAGE(code == 0, exported.errors());
  const std::string& out = exported.output();
  REQUIRE(std::count(out.begin(), out.end(), '\n') == static_cast<std::ptrdiff_t>(words.size()));
  REQUIRE(out.find("zzz/late") == std::string::npos);
  REQUIRE(missing(words, out).empty());
}

// An export's reader takes its time while writes go on and what it reads is compacted away: the node that serves it
// keeps its revision, and the one before is gone.
TEST_CASE("an export keeps its revision through automatic compaction") {
  cluster c("answers_compaction", {.nodes = 1, .set = {"history.keep_revisions=1000"}});
  c.start_all();
  c.wait_all_healthy();
  const auto words = large_words(8000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::string revision = std::to_string(c.status(0)->revision.value() - 1);
  background exported(c, {"export", "--endpoint", c.endpoints()});
  REQUIRE(exported.read(100'000, seconds(10)));
  for (int round = 0; round < 3; ++round) {
    auto overwrites = words;
    for (word& w : overwrites) w.value = "round " + std::to_string(round);
    REQUIRE(c.anywhere({"import", "-"}, to_lines(overwrites)).code == 0);
  }
  const auto compacted = [&] {
    return c.anywhere({"get", words[0].key, "--revision", revision}).errors.find("compacted") != std::string::npos;
  };
  REQUIRE(eventually(compacted, seconds(20)));
  const auto code = exported.end(seconds(20));
  REQUIRE_MESSAGE(code == 0, exported.errors());
  REQUIRE(missing(words, exported.output()).empty());
}

// The same beyond what an export may cost: it fails, and the error names the bound.
TEST_CASE("an export that costs too much history is told which bound it passed") {
  cluster c("answers_pinned", {.nodes = 1, .set = {"history.keep_revisions=100", "history.pinned_bytes_max=1MiB"}});
  c.start_all();
  c.wait_all_healthy();
  const auto words = large_words(8000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  background exported(c, {"export", "--endpoint", c.endpoints()});
  REQUIRE(exported.read(100'000, seconds(10)));
  for (int round = 0; round < 2; ++round) {
    auto overwrites = words;
    for (word& w : overwrites) w.value[0] = static_cast<char>('0' + round);
    REQUIRE(c.anywhere({"import", "-"}, to_lines(overwrites)).code == 0);
  }
  REQUIRE(exported.end(seconds(20)) == 2);
  REQUIRE_MESSAGE(exported.errors().find("history.pinned_bytes_max") != std::string::npos, exported.errors());
}

// A put that no frame holds is refused before anything is sent; one that the server refuses costs nobody a connection.
TEST_CASE("a request that is too large is told so, and the connection goes on") {
  cluster c("answers_large", {.nodes = 1});
  c.start_all();
  c.wait_all_healthy();
  const std::string value(std::size_t{3} * 1024 * 1024, 'x');
  const command_result put = c.run({"put", "key", "-", "--endpoint", c.endpoint(0)}, value);
  REQUIRE(put.code == 2);
  REQUIRE_MESSAGE(put.errors.find("it was not sent") != std::string::npos, put.errors);

  raw_connection raw(c.client_place(0));
  wire::byte_buffer out;
  client::encode_request(out, 77, seconds(5), kv::command(kv::put{.key = "key", .value = value}));
  client::encode_request(out, 78, seconds(5), kv::command(kv::put{.key = "key", .value = "small"}));
  REQUIRE(raw.send(out));
  const auto refused = raw.receive(seconds(5));
  REQUIRE(refused.has_value());
  CHECK(refused->id == 77);
  const auto* e = std::get_if<client::client_error>(&refused->body);
  REQUIRE(e != nullptr);
  CHECK(e->code == wire::request_errc::too_large);
  const auto taken = raw.receive(seconds(5));
  REQUIRE(taken.has_value());
  CHECK(taken->id == 78);
  CHECK(std::holds_alternative<kv::reply>(taken->body));
}

} // namespace quorumd::testing
