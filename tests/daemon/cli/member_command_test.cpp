#include "daemon/cli/args.hpp"
#include "daemon/cli/commands.hpp"
#include "tests/daemon/client/scripts.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <unistd.h>

// `quorumd member` and `quorumd leader` against scripted servers.
namespace quorumd::tests {
namespace {

using namespace std::chrono_literals;
using client::member_role;

struct outcome {
  int code = -1;
  std::string output;
};

/// What is written to standard output while it lives.
class captured_output {
 public:
  captured_output()
      : file_(std::tmpfile())
      , before_(::dup(STDOUT_FILENO)) {
    REQUIRE(file_ != nullptr);
    std::fflush(stdout);
    ::dup2(::fileno(file_), STDOUT_FILENO);
  }
  captured_output(const captured_output&) = delete;
  captured_output& operator=(const captured_output&) = delete;
  ~captured_output() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
    std::fclose(file_);
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) out += static_cast<char>(c);
    return out;
  }

 private:
  std::FILE* file_;
  int before_;
};

/// Runs a command line on a thread of its own, while this loop serves.
coro::task<outcome> run(test_loop* t, std::vector<std::string> words) {
  std::atomic<int> code = -1;
  const captured_output captured;
  std::thread thread([&] {
    const auto parsed = cli::parse_command_line(cli::all_commands(), words);
    const auto& in = std::get<cli::invocation>(*parsed);
    code = in.command().run(in);
  });
  constexpr coro::duration pause = 5ms;
  while (code == -1) co_await t->loop.timers().sleep_for(pause);
  thread.join();
  co_return outcome{code.load(), captured.text()};
}

client::members_reply members(member_role of_n4, bool led = true) {
  client::members_reply m;
  m.index = log_index(5);
  m.from_leader = true;
  m.rows.resize(2);
  m.rows[0].name = "n1";
  m.rows[0].leader = led;
  m.rows[1].name = "n4";
  m.rows[1].role = of_n4;
  return m;
}

std::string kind_of(const request& r) {
  if (const auto* c = std::get_if<client::member_change>(&r.what.body)) return client::name_of(c->action);
  if (const auto* t = std::get_if<client::leader_transfer>(&r.what.body)) return "transfer to " + t->to;
  return std::holds_alternative<client::members_request>(r.what.body) ? "list" : "something else";
}

/// The member is a learner when it is added, and a voter when it is asked for the second time.
coro::task<void> catches_up(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    s->seen.push_back(kind_of(r));
    client::encode_reply(c->out, r.what.id, members(s->seen.size() < 3 ? member_role::learner : member_role::voter));
    co_await c->send();
  }
}

coro::task<void> never_catches_up(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    s->seen.push_back(kind_of(r));
    client::encode_reply(c->out, r.what.id, members(member_role::learner));
    co_await c->send();
  }
}

/// Answers once that n4 learns, and closes.
coro::task<void> answers_once(script_connection* c, script_server* s) {
  co_await c->greet();
  const request r = co_await c->read();
  if (r.what.id == 0) co_return;
  s->seen.push_back(kind_of(r));
  client::encode_reply(c->out, r.what.id, members(member_role::learner));
  co_await c->send();
  c->close();
}

/// Has no leader at first.
coro::task<void> elects(script_connection* c, script_server* s) {
  co_await c->greet();
  for (;;) {
    const request r = co_await c->read();
    if (r.what.id == 0) co_return;
    s->seen.push_back(kind_of(r));
    client::encode_reply(c->out, r.what.id, members(member_role::voter, s->seen.size() > 1));
    co_await c->send();
  }
}

using seen = std::vector<std::string>;

coro::task<void> added(test_loop* t) {
  script_server server(t->loop, t->network, {catches_up});
  const outcome o = co_await run(t, {"member", "add", "n4=127.0.0.1:1", "--endpoint", server.address()});
  CHECK(o.code == 0);
  CHECK(o.output == "n4 is a voter\n");
  CHECK(server.seen == seen{"add", "list", "list"});
  co_await server.stop();
}

coro::task<void> added_without_waiting(test_loop* t) {
  script_server server(t->loop, t->network, {catches_up});
  const outcome o = co_await run(t, {"member", "add", "n4=127.0.0.1:1", "--no-wait", "--endpoint", server.address()});
  CHECK(o.code == 0);
  CHECK(o.output.starts_with("name  role "));
  CHECK(server.seen == seen{"add"});
  co_await server.stop();
}

coro::task<void> out_of_time(test_loop* t) {
  script_server server(t->loop, t->network, {never_catches_up});
  const outcome o =
      co_await run(t, {"member", "replace", "n4", "--timeout", "700ms", "--endpoint", server.address(), "-w", "json"});
  CHECK(o.code == 2);
  CHECK(o.output.empty());
  CHECK(server.seen.size() >= 2);
  co_await server.stop();
}

coro::task<void> interrupted(test_loop* t) {
  script_server server(t->loop, t->network, {answers_once, answers_once, catches_up});
  const outcome o =
      co_await run(t, {"member", "add", "n4=127.0.0.1:1", "--endpoint", server.address(), "--output", "json"});
  CHECK(o.code == 0);
  CHECK(o.output.find(R"("name":"n4","address":"","client_address":null,"role":"voter")") != std::string::npos);
  CHECK(server.seen == seen{"add", "list", "list"});
  co_await server.stop();
}

coro::task<void> transferred(test_loop* t) {
  script_server server(t->loop, t->network, {elects});
  const outcome o = co_await run(t, {"leader", "transfer", "n1", "--endpoint", server.address()});
  CHECK(o.code == 0);
  CHECK(o.output == "n1\n");
  CHECK(server.seen == seen{"transfer to n1", "list"});
  co_await server.stop();
}

coro::task<void> shown(test_loop* t) {
  script_server server(t->loop, t->network, {elects});
  const outcome none = co_await run(t, {"leader", "--endpoint", server.address()});
  CHECK(none.code == 2);
  const outcome o = co_await run(t, {"leader", "show", "--endpoint", server.address()});
  CHECK(o.code == 0);
  CHECK(o.output == "n1\n");
  co_await server.stop();
}

} // namespace

// The new member catches up: the command ends, and says that it is a voter.
TEST_CASE("member add waits for the voter") {
  on_a_loop(added);
}

// The members are shown as they are then, at once.
TEST_CASE("member add without waiting") {
  on_a_loop(added_without_waiting);
}

// The member does not catch up in the time that was given: the command fails.
TEST_CASE("member replace within a time") {
  on_a_loop(out_of_time);
}

// The connection is lost while the member catches up: the wait goes on, and the change is not sent again.
TEST_CASE("a wait survives its connection") {
  on_a_loop(interrupted);
}

// The cluster has no leader for a moment after a transfer: the next one is named.
TEST_CASE("leader transfer names the next leader") {
  on_a_loop(transferred);
}

// A node that knows of no leader says so, and one that does names it.
TEST_CASE("leader names the leader") {
  on_a_loop(shown);
}

} // namespace quorumd::tests
