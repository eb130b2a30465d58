#include "transcript.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace quorumd::raft::test;

namespace {

std::string read_page(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> pages() {
  std::vector<std::filesystem::path> all;
  for (const auto& file : std::filesystem::directory_iterator(QUORUMD_TRANSCRIPTS)) all.push_back(file.path());
  std::sort(all.begin(), all.end());
  return all;
}

/// The first line in which two pages differ.
std::string first_difference(const std::string& a, const std::string& b) {
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const std::size_t begin = at == 0 ? 0 : a.rfind('\n', static_cast<std::size_t>(at) - 1) + 1;
  return a.substr(begin, a.find('\n', begin) - begin) +
         "\n   where it should be: " + b.substr(begin, b.find('\n', begin) - begin);
}

} // namespace

// What bare cores do, as pages to read; QUORUMD_REGENERATE=1 writes them anew, for `git diff` to show what changed.
TEST_CASE("the transcripts say what happens") {
  REQUIRE(pages().size() >= 8);
  for (const auto& path : pages()) {
    const std::string page = read_page(path);
    const std::string now = transcript().run(page);
    CHECK_MESSAGE(now.find("BROKEN") == std::string::npos, path.filename().string());
    if (std::getenv("QUORUMD_REGENERATE") != nullptr)
      std::ofstream(path, std::ios::binary | std::ios::trunc) << now;
    else {
      INFO(path.filename().string(), ": ", first_difference(now, page));
      CHECK(bool(now == page));
    }
  }
}

TEST_CASE("a transcript's mistake is named") {
  CHECK_THROWS_WITH((void)transcript().run("elect 1\n"), "line 1: the first command is 'nodes N'");
  CHECK_THROWS_WITH((void)transcript().run("nodes 3\nelct 1\n"), "line 2: 'elct' is no command");
  CHECK_THROWS_WITH((void)transcript().run("nodes 3\nelect 4\n"), "line 2: there is no node 4");
  CHECK_THROWS_WITH((void)transcript().run("nodes 3\n\npropose x y\n"), "line 3: stoull");
}
