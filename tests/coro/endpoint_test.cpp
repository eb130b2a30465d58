#include "coro/net.hpp"

#include <doctest/doctest.h>

namespace quorumd::coro {
namespace {

// What a person may write as an address is read, and written back in the one spelling.
TEST_CASE("endpoints that parse") {
  struct row {
    const char* text;
    endpoint expected;
    const char* printed;
  };
  const row rows[] = {
      {"127.0.0.1:2379", {"127.0.0.1", 2379}, "127.0.0.1:2379"},
      {"node-1.example:0", {"node-1.example", 0}, "node-1.example:0"},
      {"localhost:65535", {"localhost", 65535}, "localhost:65535"},
      {"[::1]:80", {"::1", 80}, "[::1]:80"},
      {"[fe80::1%eth0]:1", {"fe80::1%eth0", 1}, "[fe80::1%eth0]:1"},
      {"h:080", {"h", 80}, "h:80"},
  };
  for (const row& r : rows) {
    CAPTURE(r.text);
    const auto got = parse_endpoint(r.text);
    REQUIRE(got);
    CHECK(*got == r.expected);
    CHECK(to_string(*got) == r.printed);
    CHECK(parse_endpoint(to_string(*got)) == got);
  }
}

// Everything else is refused, whatever part is missing or too much.
TEST_CASE("endpoints that do not parse") {
  for (const char* text : {"",
                           ":",
                           ":80",
                           "host",
                           "host:",
                           "host:65536",
                           "host:-1",
                           "host:+1",
                           "host: 1",
                           "host:1 ",
                           "host:8x",
                           "host:0x50",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[::1:80",
                           "::1]:80",
                           "[]:80",
                           "[host]:80",
                           "[[::1]]:80",
                           "http://host:80",
                           "a b:80",
                           " host:80",
                           "host/:80",
                           "[:80",
                           "host:99999999999999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_endpoint(text));
  }
}

} // namespace
} // namespace quorumd::coro
