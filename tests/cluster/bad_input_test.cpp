#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <random>

using namespace quorumd::testing;

namespace {

std::string frame_header(std::uint32_t segments_less_one, std::uint32_t words) {
  std::string h(8, '\0');
  std::memcpy(h.data(), &segments_less_one, 4);
  std::memcpy(h.data() + 4, &words, 4);
  return h;
}

std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(bytes, '\0');
  for (char& b : out) b = static_cast<char>(random());
  return out;
}

/// One thing to send, and what the log then says.
struct bad {
  const char* what;
  std::string bytes;
  const char* told;  ///< a part of the log's line; empty: only that the connection ends
  bool half = false; ///< the sender leaves in the middle of it
};

std::vector<bad> bad_things() {
  std::vector<bad> all;
  all.push_back({"random bytes", noise(4096, 1), ""});
  all.push_back({"an oversized frame", frame_header(0, 0x10000000) + noise(64, 2), ""});
  all.push_back({"several segments", frame_header(3, 8) + noise(256, 3), ""});
  all.push_back({"an empty frame", frame_header(0, 0), ""});
  all.push_back({"a truncated frame", frame_header(0, 100) + noise(64, 4), "", true});
  all.push_back({"what only begins as HTTP", "GET / HTTP/1.1\r\nHost quorumd\r\n\r\n", "HTTP"});
  return all;
}

void leave_unharmed(cluster& c, std::size_t i, int round) {
  const std::string value = "still here " + std::to_string(round);
  const command_result put = c.at(i, {"put", "key", value});
  REQUIRE_MESSAGE(put.code == 0, put.errors);
  REQUIRE(c.at(i, {"get", "key"}).output == value + "\n");
}

} // namespace

// Nonsense at the client port ends its connection with a line that names the sender; a client beside it, connected all
// the time, and everyone else are served as before.
TEST_CASE("nonsense at the client port costs its sender the connection") {
  cluster c("bad_client");
  c.start_all();
  c.wait_all_healthy();
  raw_connection beside(c.client_place(0));
  int round = 0;
  for (const bad& b : bad_things()) {
    INFO(b.what);
    const std::size_t before = c.log(0).size();
    {
      raw_connection sender(c.client_place(0));
      REQUIRE(sender.connected());
      REQUIRE(sender.send(b.bytes));
      if (!b.half) REQUIRE(sender.closed_within(seconds(10)));
    }
    if (!b.half) {
      REQUIRE(
          eventually([&] { return c.log(0).find("closed the client 127.", before) != std::string::npos; }, seconds(5)));
      REQUIRE(c.log(0).find(b.told, before) != std::string::npos);
    }
    leave_unharmed(c, 0, ++round);
  }
  // A well-formed frame that is no request is answered as one that makes no sense, and the connection goes on.
  quorumd::wire::byte_buffer out;
  quorumd::client::encode_request(out, 7, seconds(5),
                                  quorumd::kv::command(quorumd::kv::put{.key = "", .value = "no key"}));
  quorumd::client::encode_request(out, 8, seconds(5),
                                  quorumd::kv::command(quorumd::kv::put{.key = "key", .value = "v"}));
  REQUIRE(beside.send(out));
  for (int answers = 0; answers < 2; ++answers) {
    const auto reply = beside.receive(seconds(5));
    REQUIRE(reply.has_value());
    const bool failed = std::holds_alternative<quorumd::client::client_error>(reply->body);
    REQUIRE(failed == (reply->id == 7));
  }
}

// The same at the peer port, from somebody who is no member: the streams between the members stay as they are.
TEST_CASE("nonsense at the peer port costs its sender the connection") {
  cluster c("bad_peer", {.nodes = 3, .set = {"limits.handshake_timeout=1s"}});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::uint64_t term = c.status(leader)->term.value();
  int round = 0;
  for (const bad& b : bad_things()) {
    INFO(b.what);
    const std::size_t before = c.log(leader).size();
    {
      raw_connection sender(c.peer_place(leader));
      REQUIRE(sender.connected());
      REQUIRE(sender.send(b.bytes));
      // What is only half there is closed by the time limit of the handshake.
      REQUIRE(sender.closed_within(seconds(10)));
    }
    REQUIRE(eventually([&] { return c.log(leader).find(" 127.", before) != std::string::npos; }, seconds(5)));
    leave_unharmed(c, leader, ++round);
  }
  REQUIRE(c.status(leader)->term.value() == term);
}

// Connections to the peer port that say nothing are closed, and keep no member out however many there are.
TEST_CASE("silent connections at the peer port keep no member out") {
  cluster c("bad_silent", {.nodes = 3, .set = {"limits.handshake_timeout=1s"}});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t f = c.follower();
  std::vector<std::unique_ptr<raw_connection>> silent;
  for (int i = 0; i < 100; ++i) silent.push_back(std::make_unique<raw_connection>(c.peer_place(f)));
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != f) {
      c.kill(i);
      c.start(i);
    }
  c.wait_all_healthy();
  for (auto& s : silent) REQUIRE((!s->connected() || s->closed_within(seconds(10))));
}
