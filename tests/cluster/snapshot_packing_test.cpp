#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

// What leaders send of their snapshots, between real processes.
namespace quorumd::testing {
namespace {

/// Words whose values look like a program's records.
std::vector<word> records(std::size_t count, std::size_t first) {
  std::vector<word> words = make_words(count, first);
  for (word& w : words)
    w.value = R"({"host":"edge-)" + w.value + R"(.example","state":"serving","tags":["blue","weight-10"],"retries":3})";
  return words;
}

/// A number of what a node's `latency` printed.
std::uint64_t reading(const std::string& printed, const std::string& name) {
  const std::size_t at = printed.find("\"name\":\"" + name + "\"");
  REQUIRE(at != std::string::npos);
  return std::stoull(printed.substr(printed.find("\"value\":", at) + 8));
}

/// A member is away while so much is written that it needs a snapshot, and is back when it has it; all hold the words.
void leave_behind(cluster& c, std::vector<word>& words) {
  const std::size_t leader = c.wait_leader();
  const std::size_t away = c.follower();
  c.kill(away);
  const std::vector<word> more = records(10'000, words.size());
  words.insert(words.end(), more.begin(), more.end());
  REQUIRE(c.anywhere({"import", "-"}, to_lines(more)).code == 0);
  REQUIRE(c.logged_within(leader, "snapshot taken at index", seconds(20)));
  c.start(away);
  REQUIRE(c.logged_within(away, "snapshot installed at index", seconds(30)));
  c.check_all_hold(words);
}

/// What all nodes have sent, of their files and on the streams.
struct traffic {
  explicit traffic(cluster& c) {
    for (std::size_t i = 0; i < c.size(); ++i) {
      const command_result r = c.anywhere({"latency", "--node", c.node_name(i), "--output", "json"});
      REQUIRE(r.code == 0);
      file += reading(r.output, "snapshot.sent_bytes"); // both of one moment: another transfer may be under way
      wire += reading(r.output, "snapshot.sent_wire_bytes");
    }
  }
  std::uint64_t file = 0;
  std::uint64_t wire = 0;
};

cluster_options with(const std::string& compression) {
  cluster_options o;
  o.set = {"storage.segment_bytes=1MiB",      "storage.snapshot_every_bytes=1MiB",
           "storage.trailing_entries=100",    "storage.reserve_bytes=1MiB",
           "limits.request_bytes_max=256KiB", "raft.snapshot_compression=" + compression};
  return o;
}

} // namespace

TEST_CASE("a member that was away is sent a packed snapshot, which takes fewer bytes") {
  cluster c("snapshot_zstd", with("zstd"));
  c.start_all();
  std::vector<word> words;
  leave_behind(c, words);
  const traffic sent(c);
  CHECK(sent.file > 500'000);
  CHECK(sent.wire < sent.file / 2);
  // And not by the leader, which has others to serve.
  const std::size_t leader = c.wait_leader();
  CHECK(c.logged(leader, " has sent n"));
  const command_result own = c.anywhere({"latency", "--node", c.node_name(leader), "--output", "json"});
  CHECK(reading(own.output, "snapshot.sent_bytes") == 0);
}

TEST_CASE("a member that was away is sent a snapshot as it is, where compression is switched off") {
  cluster c("snapshot_none", with("none"));
  c.start_all();
  std::vector<word> words;
  leave_behind(c, words);
  const traffic sent(c);
  CHECK(sent.file > 500'000);
  CHECK(sent.wire == sent.file);
}

} // namespace quorumd::testing
