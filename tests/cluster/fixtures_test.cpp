#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

// Data directories that earlier builds left behind (fixtures/make): this one opens every one of them.
namespace quorumd::testing {
namespace {

std::vector<std::filesystem::path> fixtures() {
  std::vector<std::filesystem::path> all;
  for (const auto& f : std::filesystem::directory_iterator(QUORUMD_FIXTURES))
    if (f.path().extension() == ".gz") all.push_back(f.path());
  std::sort(all.begin(), all.end());
  return all;
}

} // namespace

TEST_CASE("data directories of earlier builds are opened") {
  REQUIRE(fixtures().size() >= 2);
  for (const std::filesystem::path& fixture : fixtures()) {
    INFO("fixture ", fixture.filename().string());
    cluster c("fixture", {.nodes = 1});
    std::filesystem::create_directories(c.data(0));
    const std::string unpack = "tar -xzf '" + fixture.string() + "' -C '" + c.folder() + "' && rm -rf '" + c.data(0) +
                               "' && mv '" + c.folder() + "/data' '" + c.data(0) + "'";
    REQUIRE(std::system(unpack.c_str()) == 0);
    const std::string exported = read_file(c.folder() + "/export.tsv");
    REQUIRE(exported.size() > 1'000'000);

    REQUIRE(c.run({"inspect", "wal", c.data(0)}).code == 0);
    REQUIRE(c.run({"recover", "--data-dir", c.data(0)}).code == 0);
    for (int round = 0; round < 2; ++round) {
      c.start(0);
      c.wait_healthy(0);
      const command_result now = c.at(0, {"export", "--prefix", "k"});
      REQUIRE(now.code == 0);
      REQUIRE(exported.find(now.output) != std::string::npos);
      REQUIRE(now.output.size() > 1'000'000);
      REQUIRE(c.at(0, {"export", "--prefix", "later"}).output.size() + now.output.size() == exported.size());
      REQUIRE(c.at(0, {"put", "new", "value"}).code == 0);
      REQUIRE(c.at(0, {"snapshot", "save", c.folder() + "/now.snap", "--force"}).code == 0);
      c.kill_all();
    }
    REQUIRE(c.run({"snapshot", "status", c.folder() + "/now.snap"}).code == 0);
  }
}

} // namespace quorumd::testing
