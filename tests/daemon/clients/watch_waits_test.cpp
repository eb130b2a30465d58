#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace quorumd;
using namespace quorumd::testing;

// Requests that wait for keys to change.
namespace {

void put_now(node_rig& rig, const std::string& key, const std::string& value) {
  REQUIRE(rig.call(kv::command(kv::put{.key = key, .value = value})).has_value());
}

std::string text(const client::client_reply& r) {
  if (const auto* e = std::get_if<client::client_error>(&r.body))
    return "error " + std::to_string(static_cast<int>(e->code)) + " " + std::to_string(e->store.bound().value());
  const auto& w = std::get<client::watch_reply>(r.body);
  std::string out;
  for (const kv::event& e : w.events) {
    out += (e.deletion() ? "-" : "") + std::string(e.kv.key) + "@" + std::to_string(e.kv.mod_revision.value());
    if (e.prev) out += "(" + std::string(e.prev->value) + ")";
    out += " ";
  }
  return out + "| " + std::to_string(w.next.at.value()) + (w.next.sub != 0 ? "+" + std::to_string(w.next.sub) : "");
}

std::string text(const client::call_result& r) {
  REQUIRE(r.has_value());
  return text(r->reply);
}

client::watch_request from(std::uint64_t revision_number, std::chrono::milliseconds wait = 20s) {
  return {.key = "a",
          .range_end = "z",
          .start = {revision(revision_number)},
          .no_put = false,
          .no_delete = false,
          .prev_kv = true,
          .wait = wait};
}

void ask(raw_connection& c, std::uint64_t id, const client::watch_request& w) {
  wire::byte_buffer out;
  client::encode_request(out, id, 30s, w);
  REQUIRE(c.send(out));
}

} // namespace

TEST_CASE("a wait for changes: where they begin, what there is, what comes, and that nothing came") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    CHECK(text(rig.call(from(0))) == "| 2");
    put_now(rig, "k", "1");
    put_now(rig, "k", "2");
    CHECK(text(rig.call(from(2))) == "k@2 k@3(1) | 4");
    CHECK(text(rig.call(from(4, 50ms))) == "| 4");
    put_now(rig, "other", "x");
    put_now(rig, "~", "beyond the range");
    CHECK(text(rig.call(from(5, 50ms))) == "| 6");

    raw_connection c(at(rig));
    ask(c, 7, from(6));
    ask(c, 8, from(7)); // behind what comes next
    CHECK(!c.receive(200ms));
    put_now(rig, "k", "3");
    const auto came = c.receive(10s);
    REQUIRE(came.has_value());
    CHECK(came->id == 7);
    CHECK(text(*came) == "k@6(2) | 7");
    REQUIRE(rig.call(kv::command(kv::delete_range{.key = "k", .range_end = {}})).has_value());
    CHECK(text(*c.receive(10s)) == "-k@7(3) | 8");
  }
}

TEST_CASE("a wait for changes that are compacted") {
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  for (int i = 0; i < 5; ++i) put_now(rig, "k", "v");
  REQUIRE(rig.call(kv::command(kv::compact{revision(4)})).has_value());
  const auto gone = rig.call(from(3));
  REQUIRE(gone.has_error());
  CHECK(gone.error().store() == kv::error(kv::errc::compacted, revision(4)));
  CHECK(text(rig.call(from(4))) == "k@4 k@5(v) k@6(v) | 7"); // what it replaced then is gone
  auto nothing = from(4);
  nothing.range_end = "A";
  CHECK(rig.call(nothing).error().store().code() == kv::errc::range_empty);
}

// The parts of a revision that is larger than an answer come one after the other, each once.
TEST_CASE("a wait for a large revision") {
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  const std::string large(400'000, 'v');
  for (int i = 0; i < 6; ++i) put_now(rig, "k" + std::to_string(i), large);
  REQUIRE(rig.call(kv::command(kv::delete_range{.key = "k", .range_end = "l"})).has_value());
  std::string seen;
  client::watch_request w = from(8);
  while (w.start.at == revision(8)) {
    const auto r = rig.call(w);
    REQUIRE(r.has_value());
    const auto& part = std::get<client::watch_reply>(r->reply.body);
    CHECK(part.events.size() < 6);
    for (const kv::event& e : part.events) seen += e.kv.key;
    w.start = part.next;
  }
  CHECK(seen == "k0k1k2k3k4k5");
}

TEST_CASE("those who wait and go away, or stop speaking, leave nothing behind") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
  const std::size_t before = rig.connections();
  for (int round = 0; round < 20; ++round) {
    raw_connection c(at(rig));
    for (std::uint64_t id = 1; id <= 50; ++id) ask(c, id, from(100, 60s));
    if (round % 2 == 0) put_now(rig, "k", "v");
  }
  CHECK(comes_true([&] { return rig.connections() == before; }));
  raw_connection c(at(rig));
  ask(c, 1, from(1000, 60s));
  CHECK(!c.receive(100ms));
  rig.stop_reading();
  CHECK(text(*c.receive(10s)) == "| 1000");
  rig.stop_node(5s);
  rig.stop_clients(5s);
}
