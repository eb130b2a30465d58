#include "daemon/cli/json.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace quorumd::cli {

// Objects and arrays nest, commas come by themselves, texts are escaped.
TEST_CASE("json is written") {
  std::string out;
  json_writer w(out);
  w.begin_object().key("a").number(std::uint64_t{18446744073709551615u}).key("b").begin_array();
  w.boolean(true).null().number(1.5, 2).begin_object().end_object().begin_array().end_array().end_array();
  w.key("c").text("\"\\\n\t\x01 ü").key("d").number(std::numeric_limits<double>::infinity(), 1).end_object();
  CHECK(out == R"({"a":18446744073709551615,"b":[true,null,1.50,{},[]],"c":"\"\\\n\t\u0001 ü","d":null})");
}

// A text that is not UTF-8 is repaired; bytes go to the _base64 member.
TEST_CASE("json of bytes that are no text") {
  std::string out;
  json_writer(out)
      .begin_object()
      .key("t")
      .text("a\xff"
            "b")
      .bytes("k", "ok")
      .bytes("v", "\xff\xfe")
      .end_object();
  CHECK(out == "{\"t\":\"a\xef\xbf\xbd"
               "b\",\"k\":\"ok\",\"v_base64\":\"//4=\"}");
}

// Members in any order, spaces, escapes, surrogate pairs and base64.
TEST_CASE("json pairs are read") {
  const std::vector<std::pair<std::string, std::pair<std::string, std::string>>> cases = {
      {R"({"key":"k","value":"v"})", {"k", "v"}},
      {R"( { "value" : "v" , "key" : "k" } )", {"k", "v"}},
      {R"({"key":"\u00fc\ud83c\udf0d","value":"\"\\\/\b\f\n\r\t"})", {"ü🌍", "\"\\/\b\f\n\r\t"}},
      {R"({"key_base64":"//4=","value_base64":""})", {"\xff\xfe", ""}},
      {R"({"key":"k","value":"\u0000"})", {"k", std::string("\0", 1)}},
  };
  for (const auto& [line, pair] : cases) {
    const auto read = parse_json_pair(line);
    REQUIRE(read.has_value());
    CHECK(read->key == pair.first);
    CHECK(read->value == pair.second);
  }
}

// Every kind of mistake is named with its column.
TEST_CASE("bad json pairs") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "column 1: expected an object"},
      {"[1]", "column 1: expected an object"},
      {"\"k\"", "column 3: expected an object"},
      {R"({"key":"k"})", "column 11: the member \"value\" is missing"},
      {R"({"value":"k"})", "column 13: the member \"key\" is missing"},
      {R"({"key":"k","value":1})", "column 21: expected an object of two strings"},
      {R"({"key":"k","value":{}})", "column 20: expected an object of two strings"},
      {R"({"key":"k","value":null})", "column 20: expected an object of two strings"},
      {R"({"key":"k","value":"v"}x)", "column 24: nothing may follow the object"},
      {R"({"key":"k","key":"k"})", "column 16: the key is given twice"},
      {R"({"key":"k","key_base64":"aw=="})", "column 23: the key is given twice"},
      {R"({"key":"k","values":"v"})", "column 19: the member 'values' is not known"},
      {R"({"key":"k","value":"\ud83c"})", "column 27: this is not JSON"},
      {R"({"key":"k","value":"\q"})", "column 22: this is not JSON"},
      {R"({"key":"k","value":"\u12)", "column 25: this is not JSON: incomplete JSON"},
      {R"({"key":"k","value":"v)", "column 22: this is not JSON: incomplete JSON"},
      {"{\"key\":\"k\",\"value\":\"\xff\"}", "column 21: this is not UTF-8"},
      {R"({"key":"k","value_base64":"a"})", "column 29: this is not base64"},
      {R"({"key":"k","value_base64":"aw"})", "column 30: this is not base64"},
      {R"({"key":"k" "value":"v"})", "column 12: this is not JSON"},
  };
  for (const auto& [line, what] : cases) {
    const auto read = parse_json_pair(line);
    REQUIRE(read.has_error());
    CAPTURE(line);
    CHECK(read.error().message().substr(0, what.size()) == what);
    CHECK(read.error().exit_code() == 64);
  }
}

// Garbage never crashes the reader, and what it accepts it would write again.
TEST_CASE("random json") {
  std::mt19937_64 random(3);
  constexpr std::string_view alphabet = "{}\":,\\u0kev alyu_b64=[]\xc3\xbc";
  for (int i = 0; i < 20000; ++i) {
    std::string line = random() % 2 == 0 ? R"({"key":"k","value":"v"})" : std::string();
    for (std::size_t edits = 1 + random() % 6; edits > 0; --edits)
      line.insert(line.begin() + static_cast<std::ptrdiff_t>(random() % (line.size() + 1)),
                  alphabet[random() % alphabet.size()]);
    const auto read = parse_json_pair(line);
    if (read.has_error()) continue;
    std::string again;
    json_writer(again).begin_object().bytes("key", read->key).bytes("value", read->value).end_object();
    const auto back = parse_json_pair(again);
    REQUIRE(back.has_value());
    CHECK(back->key == read->key);
    CHECK(back->value == read->value);
  }
}

} // namespace quorumd::cli
