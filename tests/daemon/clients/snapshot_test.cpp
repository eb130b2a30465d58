#include "consensus/storage/snapshot_file.hpp"
#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
using namespace std::chrono_literals;

// What a client hears that copies a snapshot.
namespace {

struct snapshot_answer {
  explicit snapshot_answer(const client::call_result& r)
      : error(r.has_error() ? r.error().message() : std::string()) {
    if (r.has_error()) return;
    const auto& s = std::get<client::snapshot_reply>(r->reply.body);
    handle = s.handle;
    index = s.index;
    total = s.total;
    bytes = s.bytes;
  }
  [[nodiscard]] bool says(const std::string& text) const { return error.find(text) != std::string::npos; }
  std::string error;
  std::uint64_t handle = 0;
  log_index index;
  std::uint64_t total = 0;
  std::string bytes;
};

void put(node_rig& rig, const std::string& key, const std::string& value) {
  REQUIRE(rig.call(kv::command(kv::put{.key = key, .value = value})).has_value());
}

/// Until the node has written what it writes by itself soon after its start: its data directory is the last of it.
void wait_until_recorded(node_rig& rig) {
  for (int tries = 0; tries < 2000; ++tries) {
    const auto r = rig.call(client::members_request{});
    REQUIRE(r.has_value());
    if (std::get<client::members_reply>(r->reply.body).rows.at(0).incarnation) return;
    std::this_thread::sleep_for(5ms); // nobody is told when the entry is applied
  }
  FAIL("the data directory is not on record");
}

snapshot_answer ask(node_rig& rig, std::uint64_t handle, std::uint64_t offset = 0, log_index at_least = {}) {
  return snapshot_answer(rig.call(client::snapshot_request{.handle = handle, .offset = offset, .at_least = at_least}));
}

/// Asks until there is one.
snapshot_answer open_one(node_rig& rig) {
  for (log_index wanted;;) {
    snapshot_answer a = ask(rig, 0, 0, wanted);
    REQUIRE_MESSAGE(a.error.empty(), a.error);
    if (a.handle != 0) return a;
    wanted = a.index;
    std::this_thread::sleep_for(5ms); // as a client asks again: nobody is told when it is taken
  }
}

std::string copy_all(node_rig& rig, const snapshot_answer& opened) {
  std::string all;
  while (all.size() < opened.total) {
    const snapshot_answer piece = ask(rig, opened.handle, all.size());
    REQUIRE_MESSAGE(piece.error.empty(), piece.error);
    REQUIRE_FALSE(piece.bytes.empty());
    REQUIRE(piece.bytes.size() <= client::snapshot_piece_max);
    all += piece.bytes;
  }
  return all;
}

} // namespace

TEST_CASE("a snapshot is copied in pieces, whole, with what was acknowledged before") {
  node_rig rig(with(1));
  wait_until_recorded(rig);
  const std::string large(600'000, 'x');
  for (int i = 0; i < 6; ++i) put(rig, "key" + std::to_string(i), large + std::to_string(i));
  const snapshot_answer first = open_one(rig);
  CHECK(first.total > 3 * client::snapshot_piece_max);
  // Another takes its place, and it stays readable.
  put(rig, "key6", "later");
  const snapshot_answer second = open_one(rig);
  CHECK(second.index > first.index);
  const std::string bytes = copy_all(rig, first);
  CHECK(ask(rig, first.handle, first.total).bytes.empty());
  CHECK(ask(rig, first.handle, UINT64_MAX).bytes.empty());

  memory_files files;
  REQUIRE(files.make_directory("/d").has_value());
  files.set_contents("/d/copy.snap", {reinterpret_cast<const std::byte*>(bytes.data()),
                                      reinterpret_cast<const std::byte*>(bytes.data()) + bytes.size()});
  const auto reader = storage::snapshot_reader::open(files, "/d/copy.snap");
  REQUIRE_MESSAGE(reader.has_value(), reader.error().message());
  CHECK((*reader)->info().mark.index == first.index);
  CHECK((*reader)->verify().has_value());
  // Nothing was applied since: the same one will do.
  CHECK(open_one(rig).index == second.index);
}

TEST_CASE("what cannot be copied is said") {
  node_rig rig(with(1));
  put(rig, "a", "1");
  CHECK(ask(rig, 4711).says("not open any more"));
  CHECK(ask(rig, 0, 0, log_index(1'000'000)).says("has not applied"));
  std::vector<snapshot_answer> open;
  for (int i = 0; i < 4; ++i) open.push_back(open_one(rig));
  const auto fifth = rig.call(client::snapshot_request{}, 500ms);
  REQUIRE(fifth.has_error());
  CHECK(fifth.error().message().find("so many clients copy a snapshot") != std::string::npos);
  // What was copied to its end gives way; it stays until then, should the last piece be lost on its way.
  const std::string all = copy_all(rig, open.back());
  CHECK(ask(rig, open.back().handle).bytes == all.substr(0, client::snapshot_piece_max));
  const snapshot_answer next = open_one(rig);
  CHECK(copy_all(rig, next) == all);
  CHECK(ask(rig, open.back().handle).says("not open any more"));
  CHECK(copy_all(rig, open.front()) == all);
}

// Whoever asks for pieces and reads none costs no more than another client, and keeps nobody waiting.
TEST_CASE("pieces that nobody reads are bounded") {
  constexpr std::size_t queue = std::size_t{4} << 20;
  node_rig::options o = with(1);
  o.clients.session.queue_bytes_max = queue;
  node_rig rig(o);
  put(rig, "large", std::string(1'200'000, 'x'));
  const snapshot_answer opened = open_one(rig);
  wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 20'000; ++id)
    client::encode_request(out, id, 20s,
                           client::snapshot_request{.handle = opened.handle, .offset = 0, .at_least = {}});
  std::vector<std::unique_ptr<raw_connection>> deaf;
  for (int i = 0; i < 3; ++i) {
    deaf.push_back(std::make_unique<raw_connection>(place{"127.0.0.1", rig.port()}, 4096));
    deaf.back()->send(std::string_view(reinterpret_cast<const char*>(out.bytes().data()), out.size()), 1s);
  }
  const auto until = std::chrono::steady_clock::now() + 500ms;
  while (std::chrono::steady_clock::now() < until) {
    put(rig, "small", "value");
    CHECK(rig.held_bytes() <= 3 * (queue + 2 * client::snapshot_piece_max));
  }
  deaf.clear();
}
