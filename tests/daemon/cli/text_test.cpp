#include "daemon/cli/text.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

namespace quorumd::cli {
namespace {

std::string escaped(std::string_view bytes) {
  std::string out;
  append_escaped(out, bytes);
  return out;
}
std::string mistake(std::string_view text) {
  std::string out;
  const auto r = append_unescaped(out, text);
  return r.has_error() ? r.error().message() : std::string();
}

} // namespace

// Tabs, line feeds, backslashes, control characters and broken UTF-8 are escaped; text is not.
TEST_CASE("escapes") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain text", "plain text"},
      {"a\tb\nc\\d", "a\\tb\\nc\\\\d"},
      {"\r\x01\x7f", "\\x0d\\x01\\x7f"},
      {std::string("\0", 1), "\\x00"},
      {"Grüße, 世界 🌍", "Grüße, 世界 🌍"},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc3", "\\xc3"},                            // cut short
      {"\xc0\x80", "\\xc0\\x80"},                   // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // beyond the last character
      {"\xe4\xb8!", "\\xe4\\xb8!"},
  };
  for (const auto& [bytes, text] : cases) {
    CHECK(escaped(bytes) == text);
    std::string back;
    REQUIRE(append_unescaped(back, text).has_value());
    CHECK(back == bytes);
  }
}

// Any bytes come back as they were, and what is written has neither a tab nor a line end.
TEST_CASE("escapes round trip") {
  std::mt19937_64 random(42);
  for (int i = 0; i < 5000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes)
      c = static_cast<char>(random() % 4 == 0 ? "\\\t\nx0"[random() % 5] : static_cast<char>(random()));
    const std::string text = escaped(bytes);
    CHECK(text.find_first_of("\t\n") == std::string::npos);
    CHECK(is_utf8(text));
    std::string back;
    REQUIRE(append_unescaped(back, text).has_value());
    CHECK(back == bytes);
  }
}

// A bad escape is named by its column.
TEST_CASE("bad escapes") {
  CHECK(mistake("ab\\") == "column 3: after a backslash comes t, n, xHH or another backslash");
  CHECK(mistake("\\q") == "column 1: after a backslash comes t, n, xHH or another backslash");
  CHECK(mistake("abc\\x1") == "column 4: \\x is followed by two hexadecimal digits");
  CHECK(mistake("\\x1g") == "column 1: \\x is followed by two hexadecimal digits");
  CHECK(mistake("a\tb") == "column 2: a tab inside a field is written \\t");
  CHECK(mistake("\\xAf\\xfF").empty());
}

// The examples of RFC 4648, and any bytes there and back.
TEST_CASE("base64") {
  const std::vector<std::pair<std::string, std::string>> cases = {{"", ""},
                                                                  {"f", "Zg=="},
                                                                  {"fo", "Zm8="},
                                                                  {"foo", "Zm9v"},
                                                                  {"foob", "Zm9vYg=="},
                                                                  {"fooba", "Zm9vYmE="},
                                                                  {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : cases) {
    std::string out;
    append_base64(out, bytes);
    CHECK(out == text);
    CHECK(decode_base64(text) == bytes);
  }
  for (const char* bad : {"Zg", "Zg=", "Z===", "Zm9v=", "Zm9*", "=Zm9", "Zg==Zg=="})
    CHECK_FALSE(decode_base64(bad).has_value());
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes(random() % 50, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    std::string out;
    append_base64(out, bytes);
    CHECK(decode_base64(out) == bytes);
  }
}

// Numbers and words for a person.
TEST_CASE("grouped, counted and shown") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(counted(1, "key") == "1 key");
  CHECK(counted(2000, "key") == "2,000 keys");
  CHECK(shown("a\tb") == "'a\\tb'");
  CHECK(shown(std::string(100, 'a')) == "'" + std::string(60, 'a') + "…'");
}

// Columns are as wide as their widest cell; what a line has beyond the headings is a note, and no blank ends a line.
TEST_CASE("columns") {
  CHECK(in_columns(std::vector<std::vector<std::string>>{{"name", "n"}, {"a", "100", "why"}, {"longer", "1"}}) ==
        "name    n\n"
        "a       100  why\n"
        "longer  1\n");
  CHECK(in_columns({}).empty());
}

} // namespace quorumd::cli
