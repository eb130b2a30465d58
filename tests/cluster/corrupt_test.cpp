#include "consensus/storage/posix_files.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/node/state_builder.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>

// A member whose state differs from that of the others, though nothing on its disk contradicts itself.
namespace quorumd::testing {
namespace {

const std::vector<std::string> often{"storage.snapshot_every_entries=200", "storage.trailing_entries=50",
                                     "storage.consistency_check=1s"};

bool has_snapshot(const std::string& data) {
  storage::posix_files files;
  return storage::open_newest_snapshot(files, data + "/snapshots", group_id(1)).has_value();
}

/// Lets the newest snapshot say that a thousand more revisions had been made: whatever is written from then on has
/// other revisions at this member than at the others. Its checksums and hashes are right.
void falsify(const std::string& data) {
  storage::posix_files files;
  const auto reader = storage::open_newest_snapshot(files, data + "/snapshots", group_id(1));
  REQUIRE(reader.has_value());
  node::state_builder builder(kv::restoration{.as_of = {}, .raise = 1000, .without_sessions = false});
  for (bool more = true; more;) {
    const auto read = builder.read_on(**reader, std::size_t{1} << 20);
    REQUIRE(read.has_value());
    more = *read;
  }
  auto state = builder.finish();
  REQUIRE(state.has_value());
  REQUIRE(node::write_state(files, data + "/snapshots", (*reader)->info(), *state, {}).has_value());
}

void succeeds(const command_result& r) {
  REQUIRE_MESSAGE(r.code == 0, r.errors);
}

void fill_cluster(cluster& c) {
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(1000);
  import_run load(c);
  load.feed(words, 0, words.size());
  load.finish(words.size());
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(eventually([&] { return has_snapshot(c.data(i)); }, seconds(10)));
}

/// etcd's own command line, to be started.
launch etcdctl_of(cluster& c, std::size_t i, const std::string& name, const std::vector<std::string>& words) {
  std::vector<std::string> all{"/usr/bin/env", "ETCDCTL_API=3", "/usr/bin/etcdctl", "--endpoints", c.endpoint(i)};
  all.insert(all.end(), words.begin(), words.end());
  return c.beside(name, std::move(all));
}

bool raised(cluster& c, std::size_t by, std::size_t of) {
  const command_result alarms = c.at(by, {"alarm", "list"});
  return alarms.output.find(c.node_name(of)) != std::string::npos &&
         alarms.output.find(" CORRUPT ") != std::string::npos;
}

} // namespace

// It says so itself and serves nothing, nor after a restart; the others go on; and it comes back empty.
TEST_CASE("a member whose state differs serves nothing") {
  cluster c("corrupt", {.nodes = 3, .set = often});
  fill_cluster(c);
  const std::size_t leader = c.wait_leader();
  const std::size_t odd = c.follower();
  REQUIRE(c.stop(odd) == 0);
  falsify(c.data(odd));
  c.start(odd);
  const bool has_etcdctl = ::access("/usr/bin/etcdctl", X_OK) == 0;
  std::optional<process> watch;
  if (has_etcdctl) watch.emplace(etcdctl_of(c, odd, "watch", {"watch", "--prefix", ""}));
  for (int i = 0; i < 5; ++i) succeeds(c.at(leader, {"put", "after", std::to_string(i)}));

  REQUIRE(c.logged_within(odd, "CORRUPT: its state differs from that of ", seconds(15)));
  REQUIRE(c.logged_within(odd, ", first between revisions ", seconds(1)));
  REQUIRE(eventually([&] { return raised(c, leader, odd) && raised(c, odd, odd); }, seconds(10)));
  const auto refused = [&] {
    const command_result read = c.run({"get", "after", "--stale", "--endpoint", c.endpoint(odd), "--timeout", "2s"});
    const command_result write = c.run({"put", "a", "b", "--endpoint", c.endpoint(odd), "--timeout", "2s"});
    return read.code != 0 && read.errors.find("its state differs from that of ") != std::string::npos &&
           write.code != 0 && write.errors.find("its state differs from that of ") != std::string::npos;
  };
  REQUIRE(refused());
  raw_connection asks(c.client_place(odd));
  REQUIRE(asks.send("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  std::string health;
  REQUIRE(asks.closed_within(seconds(10), &health));
  REQUIRE_MESSAGE(health.ends_with("{\"health\":\"false\",\"reason\":\"ALARM CORRUPT\"}"), health);
  const command_result verified = c.at(leader, {"status", "--verify"});
  REQUIRE(verified.code == 71);
  REQUIRE_MESSAGE(verified.errors.find("the state of " + c.node_name(odd) + " differs from that of ") !=
                      std::string::npos,
                  verified.errors);
  succeeds(c.at(leader, {"put", "still", "here"}));
  if (has_etcdctl) {
    REQUIRE(watch->wait(seconds(10)).has_value()); // it was told, and ended
    REQUIRE(read_file(c.folder() + "/watch.err").find("etcdserver: corrupt cluster") != std::string::npos);
    process get(etcdctl_of(c, odd, "get", {"get", "after"}));
    REQUIRE(get.wait(seconds(10)).has_value());
    REQUIRE(read_file(c.folder() + "/get.err").find("DataLoss") != std::string::npos);
    process alarms(etcdctl_of(c, leader, "alarms", {"alarm", "list"}));
    REQUIRE(alarms.wait(seconds(10)) == 0);
    REQUIRE(read_file(c.folder() + "/alarms.out").find(" alarm:CORRUPT") != std::string::npos);
  }
  // The others are not asked to take over what it holds.
  REQUIRE(c.at(leader, {"leader", "transfer", c.node_name(odd)}).code != 0);
  REQUIRE(c.stop(odd) == 0);
  c.start(odd);
  REQUIRE(eventually([&] { return c.status(odd).has_value(); }, seconds(10)));
  REQUIRE(refused());

  succeeds(c.at(leader, {"member", "replace", c.node_name(odd), "--force", "--no-wait"}));
  c.kill(odd);
  std::filesystem::remove_all(c.data(odd));
  c.write_file(c.node_name(odd) + ".yaml", c.config_text(odd, {}, c.cluster_name()));
  c.start(odd, {"cluster.join=" + c.endpoint(leader)});
  c.wait_healthy(odd, seconds(30));
  REQUIRE(eventually([&] { return c.at(leader, {"alarm", "list"}).output.empty(); }, seconds(15)));
  succeeds(c.at(leader, {"status", "--verify"}));
}

// While no majority agrees nobody knows who is right, and nobody serves; whoever is with the majority serves again, and
// a leader that is not hands over.
TEST_CASE("where no majority agrees nobody serves until one does") {
  cluster c("corrupt_two", {.nodes = 3, .set = often});
  fill_cluster(c);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(c.stop(i) == 0);
  falsify(c.data(0));
  c.start(0);
  c.start(1);
  for (const std::size_t i : {0, 1})
    REQUIRE(c.logged_within(i, "no majority of the members agrees on which is right", seconds(20)));
  REQUIRE(c.run({"get", "k", "--endpoint", c.endpoint(1), "--timeout", "2s"}).code != 0);
  c.start(2);
  REQUIRE(c.logged_within(1, "it serves again", seconds(15)));
  REQUIRE(eventually([&] { return c.run({"put", "a", "b", "--endpoint", c.endpoint(1)}).code == 0; }, seconds(15)));
  REQUIRE(eventually([&] { return raised(c, 1, 0) && !raised(c, 1, 2); }, seconds(10)));
  const auto row = c.status(1);
  REQUIRE(row.has_value());
  REQUIRE(row->corrupt.empty());
}

} // namespace quorumd::testing
