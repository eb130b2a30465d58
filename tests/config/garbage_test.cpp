#include "config/keys.hpp"
#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace quorumd::config;

namespace {

/// Reads the text and checks what holds for any: it ends, and it is either good or has complaints with positions.
void survive(const std::string& text) {
  const auto read = parse(text, "f.yaml");
  if (read.has_value()) return;
  REQUIRE_FALSE(read.error().list().empty());
  for (const mistake& m : read.error().list()) {
    CHECK(m.line >= 1);
    CHECK(m.column >= 1);
    CHECK_FALSE(m.what.empty());
  }
}

} // namespace

// A file that was cut anywhere gives a list of mistakes or a shorter configuration.
TEST_CASE("no truncation of the example crashes") {
  const std::string example = example_yaml();
  for (std::size_t n = 0; n < example.size(); n += 7) survive(example.substr(0, n));
}

// Bytes replaced, removed and inserted at random, with YAML's own signs among them.
TEST_CASE("no mutation of a file crashes") {
  const std::string signs = ":-[]{}&*!|>'\"%@`#?,~ \n\t\\\r\0\xff\xc3<0aZ";
  for (unsigned seed = 1; seed <= 1500; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    std::string text = sample + "raft: {tick: 10ms}\nadmin:\n  users: [ann]\n";
    for (std::size_t edits = 1 + pick(12); edits > 0; --edits) {
      const std::size_t at = pick(text.size());
      switch (pick(3)) {
      case 0:
        text[at] = signs[pick(signs.size())];
        break;
      case 1:
        text.erase(at, 1 + pick(5));
        break;
      default:
        text.insert(at, std::string(1 + pick(3), signs[pick(signs.size())]));
      }
    }
    CAPTURE(seed);
    survive(text);
  }
}

// Nothing but noise.
TEST_CASE("no random bytes crash") {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    std::mt19937 random(seed);
    std::string text(random() % 400, '\0');
    for (char& c : text) c = static_cast<char>(random() % (seed % 2 == 0 ? 256 : 128));
    CAPTURE(seed);
    survive(text);
  }
}

// Brackets without end, and a great many keys.
TEST_CASE("deep and wide files are refused in good time") {
  for (const char* open : {"[", "{a: ", "- ", "? ", "{[", "!", "&a "}) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += open;
    CHECK_FALSE(complaints(text).empty());
  }
  std::string wide;
  for (int i = 0; i < 1'000; ++i) wide += "k" + std::to_string(i) + ": 1\n";
  CHECK(complaints(wide).size() == 1'007);
}
