#include "daemon/node/read_server.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

using namespace quorumd;
using node::read_request;
using node::read_server;
using node::reply_to;
using node::request_errc;

namespace {

/// A client whose room the test decides.
struct asker final : node::reply_sink {
  bool room = true;
  bool left = false;
  void wrote(const reply_to&, const kv::result<kv::reply>&) override {}
  void ranged(const reply_to&, const kv::result<kv::range_reply>&) override {}
  void failed(const reply_to&, request_errc, std::string_view) override {}
  void flush() override {}
  [[nodiscard]] bool has_room(const reply_to&) const override { return room; }
  [[nodiscard]] bool gone(const reply_to&) const override { return left; }
};

struct rig {
  std::vector<std::uint64_t> done;
  std::vector<std::pair<std::uint64_t, request_errc>> failed;
  int slices_of_each = 1; ///< of ranges; one key is read in one
  std::map<std::uint64_t, int> slices;
  read_server reads{[this](read_request& r) {
                      const bool last = ++slices[r.to.id] == slices_of_each || r.range.range_end.empty();
                      if (last) done.push_back(r.to.id);
                      return read_server::slice{.bytes = 1000, .done = last};
                    },
                    [this](const read_request& r, request_errc why) { failed.emplace_back(r.to.id, why); }};

  void add(asker& c, std::uint64_t id, bool count_only = false, int deadline_ms = 1000, bool one_key = false) {
    read_request r;
    r.range.key = "k";
    if (!one_key) r.range.range_end = "l";
    r.to.sink = &c;
    r.to.id = id;
    r.range.count_only = count_only;
    r.deadline = coro::time_point(std::chrono::milliseconds(deadline_ms));
    reads.add(std::move(r));
  }
  void serve_all() {
    reads.serve([] { return true; });
  }
};

coro::time_point server_time(int ms) {
  return coro::time_point(std::chrono::milliseconds(ms));
}

} // namespace

// The reads of a client without room wait, those of another are served; a count, which is a few bytes, is too.
TEST_CASE("a reply is made only while its client has room") {
  rig r;
  asker full;
  asker other;
  asker counting;
  full.room = counting.room = false;
  r.add(full, 1);
  r.add(full, 2);
  r.add(other, 3);
  r.add(counting, 4, true);
  r.serve_all();
  CHECK(std::set(r.done.begin(), r.done.end()) == std::set<std::uint64_t>{3, 4});
  CHECK_FALSE(r.reads.has_work());
  full.room = true;
  CHECK_FALSE(r.reads.has_work());
  r.reads.room_returned();
  CHECK(r.reads.has_work());
  r.serve_all();
  CHECK(r.done.size() == 4);
  CHECK(r.reads.size() == 0);
}

// Without a word that there is room, a look around comes with every expire(): nothing hangs for a lost one.
TEST_CASE("room is asked for again when requests expire") {
  rig r;
  asker c;
  c.room = false;
  r.add(c, 1, false, 100);
  r.add(c, 2, false, 1000);
  r.serve_all();
  r.reads.expire(server_time(100));
  CHECK(r.failed == std::vector<std::pair<std::uint64_t, request_errc>>{{1, request_errc::timeout}});
  c.room = true;
  r.reads.expire(server_time(101));
  r.serve_all();
  CHECK(r.done == std::vector<std::uint64_t>{2});
}

// What a client had asked for is dropped unread once it is gone, whether it waits for its turn or for room.
TEST_CASE("nothing is read for a client that is gone") {
  rig r;
  asker full;
  asker quick;
  full.room = false;
  r.add(full, 1);
  r.add(quick, 2);
  r.reads.serve([] { return false; });
  r.add(quick, 3);
  full.left = quick.left = true;
  r.serve_all();
  r.reads.expire(server_time(1));
  CHECK(r.done == std::vector<std::uint64_t>{2});
  CHECK(r.failed.size() == 2);
  CHECK(r.reads.size() == 0);
}

// Reads that take several slices take turns; no more than the bound are begun at a time, and each is done in the end.
TEST_CASE("reads in slices take turns within a bound") {
  rig r;
  r.slices_of_each = 200;
  std::vector<asker> clients(read_server::begun_max + 4);
  for (std::size_t i = 0; i < clients.size(); ++i) r.add(clients[i], i);
  for (int i = 0; i < 10'000 && r.done.empty(); ++i) r.reads.serve([] { return false; });
  CHECK(r.slices.size() == read_server::begun_max);
  r.serve_all();
  CHECK(r.done.size() == clients.size());
  CHECK(r.reads.size() == 0);
}

// While as many long reads as may be are under way, and more wait for a place, whoever reads one key has it at once.
TEST_CASE("one key does not wait for a place among long reads") {
  rig r;
  r.slices_of_each = 1'000'000;
  std::vector<asker> clients(2 * read_server::begun_max);
  for (std::size_t i = 0; i < clients.size(); ++i) r.add(clients[i], i);
  for (std::size_t i = 0; i < 100 * clients.size(); ++i) r.reads.serve([] { return false; });
  asker quick;
  r.add(quick, 100, false, 1000, true);
  for (std::size_t i = 0; i < 100 * clients.size() && r.done.empty(); ++i) r.reads.serve([] { return false; });
  CHECK(r.done == std::vector<std::uint64_t>{100});
}

// A read that was begun and whose client leaves frees its place for another.
TEST_CASE("a begun read that is given up frees its place") {
  rig r;
  r.slices_of_each = 1'000'000;
  std::vector<asker> clients(read_server::begun_max);
  for (std::size_t i = 0; i < clients.size(); ++i) r.add(clients[i], i);
  for (std::size_t i = 0; i < 100 * clients.size(); ++i) r.reads.serve([] { return false; });
  r.slices_of_each = 1;
  asker late;
  r.add(late, 100);
  r.reads.serve([] { return false; });
  clients[0].left = true;
  r.reads.expire(server_time(1));
  for (std::size_t i = 0; i < 200 * clients.size() && r.done.empty(); ++i) r.reads.serve([] { return false; });
  CHECK(r.done == std::vector<std::uint64_t>{100});
  r.reads.clear(request_errc::shutting_down);
  CHECK(r.failed.size() == clients.size());
}
