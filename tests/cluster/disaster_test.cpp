#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// What is left after a majority is lost, or everything, and how it goes on from there.
namespace quorumd::testing {
namespace {

bool holds(const std::string& pairs, const std::vector<word>& words) {
  for (const word& w : words)
    if (pairs.find(w.key + "\t" + w.value + "\n") == std::string::npos) return false;
  return true;
}

/// The number behind a heading of a table.
std::string field(const std::string& text, const std::string& heading) {
  const std::size_t at = text.find("\n" + heading + " ");
  REQUIRE_MESSAGE(at != std::string::npos, text);
  const std::size_t from = text.find_first_not_of(' ', at + 1 + heading.size());
  return text.substr(from, text.find_first_of(",\n", from) - from);
}

} // namespace

// Two of three are gone for good: the third goes on with everything that was acknowledged, those that come back are
// strangers, and new members fill the places.
TEST_CASE("a survivor goes on alone and others join it") {
  cluster c("disaster_recover", {.nodes = 3, .spares = 1});
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  for (std::size_t i = 0; i < 3; ++i) c.wait_healthy(i);
  const auto words = make_words(500);
  done(c.anywhere({"import", "-"}, to_lines(words)));
  for (std::size_t i = 0; i < 3; ++i) c.wait_keys(i, words.size());

  const command_result busy = c.run({"recover", "--data-dir", c.data(0)});
  REQUIRE(busy.code == 70);
  REQUIRE(busy.errors.find("running quorumd") != std::string::npos);
  for (std::size_t i = 0; i < 3; ++i) c.kill(i);
  const command_result looked = done(c.run({"recover", "--data-dir", c.data(0)}));
  REQUIRE(field(looked.output, "member") == "n1");
  const command_result unknown = c.run({"recover", "--data-dir", c.data(0), "--force-new-cluster"});
  REQUIRE(unknown.code == 64);
  REQUIRE(unknown.errors.find("--peer HOST:PORT") != std::string::npos);
  const command_result forced = done(c.run({"recover", "--config", c.config(0), "--force-new-cluster"}));
  REQUIRE(forced.output.find("n1 is the only member") != std::string::npos);

  c.start(0);
  c.wait_healthy(0);
  REQUIRE(holds(done(c.at(0, {"export"})).output, words));
  done(c.at(0, {"put", "after", "the loss"}));

  // One that comes back with its old data finds no entrance, whichever side dials.
  c.start(1);
  REQUIRE(c.logged_within(0, "refused a stream from n2", seconds(15)));
  REQUIRE(c.status(0)->commit == c.status(0)->applied);
  c.kill(1);
  c.start(3);
  done(c.at(0, {"member", "add", at_peer(c, 3)}));
  c.wait_healthy(3);
  REQUIRE(holds(done(c.at(3, {"export", "--stale"})).output, words));
  REQUIRE(done(c.at(3, {"get", "after"})).output == "the loss\n");
}

// The survivor came later, and its log begins with how the cluster was without it.
TEST_CASE("a survivor that had joined goes on alone") {
  cluster c("disaster_joined", {.nodes = 1, .spares = 1});
  c.start(0);
  c.wait_healthy(0);
  done(c.at(0, {"put", "before", "it joined"}));
  c.start(1);
  done(c.at(0, {"member", "add", at_peer(c, 1)}));
  c.wait_healthy(1);
  REQUIRE(eventually(
      [&] {
        return c.at(0, {"member", "list"}).output.find("learner") == std::string::npos;
      },
      seconds(20)));
  done(c.at(1, {"put", "after", "it joined"}));
  c.kill(0);
  c.kill(1);
  done(c.run({"recover", "--data-dir", c.data(1), "--force-new-cluster"}));
  for (int starts = 0; starts < 2; ++starts) {
    c.start(1);
    c.wait_healthy(1);
    REQUIRE(done(c.at(1, {"get", "after"})).output == "it joined\n");
    done(c.at(1, {"put", "alone", std::to_string(starts)}));
    c.kill(1);
  }
}

// A backup is taken while writes go on; a cluster of other machines begins with it, and knows nothing of the old one.
TEST_CASE("a snapshot is saved under load and begins another cluster") {
  cluster c("disaster_restore", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(2000);
  import_run load(c);
  load.feed(words, 0, 1000);
  done(c.anywhere({"put", "acknowledged", "before"}));
  const std::string file = c.folder() + "/backup.snap";
  done(c.anywhere({"snapshot", "save", file}));
  load.feed(words, 1000, 2000);
  load.finish(2000);
  const command_result again = c.anywhere({"snapshot", "save", file});
  REQUIRE(again.code == 64);
  done(c.anywhere({"snapshot", "save", file, "--force"}));
  const std::string at_revision = field(done(c.run({"snapshot", "status", file})).output, "revision");
  c.kill_all();

  for (std::size_t i = 0; i < 3; ++i) {
    const command_result there = c.run({"snapshot", "restore", file, "--config", c.config(i)});
    REQUIRE(there.code == 64);
    REQUIRE(there.errors.find("already: restore into an empty one") != std::string::npos);
  }
  const std::string old = c.folder() + "/old";
  std::filesystem::rename(c.data(2), old);
  for (std::size_t i = 0; i < 3; ++i) {
    std::filesystem::remove_all(c.data(i));
    done(c.run(
        {"snapshot", "restore", file, "--config", c.config(i), "--bump-revision", "1000000", "--mark-compacted"}));
  }
  c.start(0);
  c.start(1);
  c.wait_healthy(0);
  REQUIRE(holds(done(c.at(1, {"export"})).output, words));
  REQUIRE(done(c.at(0, {"get", "acknowledged"})).output == "before\n");
  const std::string json = done(c.at(0, {"put", "first", "write", "--output", "json"})).output;
  REQUIRE(json.find("\"revision\":100") != std::string::npos);
  REQUIRE(c.at(0, {"get", "first", "--revision", "5"}).errors.find("has been compacted") != std::string::npos);

  // A member that was not restored is none of this cluster.
  const std::string restored = c.data(2) + ".restored";
  std::filesystem::rename(c.data(2), restored);
  std::filesystem::rename(old, c.data(2));
  c.start(2);
  REQUIRE(c.logged_within(0, "refused a stream from n3", seconds(15)));
  c.kill(2);
  std::filesystem::remove_all(c.data(2));
  std::filesystem::rename(restored, c.data(2));
  c.start(2);
  c.wait_healthy(2);
  const command_result verified = done(c.at(0, {"status", "--verify"}));
  REQUIRE(verified.output.find("n1, n2 and n3 are equal") != std::string::npos);
  REQUIRE_FALSE(at_revision.empty());
}

// One node alone, without a majority, still gives what it has; and a damaged or foreign file begins nothing.
TEST_CASE("a snapshot without a majority, and files that are none") {
  cluster c("disaster_files");
  c.start_all();
  c.wait_all_healthy();
  done(c.anywhere({"put", "a", "1"}));
  for (std::size_t i = 0; i < 3; ++i) c.wait_keys(i, 1);
  c.kill(1);
  c.kill(2);
  const std::string file = c.folder() + "/one.snap";
  const command_result none = c.at(0, {"snapshot", "save", file, "--timeout", "1s"});
  REQUIRE(none.code == 2);
  REQUIRE_FALSE(std::filesystem::exists(file));
  REQUIRE_FALSE(std::filesystem::exists(file + ".part"));
  done(c.at(0, {"snapshot", "save", file, "--stale"}));
  done(c.run({"snapshot", "status", file}));

  const std::string nowhere = c.folder() + "/nowhere";
  REQUIRE(c.run({"snapshot", "restore", c.config(0), "--data-dir", nowhere}).code == 71);
  const auto size = std::filesystem::file_size(file);
  for (const std::uintmax_t at : {std::uintmax_t{20}, size / 2, size - 10}) {
    const std::string bad = c.folder() + "/bad.snap";
    std::filesystem::copy_file(file, bad, std::filesystem::copy_options::overwrite_existing);
    std::fstream f(bad, std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(static_cast<std::streamoff>(at));
    const int before = f.peek();
    f.put(static_cast<char>(before ^ 1));
    f.close();
    REQUIRE(c.run({"snapshot", "status", bad}).code == 71);
    REQUIRE(c.run({"snapshot", "restore", bad, "--data-dir", nowhere}).code == 71);
  }
  std::filesystem::resize_file(file, size - 1);
  REQUIRE(c.run({"snapshot", "status", file}).code == 71);
  REQUIRE_FALSE(std::filesystem::exists(nowhere + "/identity"));
  REQUIRE(c.run({"snapshot", "save"}).code == 64);
  REQUIRE(c.run({"snapshot", "burn", file}).code == 64);
  REQUIRE(c.run({"snapshot", "status", file, "--stale"}).errors.find("option of snapshot save") != std::string::npos);
  REQUIRE(c.run({"recover", "--data-dir", c.data(1), "--set", "node.name=x"}).code == 64);
  REQUIRE(c.run({"snapshot", "status", c.folder() + "/none"}).code == 64);
  REQUIRE(c.at(0, {"snapshot", "save", c.folder() + "/no/such/folder.snap"}).code != 0);
}

} // namespace quorumd::testing
