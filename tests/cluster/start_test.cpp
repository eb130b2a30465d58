#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

// What a start waits for, what it hears meanwhile, and how it ends when it cannot go on.
namespace quorumd::testing {
namespace {

using std::chrono::steady_clock;

/// An address that no interface of any machine has (RFC 5737).
const std::string late_address = "192.0.2.7:2379";

/// The value that the node itself holds, without asking the leader; nothing while nobody listens.
std::optional<client::client_reply> stale_get(raw_connection& c, std::string_view key) {
  wire::byte_buffer out;
  client::encode_request(out, 1, seconds(10),
                         client::range_read{.request = {.key = key}, .serializable = true, .keep = {}});
  if (!c.connected() || !c.send(out)) return std::nullopt;
  return c.receive(seconds(20));
}

} // namespace

// A node is killed and started again: from the first moment on that it answers, it holds what was acknowledged before,
// though a read of its own state asks nobody.
TEST_CASE("the first stale read after a restart finds what was acknowledged") {
  cluster c("start_stale", {.nodes = 1});
  const auto words = make_words(30000);
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  REQUIRE(c.anywhere({"put", "one", "more"}).code == 0); // whose commit the log knows only by what follows
  for (int round = 0; round < 3; ++round) {
    c.kill(0);
    c.start(0);
    std::optional<client::client_reply> reply;
    const auto answered = [&] {
      raw_connection raw(c.client_place(0));
      reply = stale_get(raw, words.back().key);
      if (!reply) return false;
      const auto* found = std::get_if<kv::range_reply>(&reply->body);
      REQUIRE(found != nullptr);
      REQUIRE(found->kvs.size() == 1);
      return true;
    };
    REQUIRE(eventually(answered, seconds(20)));
  }
}

// An address to listen on is not there yet, as at boot: the daemon says so and waits, and hears a stop meanwhile.
TEST_CASE("an address that is late is waited for") {
  cluster c("start_late", {.nodes = 1});
  c.start(0, {"listen.client=" + late_address});
  REQUIRE(c.logged_within(0, "listen.client: cannot listen on " + late_address + " yet", seconds(10)));
  REQUIRE_FALSE(c.logged(0, "another daemon"));
  REQUIRE(c.node(0).wait(seconds(1)) == std::nullopt);
  const auto began = steady_clock::now();
  REQUIRE(c.stop(0) == 0);
  REQUIRE(steady_clock::now() - began < seconds(3));
}

// It never comes: the daemon ends with a code after which the unit starts it again.
TEST_CASE("an address that does not come ends the daemon with a code that a unit restarts") {
  cluster c("start_never", {.nodes = 1});
  c.start(0, {"listen.peer=" + late_address, "advertise.peer=" + c.ip() + ":20002"});
  REQUIRE(c.node(0).wait(seconds(60)) == 75);
  REQUIRE(c.logged(0, "listen.peer"));
}

// A port that is taken ends it at once, with a hint at who may have it.
TEST_CASE("a port that is taken is named with a hint") {
  cluster c("start_taken", {.nodes = 2});
  c.start(0);
  REQUIRE(c.logged_within(0, "recovered", seconds(10)));
  c.start(1, {"listen.client=" + c.endpoint(0)});
  REQUIRE(c.node(1).wait(seconds(20)) == 78);
  REQUIRE(c.logged(1, "Is another daemon running there?"));
}

// The disk does not answer while a snapshot is loaded: a stop is heard all the same.
TEST_CASE("a stop is heard during recovery") {
  cluster c("start_hangs", {.nodes = 1});
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.stop(0) == 0);
  const std::string snapshots = c.data(0) + "/snapshots";
  std::filesystem::create_directories(snapshots);
  // Opening it for reading waits for a writer that never comes.
  const std::string hangs = snapshots + "/0000000000000001-0000000000000005-0000000000000001.snap";
  REQUIRE(::mkfifo(hangs.c_str(), 0600) == 0);
  c.start(0);
  REQUIRE(c.node(0).wait(seconds(1)) == std::nullopt);
  const auto began = steady_clock::now();
  REQUIRE(c.stop(0) == 0);
  REQUIRE(steady_clock::now() - began < seconds(3));
}

} // namespace quorumd::testing
