#include "config/values.hpp"

#include "config/address.hpp"
#include "config/identity.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace quorumd::config;
using namespace std::chrono_literals;

// Every unit, and what is nearly one.
TEST_CASE("durations are read and written") {
  CHECK(parse_duration("50ms") == 50ms);
  CHECK(parse_duration("2s") == 2s);
  CHECK(parse_duration("1m") == 1min);
  CHECK(parse_duration("3h") == 3h);
  CHECK(parse_duration("0s") == 0ms);
  for (const char* bad : {"", "50", "ms", "1.5s", "-1s", "1 s", "1S", "1us", "1sec", "+1s", "99999999999999999999s",
                          "9223372036854775807s"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
  for (const auto d : {0ms, 1ms, 1500ms, 2000ms, 60'000ms, 90'000ms, 3'600'000ms})
    CHECK(parse_duration(format_duration(d)) == d);
  CHECK(format_duration(1500ms) == "1500ms");
  CHECK(format_duration(120s) == "2m");
}

// Binary units only: MB and M are too often read as either.
TEST_CASE("sizes are read and written") {
  CHECK(parse_size("512B") == 512);
  CHECK(parse_size("64KiB") == 65536);
  CHECK(parse_size("64MiB") == 64ull << 20);
  CHECK(parse_size("1GiB") == 1ull << 30);
  CHECK(parse_size("2TiB") == 2ull << 40);
  for (const char* bad : {"", "64", "64MB", "64M", "64 MiB", "64mib", "1.5GiB", "-1B", "9999999999TiB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_size(bad));
  }
  for (const std::uint64_t n : {0ull, 1ull, 1023ull, 1024ull, 1536ull << 10, 1ull << 40})
    CHECK(parse_size(format_size(n)) == n);
  CHECK(format_size(1536 * 1024) == "1536KiB");
}

// What an address prints it reads back, and it knows what it is.
TEST_CASE("addresses know their kind") {
  for (const char* text : {"127.0.0.1:1", "[::1]:65535", "node-1.example.org:80", "n_1:2380", "localhost:9"}) {
    const auto read = parse_address(text);
    REQUIRE(read.has_value());
    CHECK(read->text() == text);
  }
  CHECK(address{"0.0.0.0", 1}.wildcard());
  CHECK(address{"::", 1}.wildcard());
  CHECK_FALSE(address{"10.0.0.0", 1}.wildcard());
  CHECK(address{"127.3.2.1", 1}.loopback());
  CHECK(address{"::1", 1}.loopback());
  CHECK(address{"localhost", 1}.loopback());
  CHECK_FALSE(address{"0.0.0.0", 1}.loopback());
  CHECK_FALSE(address{"node1", 1}.literal());
  CHECK(address{"fe80::1", 1}.literal());
}

// A slip of the finger is one edit, a swap included.
TEST_CASE("the edit distance counts slips") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("tick", "") == 4);
  CHECK(edit_distance("heartbeet", "heartbeat") == 1);
  CHECK(edit_distance("haertbeat", "heartbeat") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

// The numbers are written to disks and sent to peers: they must never change.
TEST_CASE("identities are fixed, and differ where they should") {
  CHECK(node_id_of("demo", "n1").value() == 10333716235375662736ull);
  CHECK(node_id_of("demo", "n1") != node_id_of("demo", "n2"));
  CHECK(node_id_of("demo", "n1") != node_id_of("demon", "1"));
  CHECK(node_id_of("a", "n1") != node_id_of("b", "n1"));
  const std::vector<std::string> up{"n1", "n2", "n3"}, down{"n3", "n2", "n1"}, two{"n1", "n2"};
  CHECK(cluster_id_of("demo", up).value() == 1498333259942383563ull);
  CHECK(cluster_id_of("demo", up) == cluster_id_of("demo", down));
  CHECK(cluster_id_of("demo", up) != cluster_id_of("demo", two));
  CHECK(cluster_id_of("demo", up) != cluster_id_of("other", up));
  cluster_settings moved{"demo", {{"n2", {"h", 1}}, {"n3", {"h", 2}}, {"n1", {"h", 3}}}};
  CHECK(cluster_id_of(moved) == cluster_id_of("demo", up));

  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(node_id_of("demo", "n" + std::to_string(i)).value());
  CHECK(seen.size() == 10'000);
  CHECK(seen.count(0) == 0);
}
