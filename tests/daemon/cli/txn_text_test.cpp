#include "daemon/cli/txn_text.hpp"

#include <doctest/doctest.h>

#include <random>
#include <utility>
#include <vector>

namespace quorumd::cli {

// All five targets and four relations, with quoted and plain numbers.
TEST_CASE("compares") {
  const auto t = parse_txn("mod(\"k\") > \"0\"\ncreate(\"k\")=0\nversion(\"a b\") != \"3\"\nvalue(\"k\") < "
                           "\"x\\ty\"\nlease(\"k\") = \"-1\"\n"
                           "m(\"k\") = 1\nver(\"k\") = 1\nc(\"k\") = 1\nval(\"k\") = \"\"\n");
  REQUIRE(t.has_value());
  const auto& c = t->what.compares;
  REQUIRE(c.size() == 9);
  CHECK(c[0].target == kv::compare_target::mod);
  CHECK(c[0].relation == kv::compare_relation::greater);
  CHECK(c[0].key == "k");
  CHECK(c[0].number == 0);
  CHECK(c[1].target == kv::compare_target::create);
  CHECK(c[1].relation == kv::compare_relation::equal);
  CHECK(c[2].key == "a b");
  CHECK(c[2].relation == kv::compare_relation::not_equal);
  CHECK(c[2].number == 3);
  CHECK(c[3].target == kv::compare_target::value);
  CHECK(c[3].relation == kv::compare_relation::less);
  CHECK(c[3].value == "x\ty");
  CHECK(c[4].target == kv::compare_target::lease);
  CHECK(c[4].number == -1);
  CHECK(c[8].value.empty());
  CHECK(t->what.success.empty());
  CHECK(t->what.failure.empty());
}

// The three parts, told apart by empty lines, with every option of every operation.
TEST_CASE("operations") {
  const auto t =
      parse_txn("mod(\"k\") > \"0\"\r\n\r\nput key \"over\\nwrote\"\r\nput \"\\xff\" \"\"\r\ndel key --prefix\r\n\r\n"
                "get key\nget a z\nget --prefix p --limit 5 --rev 7 --keys-only\nget k --count-only\ndel \"a b\"\ndel "
                "a z\nget \"\" --prefix");
  REQUIRE(t.has_value());
  REQUIRE(t->what.success.size() == 3);
  const auto& put = std::get<kv::put>(t->what.success[0].what);
  CHECK(put.key == "key");
  CHECK(put.value == "over\nwrote");
  CHECK(std::get<kv::put>(t->what.success[1].what).key == "\xff");
  const auto& del = std::get<kv::delete_range>(t->what.success[2].what);
  CHECK(del.key == "key");
  CHECK(del.range_end == "kez");
  REQUIRE(t->what.failure.size() == 7);
  CHECK(std::get<kv::range_request>(t->what.failure[0].what).range_end.empty());
  CHECK(std::get<kv::range_request>(t->what.failure[1].what).range_end == "z");
  const auto& get = std::get<kv::range_request>(t->what.failure[2].what);
  CHECK(get.key == "p");
  CHECK(get.range_end == "q");
  CHECK(get.limit == 5);
  CHECK(get.revision == revision(7));
  CHECK(get.keys_only);
  CHECK(std::get<kv::range_request>(t->what.failure[3].what).count_only);
  CHECK(std::get<kv::delete_range>(t->what.failure[4].what).key == "a b");
  CHECK(std::get<kv::delete_range>(t->what.failure[5].what).range_end == "z");
  const auto& all = std::get<kv::range_request>(t->what.failure[6].what);
  CHECK(all.key == std::string_view("\0", 1));
  CHECK(all.range_end == std::string_view("\0", 1));
}

// No compares: what follows the first empty line runs always.
TEST_CASE("parts may be empty") {
  const auto t = parse_txn("\nput a b\n");
  REQUIRE(t.has_value());
  CHECK(t->what.compares.empty());
  CHECK(t->what.success.size() == 1);
  const auto only_failure = parse_txn("\n\nput a b\n");
  REQUIRE(only_failure.has_value());
  CHECK(only_failure->what.failure.size() == 1);
  CHECK(parse_txn("").has_value());
}

// In single quotes everything stands for itself, options too, as in etcdctl's own examples.
TEST_CASE("single quotes in a transaction") {
  const auto t = parse_txn("value('k') = '\\t\"x'\n\nput 'a key' '{\"n\": \"\\n\"}'\nput k '--prev-kv' --prev-kv\n"
                           "put '' ''\nget '--prefix'\ndel 'p' --prefix --prev-kv\n");
  REQUIRE(t.has_value());
  REQUIRE(t->what.compares.size() == 1);
  CHECK(t->what.compares[0].key == "k");
  CHECK(t->what.compares[0].value == "\\t\"x");
  REQUIRE(t->what.success.size() == 5);
  const auto& json = std::get<kv::put>(t->what.success[0].what);
  CHECK(json.key == "a key");
  CHECK(json.value == "{\"n\": \"\\n\"}");
  CHECK_FALSE(json.prev_kv);
  const auto& option = std::get<kv::put>(t->what.success[1].what);
  CHECK(option.value == "--prev-kv");
  CHECK(option.prev_kv);
  CHECK(std::get<kv::put>(t->what.success[2].what).key.empty());
  CHECK(std::get<kv::range_request>(t->what.success[3].what).key == "--prefix");
  CHECK(std::get<kv::delete_range>(t->what.success[4].what).prev_kv);
}

// Every mistake names its line, and its column in characters.
TEST_CASE("bad transactions") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"size(\"k\") = 1",
       "line 1, column 1: a compare begins with mod, create, version, value or lease, not with 'size'"},
      {"mod(k) = 1", "line 1, column 5: a compare's key stands in (\"…\")"},
      {"mod(\"k = 1", "line 1, column 5: a text in quotes has no end"},
      {"mod(\"k\" = 1", "line 1, column 8: a closing parenthesis is missing"},
      {"mod(\"k\") == 1", "line 1, column 10: a compare's relation is one of = != < >"},
      {"mod(\"k\") =", "line 1, column 11: a compare's operand is missing"},
      {"mod(\"k\") = x", "line 1, column 12: a number is expected, not 'x'"},
      {"mod('ü') = \"x\"", "line 1, column 12: a number is expected, not 'x'"},
      {"mod(\"k\") = \"99999999999999999999\"", "line 1, column 12: a number is expected, not '99999999999999999999'"},
      {"mod(\"k\") = \"1\" or", "line 1, column 16: nothing follows a compare's operand"},
      {"mod(\"k\") = 1\n\nput a", "line 3, column 1: put takes a key and a value"},
      {"\nput a b c", "line 2, column 9: put takes a key and a value, and this is one word too many"},
      {"\n  set a b", "line 2, column 3: an operation begins with put, get or del, not with 'set'"},
      {"\nput a \"b\\q\"", "line 2, column 9: an escape is one of \\t \\n \\r \\\" \\\\ \\xHH"},
      {"\nput a 'b", "line 2, column 7: a text in quotes has no end"},
      {"\nget", "line 2, column 1: get takes a key, and a range's end or --prefix"},
      {"\nget a b --prefix",
       "line 2, column 7: get takes a key, and a range's end or --prefix, and this is one word too many"},
      {"\nget a --limit x", "line 2, column 7: --limit takes a whole number"},
      {"\nget a --limit", "line 2, column 7: --limit takes a whole number"},
      {"\ndel a --limit 3", "line 2, column 7: no option '--limit' here"},
      {"\n\n\nput a b", "line 4, column 1: nothing follows the operations of failure"},
  };
  for (const auto& [text, what] : cases) {
    const auto t = parse_txn(text);
    CAPTURE(text);
    REQUIRE(t.has_error());
    CHECK(t.error().message() == what);
    CHECK(t.error().exit_code() == 64);
  }
}

// Garbage never crashes the parser.
TEST_CASE("random transactions") {
  std::mt19937_64 random(9);
  constexpr std::string_view alphabet = "mod(\"k\") =<>!\\x1 \n\tput get del --prefix";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t n = random() % 40; n > 0; --n) text += alphabet[random() % alphabet.size()];
    const auto t = parse_txn(text);
    if (t.has_error()) CHECK(t.error().message().starts_with("line "));
  }
}

} // namespace quorumd::cli
