#include "daemon/cli/args.hpp"
#include "daemon/cli/commands.hpp"
#include "tests/daemon/client/scripts.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>
#include <utility>

// `quorumd import` against scripted servers.
namespace quorumd::tests {
namespace {

using namespace std::chrono_literals;

std::string value_of(const request& r) {
  return std::string(std::get<kv::put>(std::get<kv::command>(r.what.body)).value);
}

/// Runs an import on a thread of its own, while this loop serves; the exit code.
coro::task<int> import(test_loop* t, std::string lines, std::string endpoints, std::string timeout) {
  const std::string file = std::filesystem::temp_directory_path() / ("import_test." + std::to_string(::getpid()));
  std::ofstream(file) << lines;
  std::atomic<int> code = -1;
  std::thread thread([&] {
    const auto parsed =
        cli::parse_command_line(cli::all_commands(), {"import", file, "--endpoint", endpoints, "--timeout", timeout});
    const auto& in = std::get<cli::invocation>(*parsed);
    code = in.command().run(in);
  });
  constexpr coro::duration pause = 5ms;
  while (code == -1) co_await t->loop.timers().sleep_for(pause);
  thread.join();
  std::filesystem::remove(file);
  co_return code.load();
}

/// Opens a session, or ends it, if that is asked; else false.
bool answer_session(script_connection* c, const request& r) {
  const auto* command = std::get_if<kv::command>(&r.what.body);
  if (command == nullptr) return false;
  kv::reply done;
  if (std::holds_alternative<kv::open_session>(*command))
    done.body = kv::open_session_reply{session_id(77)};
  else if (std::holds_alternative<kv::close_session>(*command))
    done.body = kv::done_reply{};
  else
    return false;
  client::encode_reply(c->out, r.what.id, kv::result<kv::reply>(done));
  return true;
}

/// "old 1 0": the value, which of the session's puts it is, and up to which they are answered.
std::string note_of(const request& r) {
  CHECK(r.what.call.session == session_id(77));
  return value_of(r) + " " + std::to_string(r.what.call.sequence) + " " + std::to_string(r.what.call.answered);
}

coro::task<void> notes_and_answers(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    if (!answer_session(c, r)) {
      s->seen.push_back(note_of(r));
      answer(c, r);
    }
    co_await c->send();
  }
}

/// Opens a session, notes what comes then, and says nothing.
coro::task<void> falls_silent(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    if (answer_session(c, r))
      co_await c->send();
    else
      s->seen.push_back(note_of(r));
  }
}

/// Answers all but the first put, after a while.
coro::task<void> forgets_the_first(script_connection* c, script_server* s) {
  co_await c->greet();
  for (bool first = true;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    if (!answer_session(c, r)) {
      s->seen.push_back(value_of(r));
      if (std::exchange(first, false)) continue;
      constexpr coro::duration while_ = 300ms;
      co_await c->loop.timers().sleep_for(while_);
      answer(c, r);
    }
    co_await c->send();
  }
}

/// Knows no sessions, and not what became of the first put. Notes when each came.
coro::task<void> is_older(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    if (std::holds_alternative<kv::open_session>(std::get<kv::command>(r.what.body))) {
      c->refuse(r.what.id, request_errc::invalid, {}, "a command is of an unknown kind");
    } else {
      CHECK_FALSE(r.what.call);
      const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(c->loop.now().time_since_epoch());
      s->seen.push_back(value_of(r) + " " + std::to_string(now.count()));
      if (s->seen.size() == 1)
        c->refuse(r.what.id, request_errc::unknown, {}, "the leader changed");
      else
        answer(c, r);
    }
    co_await c->send();
  }
}

coro::task<void> two_lines_for_a_key(test_loop* t) {
  script_server silent(t->loop, t->network, {falls_silent});
  script_server other(t->loop, t->network, {notes_and_answers});
  const int code = co_await import(t, "1\told\n1\tnew\n2\tlast\n", silent.address() + "," + other.address(), "900ms");
  CHECK(code == 0);
  // The second line waits for the first one's answer, and says that it is there: wherever the first was left, it would
  // come too late.
  CHECK(silent.seen == std::vector<std::string>{"old 1 0"});
  CHECK(other.seen == std::vector<std::string>{"old 1 0", "new 2 1", "last 3 1"});
  co_await silent.stop();
  co_await other.stop();
}

coro::task<void> without_sessions(test_loop* t) {
  script_server older(t->loop, t->network, {is_older});
  const int code = co_await import(t, "1\tone\n1\ttwo\n2\tthree\n", older.address(), "600ms");
  CHECK(code == 0);
  REQUIRE(older.seen.size() == 4);
  const auto at = [&](std::size_t i) { return std::stoll(older.seen[i].substr(older.seen[i].find(' '))); };
  CHECK(older.seen[0].starts_with("one "));
  CHECK(older.seen[1].starts_with("one "));
  CHECK(older.seen[2].starts_with("two "));
  CHECK(older.seen[3].starts_with("three "));
  CHECK(at(2) - at(0) >= 590);
  CHECK(at(3) - at(2) < 500);
  co_await older.stop();
}

coro::task<void> bad_third_line(test_loop* t) {
  script_server server(t->loop, t->network, {forgets_the_first});
  const int code = co_await import(t, "1\tone\n2\ttwo\nno tabulator\n4\tfour\n", server.address(), "600ms");
  CHECK(code == 64);
  CHECK(server.seen == std::vector<std::string>{"one", "two", "one"});
  co_await server.stop();
}

} // namespace

// The endpoint that got the first line for a key falls silent, and another one gets the same put of the same session.
TEST_CASE("an import sends a put again as the same one of its session") {
  on_a_loop(two_lines_for_a_key);
}

// While not every member knows sessions, a put whose outcome is unknown is sent again, and nothing else is asked before
// its first try can no longer be carried out.
TEST_CASE("an import without a session waits for what it lost") {
  on_a_loop(without_sessions);
}

// A line cannot be read while a put before it has no answer: that one is sent again nonetheless, so that all lines
// before the bad one are in.
TEST_CASE("an import puts the lines before a bad one") {
  on_a_loop(bad_third_line);
}

} // namespace quorumd::tests
