#include "daemon/cli/pair_lines.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace quorumd::cli {
namespace {

/// What comes out of pieces of the given size; the last string is the mistake, if there was one.
std::vector<std::string> read_all(pair_format f, std::string_view text, std::size_t piece) {
  std::vector<std::string> out;
  pair_lines lines(f);
  for (;;) {
    auto next = lines.next();
    if (next.has_error()) {
      out.push_back(next.error().message());
      return out;
    }
    if (*next) {
      out.push_back((*next)->key + "=" + (*next)->value);
    } else if (!text.empty()) {
      const std::size_t n = std::min(piece, text.size());
      lines.feed(text.substr(0, n));
      text.remove_prefix(n);
      if (text.empty()) lines.finish();
    } else {
      return out;
    }
  }
}

} // namespace

// Lines are cut alike whatever the pieces; the last one needs no end.
TEST_CASE("lines in pieces") {
  const std::vector<std::string> expected = {"a=1", "b=", "c\td=x\ny", "e=last"};
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
    CHECK(read_all(pair_format::lines, "a\t1\nb\t\nc\\td\tx\\ny\ne\tlast", piece) == expected);
    CHECK(read_all(pair_format::lines, "a\t1\nb\t\nc\\td\tx\\ny\ne\tlast\n", piece) == expected);
  }
  CHECK(read_all(pair_format::jsonl, "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value_base64\":\"/w==\"}\n",
                 5) == std::vector<std::string>{"a=1", "b=\xff"});
}

// A bad line is named by its number, and the good ones before it come out first.
TEST_CASE("bad lines") {
  CHECK(read_all(pair_format::lines, "a\t1\nno tab here\nb\t2\n", 4) ==
        std::vector<std::string>{"a=1", "line 2: no tab between key and value in 'no tab here'"});
  CHECK(read_all(pair_format::lines, "a\t1\n\tv\n", 4) == std::vector<std::string>{"a=1", "line 2: the key is empty"});
  CHECK(read_all(pair_format::lines, "\n", 4) ==
        std::vector<std::string>{"line 1: no tab between key and value in ''"});
  CHECK(read_all(pair_format::lines, "a\t1\\q\n", 4) ==
        std::vector<std::string>{"line 1: value, column 2: after a backslash comes t, n, xHH or another backslash"});
  CHECK(read_all(pair_format::lines, "a\\x\t1\n", 4) ==
        std::vector<std::string>{"line 1: key, column 2: \\x is followed by two hexadecimal digits"});
  CHECK(read_all(pair_format::lines, "a\t1\t2\n", 4) ==
        std::vector<std::string>{"line 1: value, column 2: a tab inside a field is written \\t"});
  CHECK(read_all(pair_format::jsonl, "{\"key\":\"a\",\"value\":\"1\"}\n{}\n", 100).back() ==
        "line 2: column 2: the member \"key\" is missing");
}

// A pair at the limit of a request is accepted, one byte more is not; nor is a line without an end in sight.
TEST_CASE("limits of a line") {
  const std::size_t most = 1536 * 1024;
  CHECK(parse_pair(pair_format::lines, "k\t" + std::string(most - 1, 'v')).has_value());
  CHECK(parse_pair(pair_format::lines, "k\t" + std::string(most, 'v')).error().message() ==
        "key and value have 1,572,865 bytes, and the limit is 1,572,864");
  pair_lines endless(pair_format::lines);
  const std::string piece(1024 * 1024, 'x');
  for (std::size_t fed = 0; fed < pair_lines::line_bytes_max; fed += piece.size()) {
    const auto next = endless.next();
    REQUIRE(next.has_value());
    CHECK_FALSE(next->has_value());
    endless.feed(piece);
  }
  CHECK(endless.next().has_value());
  endless.feed("x");
  CHECK(endless.next().error().message() == "line 1: longer than 16,777,216 bytes");
}

// What export writes, import reads: any bytes, in both formats.
TEST_CASE("pairs round trip") {
  std::mt19937_64 random(5);
  for (const auto format : {pair_format::lines, pair_format::jsonl}) {
    for (int i = 0; i < 2000; ++i) {
      std::string key(1 + random() % 20, '\0');
      std::string value(random() % 20, '\0');
      const std::uint64_t mask = random() % 2 == 0 ? 0x7f : 0xff;
      for (char& c : key) c = static_cast<char>(random() & mask);
      for (char& c : value) c = static_cast<char>(random() & mask);
      std::string line;
      append_pair(line, format, key, value);
      REQUIRE(line.ends_with('\n'));
      line.pop_back();
      CHECK(line.find('\n') == std::string::npos);
      const auto back = parse_pair(format, line);
      REQUIRE(back.has_value());
      CHECK(back->key == key);
      CHECK(back->value == value);
    }
  }
}

} // namespace quorumd::cli
