#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <thread>

using namespace quorumd::testing;
namespace client = quorumd::client;
namespace wire = quorumd::wire;

namespace {

/// A command of the program that runs beside the test.
std::unique_ptr<process> beside(cluster& c, const std::string& name, std::vector<std::string> arguments) {
  launch l;
  l.arguments = {quorumd_program()};
  l.arguments.insert(l.arguments.end(), arguments.begin(), arguments.end());
  l.output = c.folder() + "/" + name + ".out";
  l.errors = c.folder() + "/" + name + ".err";
  return std::make_unique<process>(l);
}

bool names_functions_of_the_store(cluster& c, const std::string& profile) {
  const std::string report = c.folder() + "/pprof.txt";
  const std::string command =
      "google-pprof --text " + quorumd_program() + " " + profile + " >" + report + " 2>/dev/null";
  if (std::system(command.c_str()) != 0) return false;
  return read_file(report).find("quorumd::") != std::string::npos;
}

} // namespace

// While puts come in, the CPU profile that is taken through the socket names functions of this program, and so does the
// heap's.
TEST_CASE("profiles of a busy node name its functions") {
  cluster c("profile", {.nodes = 1});
  c.start(0);
  c.wait_healthy(0);
  if (c.run({"profile", "cpu", "--seconds", "1", "--socket", c.socket(0), "-o", c.folder() + "/any"})
          .errors.find("made with a sanitizer") != std::string::npos) {
    MESSAGE("skipped: a sanitizer's build has no profiler");
    return;
  }
  const auto load =
      beside(c, "bench", {"bench", "put", "--clients", "64", "--total", "100000000", "--endpoint", c.endpoint(0)});
  for (const std::string kind : {"cpu", "heap"}) {
    CAPTURE(kind);
    const std::string file = c.folder() + "/" + kind + ".prof";
    const command_result r = c.run({"profile", kind, "--seconds", "2", "--socket", c.socket(0), "-o", file});
    CHECK(r.code == 0);
    CHECK(r.output.empty());
    CHECK(r.errors.find("google-pprof") != std::string::npos);
    CHECK(std::filesystem::file_size(file) > 1000);
    if (kind == "heap") CHECK(read_file(file).find("heap profile:") == 0);
    if (std::system("command -v google-pprof >/dev/null") == 0) {
      CHECK(names_functions_of_the_store(c, file));
    } else {
      MESSAGE("google-pprof is not installed: the profile is not read");
    }
  }
  const command_result waits = c.run({"profile", "mailbox", "--seconds", "1", "--socket", c.socket(0)});
  CHECK(waits.code == 0);
  CHECK(waits.output.find("mailbox.wait writes") != std::string::npos);
  CHECK(waits.output.find("loop.lag loop-0") != std::string::npos);
  const command_result json =
      c.run({"profile", "mailbox", "--seconds", "1", "--socket", c.socket(0), "--output", "json"});
  CHECK(json.output.find("\"name\":\"mailbox.lock\"") != std::string::npos);
  CHECK(json.output.find("put.whole") == std::string::npos);
}

// One at a time, of bounded length, for nobody on the client port; and who goes away ends theirs.
TEST_CASE("profiles are for one operator at a time") {
  cluster c("profile_one", {.nodes = 1});
  c.start(0);
  c.wait_healthy(0);
  CHECK(c.run({"profile", "cpu", "--endpoint", c.endpoint(0)}).code == 64);
  CHECK(c.run({"profile", "cpu", "--seconds", "301", "--socket", c.socket(0)}).code == 64);
  CHECK(c.run({"profile", "disk", "--socket", c.socket(0)}).code == 64);
  raw_connection stranger(c.client_place(0));
  wire::byte_buffer out;
  client::encode_request(out, 5, seconds(20),
                         client::profile_request{.kind = client::profile_kind::cpu, .length = seconds(1)});
  REQUIRE(stranger.send(out));
  const auto answer = stranger.receive(seconds(10));
  REQUIRE(answer.has_value());
  CHECK(std::get<client::client_error>(answer->body).code == wire::request_errc::denied);

  const std::vector<std::string> one{"profile",  "cpu",       "--seconds", "1",
                                     "--socket", c.socket(0), "-o",        c.folder() + "/one.prof"};
  if (c.run(one).errors.find("made with a sanitizer") != std::string::npos) {
    MESSAGE("skipped: a sanitizer's build has no profiler");
    return;
  }
  const auto begin_longer = [&] {
    return beside(c, "longer",
                  {"profile", "cpu", "--seconds", "60", "--socket", c.socket(0), "-o", c.folder() + "/longer.prof"});
  };
  auto longer = begin_longer();
  const auto until = std::chrono::steady_clock::now() + seconds(20);
  command_result second = c.run(one);
  while (second.code == 0 && std::chrono::steady_clock::now() < until) { // the longer one had not begun yet,
    if (!longer->running()) longer = begin_longer();                     // or found this one there
    second = c.run(one);
  }
  CHECK(second.code == 2);
  CHECK(second.errors.find("one at a time") != std::string::npos);
  longer->signal(SIGKILL);
  while (second.code != 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(milliseconds(100));
    second = c.run(one);
  }
  CHECK(second.code == 0);
  CHECK(c.stop(0) == 0);
}
