#include "daemon/cli/args.hpp"
#include "daemon/cli/commands.hpp"
#include "tests/wire/client_scripts.hpp"

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

/// Takes what comes and says nothing.
coro::task<void> falls_silent(script_connection* c, script_server*) {
  co_await never_answers(c, nullptr);
}

coro::task<void> notes_and_answers(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    const auto since_start = std::chrono::duration_cast<std::chrono::milliseconds>(c->loop.now().time_since_epoch());
    s->seen.push_back(value_of(r) + " " + std::to_string(since_start.count()));
    answer(c, r);
    co_await c->send();
  }
}

/// Answers all but the first put, after a while.
coro::task<void> forgets_the_first(script_connection* c, script_server* s) {
  co_await c->greet();
  for (bool first = true;; first = false) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    s->seen.push_back(value_of(r));
    if (first) continue;
    constexpr coro::duration while_ = 300ms;
    co_await c->loop.timers().sleep_for(while_);
    answer(c, r);
    co_await c->send();
  }
}

coro::task<void> two_lines_for_a_key(test_loop* t) {
  script_server silent(t->loop, t->network, {falls_silent});
  script_server other(t->loop, t->network, {notes_and_answers});
  const int code = co_await import(t, "1\told\n1\tnew\n2\tlast\n", silent.address() + "," + other.address(), "900ms");
  CHECK(code == 0);
  REQUIRE(other.seen.size() == 3);
  const auto at = [&](std::size_t i) { return std::stoll(other.seen[i].substr(other.seen[i].find(' '))); };
  CHECK(other.seen[0].starts_with("old "));
  CHECK(other.seen[1].starts_with("new "));
  CHECK(other.seen[2].starts_with("last "));
  CHECK(at(1) - at(0) >= 890);
  CHECK(at(2) - at(1) < 500);
  co_await silent.stop();
  co_await other.stop();
}

coro::task<void> bad_third_line(test_loop* t) {
  script_server server(t->loop, t->network, {forgets_the_first});
  const int code = co_await import(t, "1\tone\n2\ttwo\nno tabulator\n4\tfour\n", server.address(), "600ms");
  CHECK(code == 64);
  CHECK(server.seen == std::vector<std::string>{"one", "two", "one"});
  co_await server.stop();
}

void on_a_loop(test_loop::body b) {
  test_loop t;
  t.run(b);
}

} // namespace

// The endpoint that got the first line for a key falls silent, and another one acknowledges it: the second line waits
// until the silent one can no longer carry out the first behind it.
TEST_CASE("an import's later line for a key is not overtaken by an earlier one that was sent again") {
  on_a_loop(two_lines_for_a_key);
}

// A line cannot be read while a put before it has no answer: that one is sent again nonetheless, so that all lines
// before the bad one are in.
TEST_CASE("an import puts the lines before a bad one") {
  on_a_loop(bad_third_line);
}

} // namespace quorumd::tests
