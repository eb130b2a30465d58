#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace quorumd::config;
using namespace std::chrono_literals;

// The shortest file gives what it says, and the defaults for the rest.
TEST_CASE("the shortest complete file is taken, with the defaults") {
  const auto read = parse(sample, "f.yaml");
  REQUIRE(read.has_value());
  CHECK(read->node.name == "n1");
  CHECK(read->node.data_dir == "/var/lib/quorumd");
  REQUIRE(read->cluster.members.size() == 2);
  CHECK(read->cluster.members[1] == member{"n2", {"127.0.0.1", 22380}});
  CHECK(read->listen.admin == "build/run/n1/admin.sock");
  CHECK(read->advertise.peer == address{"127.0.0.1", 12380});
  CHECK(read->advertise.client == address{"127.0.0.1", 12379});
  CHECK(read->raft == raft_settings{});
  CHECK(read->storage == storage_settings{});
  CHECK(read->limits == limits_settings{});
}

// Values of every kind arrive in their fields.
TEST_CASE("every kind of value is read") {
  const std::string text = sample + "raft: {tick: 20ms, heartbeat: 100ms, election_timeout: 2s, disk_stall: 1m}\n"
                                    "storage:\n  segment_bytes: 2MiB\n  trailing_entries: 0\n"
                                    "admin:\n  users: [ann, \"1000\"]\n  groups:\n  - ops\n"
                                    "log: {level: debug}\nlimits:\n  request_bytes_max: 524288B\n";
  const auto read = parse(text, "f.yaml");
  REQUIRE(read.has_value());
  CHECK(read->raft.tick == 20ms);
  CHECK(read->raft.election_timeout == 2s);
  CHECK(read->raft.disk_stall == 1min);
  CHECK(read->storage.segment_bytes == 2 * mib);
  CHECK(read->storage.trailing_entries == 0);
  CHECK(read->admin.users == lines{"ann", "1000"});
  CHECK(read->admin.groups == lines{"ops"});
  CHECK(read->log.level == log_level::debug);
  CHECK(read->limits.request_bytes_max == 512 * kib);
}

// A section whose keys are all commented out is as if it were not there.
TEST_CASE("an empty section keeps its defaults") {
  CHECK(complaints(sample + "raft:\nlog:\n").empty());
}

// The nearest key is named by whatever is wrong: a slip, the wrong section, no section.
TEST_CASE("an unknown key is named with the nearest known one") {
  CHECK(complaints(sample + "raft:\n  heartbeet: 50ms\n") ==
        lines{"f.yaml:14:3: expected a known key, got `raft.heartbeet`: the nearest known key is `raft.heartbeat`"});
  CHECK(complaints(sample + "storage:\n  append_bytes_max: 1MiB\n") ==
        lines{"f.yaml:14:3: expected a known key, got `storage.append_bytes_max`: the nearest known key is "
              "`raft.append_bytes_max`"});
  CHECK(complaints(sample + "heartbeat: 50ms\n") ==
        lines{"f.yaml:13:1: expected a known section, got `heartbeat`: the nearest known key is `raft.heartbeat`"});
  CHECK(complaints(sample + "storge:\n  segment_bytes: 64MiB\n") ==
        lines{"f.yaml:13:1: expected a known section, got `storge`: the nearest known section is `storage`"});
  CHECK(complaints(sample + "raft.tick: 10ms\n") ==
        lines{"f.yaml:13:1: `raft.tick`: expected the key `tick` in the section `raft`"});
}

// Something else than the kind of value that the key wants, at the value's own place.
TEST_CASE("a wrong type is named with what was expected") {
  const std::string duration = "expected a duration from 1ms to 10s, such as 50ms, got ";
  CHECK(complaints(sample + "raft:\n  heartbeat: fast\n") ==
        lines{"f.yaml:14:14: raft.heartbeat: " + duration + "`fast`"});
  CHECK(complaints(sample + "raft:\n  heartbeat: [50ms]\n") ==
        lines{"f.yaml:14:14: raft.heartbeat: " + duration + "a list"});
  CHECK(complaints(sample + "raft:\n  heartbeat: {a: b}\n") ==
        lines{"f.yaml:14:14: raft.heartbeat: " + duration + "a mapping"});
  CHECK(complaints(sample + "raft: 7\n") ==
        lines{"f.yaml:13:7: raft: expected a mapping of keys, such as `tick`, got `7`"});
  CHECK(complaints(sample + "admin:\n  users: ann\n") ==
        lines{"f.yaml:14:10: admin.users: expected a list of names, such as [ann, bob], got `ann`"});
  CHECK(complaints(sample + "admin:\n  users: [ann, [bob]]\n") ==
        lines{"f.yaml:14:16: admin.users: expected a user's or group's name or number, got a list"});
  CHECK(complaints(sample + "http: {cors_origins: ['https://a:1'], host_whitelist: ['::1', b]}\n").empty());
  CHECK(complaints(sample + "http: {host_whitelist: b}\n") ==
        lines{"f.yaml:13:24: http.host_whitelist: expected a list of names, such as [db.example], got `b`"});
  CHECK(complaints(sample + "http: {pprof: true}\n").empty());
  CHECK(complaints(sample + "http: {pprof: 1}\n") ==
        lines{"f.yaml:13:15: http.pprof: expected one of false, true, got `1`"});
  CHECK(complaints(sample + "runtime: {loops: two}\n") ==
        lines{"f.yaml:13:18: runtime.loops: expected a whole number from 0 to 64, got `two`"});
  CHECK(complaints(sample + "log:\n  level: loud\n") ==
        lines{"f.yaml:14:10: log.level: expected one of trace, debug, info, warn, error, got `loud`"});
  CHECK(complaints("- a\n- b\n") == lines{"f.yaml:1:1: expected a mapping of sections, such as `node:`, got a list"});
}

// YAML's own mark for an empty value points behind it, so the key's is shown.
TEST_CASE("a key without a value is shown at the key") {
  CHECK(complaints(sample + "raft:\n  heartbeat:\n  tick: 10ms\n") ==
        lines{"f.yaml:14:3: raft.heartbeat: expected a duration from 1ms to 10s, such as 50ms, got nothing"});
  CHECK(complaints(sample_with("name: n1", "name: ~")) ==
        lines{"f.yaml:2:3: node.name: expected a name of at most 64 letters, digits, `.`, `_` and `-`, a letter or "
              "digit first, got nothing"});
}

// The same key twice, in a section, among the sections, among the members.
TEST_CASE("a duplicate is shown with the line of the first") {
  CHECK(complaints(sample + "raft:\n  tick: 10ms\n  tick: 10ms\n") ==
        lines{"f.yaml:15:3: expected each key once, but `tick` stands already in line 14"});
  CHECK(complaints(sample + "node:\n  name: n2\n") ==
        lines{"f.yaml:13:1: expected each key once, but `node` stands already in line 1"});
  CHECK(complaints(sample_with("n2: 127.0.0.1:22380", "n1: 127.0.0.1:22380")) ==
        lines{"f.yaml:8:5: expected each key once, but `n1` stands already in line 7"});
}

// What hides where a value comes from is refused, and costs no second complaint about the value.
TEST_CASE("aliases, tags, merges and further documents are refused") {
  CHECK(complaints(sample_with("peer: 127.0.0.1:12380", "peer: &p 127.0.0.1:12380") + "advertise:\n  peer: *p\n") ==
        lines{"f.yaml:14:9: expected a value, got an alias: write the value out"});
  CHECK(complaints("x: &x {a: b}\n" + sample_with("node:\n", "node: *x\nnodes:\n")).size() == 3);
  CHECK(complaints(sample + "raft: {tick: !!str 10ms}\n") ==
        lines{"f.yaml:13:14: expected a value without a tag, got the tag `tag:yaml.org,2002:str`"});
  CHECK(complaints(sample + "---\nraft: {}\n") ==
        lines{"f.yaml:13:1: expected the file to end, got a second document"});
  CHECK(complaints(sample + "? [a, b]\n: c\n") == lines{"f.yaml:13:3: expected a key, got a list"});
}

// What isn't YAML is shown where the parser stopped.
TEST_CASE("a text that is not YAML is shown at its place") {
  const auto found = complaints(sample + "raft: {tick: 10ms\nlog: x\n");
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("f.yaml:14:"));
  CHECK(found[0].find("expected YAML: ") != std::string::npos);
}

// Each form of a bad address says which part is bad.
TEST_CASE("a bad address is shown with its reason") {
  const auto reason = [](const std::string& text) {
    const auto found = complaints(sample_with("client: 127.0.0.1:12379", "client: \"" + text + "\""));
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with("f.yaml:11:11: listen.client: expected HOST:PORT, such as "));
    return found[0].substr(found[0].rfind(": ") + 2);
  };
  CHECK(reason("127.0.0.1") == "the port is missing");
  CHECK(reason("[::1]") == "the port is missing");
  CHECK(reason("[::1:2379") == "the closing bracket is missing");
  CHECK(reason("[127.0.0.1]:2379") == "what stands in brackets is not an IPv6 address");
  CHECK(reason("::1:2379") == "an IPv6 address goes in brackets");
  CHECK(reason(":2379") == "the host is missing (0.0.0.0 is every interface)");
  CHECK(reason("127.0.0.256:2379") == "that is not an IPv4 address");
  CHECK(reason("-a:2379") == "that is not a host name");
  CHECK(reason("a b:2379") == "that is not a host name");
  for (const char* port : {"0", "65536", "", "http", "-1", "99999999999999999999"})
    CHECK(reason(std::string("h:") + port) == "a port is a number from 1 to 65535");
}

// A person mends a file once, not once for every mistake.
TEST_CASE("all mistakes are reported at once, in the order of the file") {
  const auto found = complaints("node:\n  data_dir:\ncluster:\n  name: \"a b\"\n  members:\n    n1: here\n"
                                "raft:\n  tick: 1\n  tack: 2\n");
  REQUIRE(found.size() == 9);
  CHECK(found[0].starts_with("f.yaml:1:1: node.name: expected a name "));
  CHECK(found[0].ends_with(", got nothing: it is required"));
  CHECK(found[1].starts_with("f.yaml:1:1: listen.peer: expected HOST:PORT, such as 127.0.0.1:2379, got nothing"));
  CHECK(found[2].starts_with("f.yaml:1:1: listen.client: "));
  CHECK(found[3].starts_with("f.yaml:1:1: listen.admin: "));
  CHECK(found[4].starts_with("f.yaml:2:3: node.data_dir: "));
  CHECK(found[5].starts_with("f.yaml:4:9: cluster.name: "));
  CHECK(found[6].starts_with("f.yaml:6:9: cluster.members.n1: "));
  CHECK(found[7].starts_with("f.yaml:8:9: raft.tick: "));
  CHECK(found[8].starts_with("f.yaml:9:3: "));
}

// An empty file, or one with nothing but comments, lacks what is required.
TEST_CASE("an empty file lacks the required keys") {
  for (const char* text : {"", "\n\n", "# nothing\n", "---\n", "{}\n"}) {
    CAPTURE(text);
    CHECK(complaints(text).size() == 7);
  }
}

// A name that a terminal would act upon is shown harmlessly, and a long one cut.
TEST_CASE("what is quoted cannot upset a terminal") {
  CHECK(complaints(sample + "log: {level: \"\\e[31mred\"}\n")[0].find("`\\x1b[31mred`") != std::string::npos);
  CHECK(complaints(sample + "log: {level: " + std::string(5000, 'x') + "}\n")[0].size() < 250);
}

// A file that isn't there, is a directory, or is far too large is a mistake with its name.
TEST_CASE("a file that cannot be read is named") {
  const auto missing = load("/nonexistent/q.yaml");
  REQUIRE(missing.has_error());
  CHECK(missing.error().text() == "/nonexistent/q.yaml: cannot be read: No such file or directory\n");
  const auto directory = load("/");
  REQUIRE(directory.has_error());
  CHECK(directory.error().text() == "/: cannot be read: Is a directory\n");

  const auto path = std::filesystem::temp_directory_path() / ("quorumd-config-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << sample;
  CHECK(load(path).has_value());
  std::ofstream(path) << std::string(300 * 1024, '#');
  const auto large = load(path);
  REQUIRE(large.has_error());
  CHECK(large.error().text() == path.string() + ": expected a configuration of at most 256 KiB, got more\n");
  std::filesystem::remove(path);
}
