#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// Two machines with data and a third that only votes.
namespace quorumd::testing {
namespace {

namespace fs = std::filesystem;

/// Whether any file of the node's data directory holds the bytes.
bool holds(cluster& c, std::size_t i, const std::string& bytes) {
  for (const auto& f : fs::recursive_directory_iterator(c.data(i))) {
    if (!f.is_regular_file()) continue;
    std::ifstream in(f.path(), std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(in), {}};
    if (all.find(bytes) != std::string::npos) return true;
  }
  return false;
}

const std::vector<std::string> short_logs{"storage.snapshot_every_entries=100", "storage.trailing_entries=0"};

} // namespace

TEST_CASE("two members with data and a witness go on without any one of them") {
  cluster c("witness", {.nodes = 2, .spares = 1});
  for (std::size_t i = 0; i < 3; ++i) c.start(i, short_logs);
  c.wait_healthy(0);
  const auto words = make_words(600);
  const auto part = [&](std::size_t from, std::size_t to) {
    return to_lines(
        {words.begin() + static_cast<std::ptrdiff_t>(from), words.begin() + static_cast<std::ptrdiff_t>(to)});
  };
  done(c.at(0, {"import", "-"}, part(0, 200)));
  const std::string third = c.node_name(2) + "=" + c.peer_place(2).ip + ":" + std::to_string(c.peer_place(2).port);
  done(c.at(0, {"member", "add", third, "--witness"})); // it gets a snapshot, since the log begins later
  REQUIRE(c.at(0, {"member", "list"}).output.find("n3    witness") != std::string::npos);
  c.wait_healthy(2);

  // Whoever asks it is served, by others. It leads never, and cannot be what is left.
  REQUIRE(c.at(2, {"get", words[0].key, "--print-value-only"}).output == words[0].value + "\n");
  done(c.at(2, {"put", "by", "the witness"}));
  REQUIRE(c.at(0, {"leader", "transfer", "n3"}).code != 0);
  const command_result alone = c.at(0, {"member", "remove", "n1", "n2", "--force"});
  REQUIRE(alone.code != 0);
  REQUIRE(alone.errors.find("only witnesses") != std::string::npos);
  REQUIRE(c.at(0, {"status"}).output.find("witness") != std::string::npos);
  const command_result verified = c.at(0, {"status", "--verify"});
  REQUIRE_MESSAGE(verified.code == 0, verified.output << verified.errors);
  REQUIRE((verified.output + verified.errors).find("n1 and n2 are equal") != std::string::npos);

  std::size_t leader = c.wait_leader();
  REQUIRE(leader != 2);
  c.kill(1 - leader); // the other with data
  done(c.at(leader, {"import", "-"}, part(200, 300)));
  c.start(1 - leader, short_logs);
  c.wait_healthy(1 - leader);
  REQUIRE(eventually([&] { return c.status(1 - leader)->applied == c.status(leader)->applied; }, seconds(20)));
  c.kill(leader);
  leader = c.wait_leader(seconds(20), leader);
  REQUIRE(leader != 2);
  done(c.at(leader, {"import", "-"}, part(300, 400)));
  c.start(1 - leader, short_logs);
  c.kill(2); // and comes back behind a snapshot
  done(c.at(leader, {"import", "-"}, part(400, 600)));
  c.start(2, short_logs);
  c.wait_healthy(2);
  REQUIRE(eventually([&] { return c.status(2)->applied == c.status(leader)->applied; }, seconds(20)));
  REQUIRE(c.status(2)->keys == 0);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const std::string all = c.at(i, {"export"}).output;
    for (const word& w : words) REQUIRE(all.find(w.key + "\t" + w.value + "\n") != std::string::npos);
  }

  c.kill(2);
  REQUIRE(holds(c, 0, words[599].key));
  for (const word& w : {words[0], words[299], words[399], words[599]}) REQUIRE_FALSE(holds(c, 2, w.key));
  const command_result survivor = c.run({"recover", "--data-dir", c.data(2), "--force-new-cluster"});
  REQUIRE(survivor.code != 0);
  REQUIRE(survivor.errors.find("n3 is a witness") != std::string::npos);
}

} // namespace quorumd::testing
