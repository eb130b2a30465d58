#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

// What all members do alike: how much history is kept, how much the store may take, and whether they hold the same.
namespace quorumd::testing {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

std::vector<word> large_words(std::size_t count, std::size_t bytes) {
  auto words = make_words(count);
  for (word& w : words) w.value.assign(bytes, 'v');
  return words;
}

} // namespace

// They begin with what the first leader's configuration says; afterwards no member's configuration counts, through any
// number of restarts, and only `quorumd settings` changes them.
TEST_CASE("settings belong to the cluster") {
  cluster c("settings_shared", {.nodes = 3, .set = {"history.keep_revisions=5000"}});
  c.start_all();
  c.wait_all_healthy();
  const auto shown = [&](std::size_t i, const std::string& line) {
    return c.run({"settings", "--endpoint", c.endpoint(i)}).output.find(line + "\n") != std::string::npos;
  };
  for (std::size_t i = 0; i < 3; ++i)
    REQUIRE(eventually([&] { return shown(i, "history.keep_revisions=5000"); }, seconds(10)));
  REQUIRE(shown(0, "history.bytes_max=256MiB"));
  REQUIRE(shown(0, "storage.quota_bytes=4GiB"));

  const command_result changed = c.run({"settings", "history.keep_revisions=7", "storage.quota_bytes=1GiB",
                                        "--endpoint", c.endpoint(c.follower()), "--output", "json"});
  REQUIRE_MESSAGE(changed.code == 0, changed.errors);
  REQUIRE(changed.output == R"({"history.keep_revisions":7,"history.bytes_max":268435456,)"
                            R"("history.keep_for":"0ms","storage.quota_bytes":1073741824})"
                            "\n");
  c.kill_all();
  for (std::size_t i = 0; i < 3; ++i) c.start(i, {"history.keep_revisions=9"});
  c.wait_all_healthy();
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE(eventually([&] { return shown(i, "history.keep_revisions=7"); }, seconds(10)));
    REQUIRE(c.logged_within(i, "history.keep_revisions is 9 in this node's configuration and 7 in the cluster",
                            seconds(10)));
  }

  const command_result bad = c.anywhere({"settings", "storage.quota_bytes=100MiB"});
  REQUIRE(bad.code == 2);
  REQUIRE_MESSAGE(bad.errors.find("at most half of storage.quota_bytes") != std::string::npos, bad.errors);
  const command_result unknown = c.anywhere({"settings", "history.keep_revision=8"});
  REQUIRE(unknown.code == 64);
  REQUIRE_MESSAGE(unknown.errors.find("did you mean 'history.keep_revisions'") != std::string::npos, unknown.errors);
  const command_result size = c.anywhere({"settings", "storage.quota_bytes=lots"});
  REQUIRE(size.code == 64);
  REQUIRE_MESSAGE(size.errors.find("is a size like 256MiB, not 'lots'") != std::string::npos, size.errors);
}

// Beyond storage.quota_bytes puts are refused on whichever member they arrive, before they are in the log; what is
// there can be read and deleted, and what a deletion leaves as history gives way, so that puts are taken again.
TEST_CASE("a store that has reached its quota refuses puts until there is room") {
  cluster c("settings_quota", {.nodes = 3, .set = {"history.bytes_max=1MiB", "storage.quota_bytes=8MiB"}});
  c.start_all();
  c.wait_all_healthy();
  const auto words = large_words(100, 100'000);
  const command_result imported = c.anywhere({"import", "-"}, to_lines(words));
  REQUIRE(imported.code == 2);
  REQUIRE_MESSAGE(imported.errors.find("storage.quota_bytes") != std::string::npos, imported.errors);
  const std::size_t leader = c.wait_leader();
  for (std::size_t i = 0; i < 3; ++i) {
    const command_result put = c.run({"put", "more", "-", "--endpoint", c.endpoint(i)}, words[0].value);
    REQUIRE(put.code == 2);
    REQUIRE_MESSAGE(put.errors.find("of the 8388608 that storage.quota_bytes allows") != std::string::npos, put.errors);
  }
  const auto full = c.status(leader);
  REQUIRE(full.has_value());
  REQUIRE(full->store_bytes <= 8 * mib);
  REQUIRE(full->store_bytes > 7 * mib);
  REQUIRE(c.anywhere({"get", words[0].key, "--print-value-only"}).output == words[0].value + "\n");
  REQUIRE(c.anywhere({"txn"}, "value(\"a\") = \"b\"\n\ndel a\n\n").code == 0);

  REQUIRE(c.anywhere({"del", words[0].key}).code == 0);
  REQUIRE(c.anywhere({"del", "", "--prefix"}).code == 0);
  const auto taken = [&] { return c.anywhere({"import", "-"}, to_lines(words, 0, 50)).code == 0; };
  REQUIRE(eventually(taken, seconds(20)));
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 2);
  REQUIRE(c.anywhere({"settings", "storage.quota_bytes=64MiB"}).code == 0);
  const command_result all = c.anywhere({"import", "-"}, to_lines(words));
  REQUIRE_MESSAGE(all.code == 0, all.errors);
}

// Before puts are refused a member says so: once in its log, however long the store hovers about the bound, in notes of
// status and alarm, and to those who read its metrics.
TEST_CASE("a quota that is nearly used is told of before it is used up") {
  cluster c("settings_quota_near", {.nodes = 1, .set = {"history.bytes_max=1MiB", "storage.quota_bytes=16MiB"}});
  c.start_all();
  c.wait_all_healthy();
  const auto times = [&](const std::string& text) {
    const std::string log = c.log(0);
    std::size_t n = 0;
    for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++n;
    return n;
  };
  const std::string warned = "four fifths of storage.quota_bytes=";
  const std::string over = "less than three quarters of storage.quota_bytes=";
  const auto metric = [&] {
    raw_connection raw(c.client_place(0));
    REQUIRE(raw.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    std::string said;
    REQUIRE(raw.closed_within(seconds(10), &said));
    const std::string name = "\nquorumd_store_nearly_full ";
    REQUIRE(said.find(name) != std::string::npos);
    return said.at(said.find(name) + name.size());
  };
  const auto set_quota = [&](const std::string& size) {
    const std::string line = "the cluster's settings: ";
    const std::size_t before = times(line);
    REQUIRE(c.anywhere({"settings", "storage.quota_bytes=" + size}).code == 0);
    REQUIRE(eventually([&] { return times(line) == before + 1; }, seconds(10))); // it is looked at with the quota
    std::this_thread::sleep_for(milliseconds(100));
  };
  for (int i = 0; i < 17; ++i) // 8.1 MiB
    REQUIRE(c.anywhere({"put", std::to_string(i), "-"}, std::string(500'000, 'v')).code == 0);
  CHECK(c.anywhere({"status"}).errors.empty());
  CHECK(metric() == '0');
  set_quota("10MiB");
  CHECK(times(warned + "10MiB or more: puts are refused once it is used up") == 1);
  CHECK(metric() == '1');
  for (const char* command : {"status", "alarm"}) {
    const auto r = std::string(command) == "alarm" ? c.anywhere({"alarm", "list"}) : c.anywhere({"status"});
    CHECK(r.code == 0);
    CHECK_MESSAGE(r.errors.find("note: storage.quota_bytes=10MiB is nearly used: n1 has 8") != std::string::npos,
                  r.errors);
  }
  CHECK(c.anywhere({"alarm", "list"}).output.empty()); // it is none
  CHECK(c.anywhere({"status", "--output", "json"}).output.find(R"("quota_bytes":10485760,"nearly_full":true)") !=
        std::string::npos);
  CHECK(c.anywhere({"put", "a", "1"}).code == 0);
  set_quota("10854KiB"); // 77 %
  set_quota("10MiB");
  CHECK(times(warned) == 1);
  CHECK(times(over) == 0);
  set_quota("12MiB"); // 68 %
  CHECK(times(over + "12MiB again") == 1);
  CHECK(metric() == '0');
  set_quota("10854KiB");
  CHECK(times(warned) == 1);
  set_quota("10MiB");
  CHECK(times(warned) == 2);
  set_quota("0B");
  CHECK(times("there is no storage.quota_bytes any more") == 1);
}

// One large key that is overwritten again and again keeps few of its values.
TEST_CASE("history is bounded by its bytes") {
  cluster c("settings_history", {.nodes = 1, .set = {"history.bytes_max=4MiB"}});
  c.start_all();
  c.wait_all_healthy();
  const std::string value(mib, 'v');
  raw_connection raw(c.client_place(0));
  for (std::uint64_t id = 1; id <= 100; ++id) {
    wire::byte_buffer out;
    client::encode_request(out, id, seconds(10), kv::command(kv::put{.key = "key", .value = value}));
    REQUIRE(raw.send(out));
    const auto reply = raw.receive(seconds(10));
    REQUIRE(reply.has_value());
    REQUIRE(std::holds_alternative<kv::reply>(reply->body));
  }
  const auto bounded = [&] {
    const auto row = c.status(0);
    return row && row->history_bytes <= 4 * mib && row->store_bytes <= 6 * mib;
  };
  REQUIRE(eventually(bounded, seconds(10)));
  const command_result old = c.anywhere({"get", "key", "--revision", "2"});
  REQUIRE_MESSAGE(old.errors.find("compacted") != std::string::npos, old.errors);
}

// What was superseded longer ago than history.keep_for is compacted, though nothing else is written, and through a
// change of the leader; what was not is kept, and so is everything once it is zero.
TEST_CASE("history is bounded by its age") {
  cluster c("settings_age", {.nodes = 3, .set = {"history.keep_for=2s", "history.keep_revisions=0"}});
  c.start_all();
  c.wait_all_healthy();
  const auto set = [&] { return c.anywhere({"settings"}).output.find("history.keep_for=2s\n") != std::string::npos; };
  REQUIRE(eventually(set, seconds(10)));
  using clock = std::chrono::steady_clock;
  const auto put = [&](const std::string& value) {
    const command_result r = c.anywhere({"put", "key", value, "--output", "json"});
    REQUIRE_MESSAGE(r.code == 0, r.errors);
  };
  const auto read = [&](std::uint64_t at) { return c.anywhere({"get", "key", "--revision", std::to_string(at)}); };
  const auto compacted = [&](std::uint64_t at) {
    const command_result r = read(at);
    return r.code != 0 && r.errors.find("compacted") != std::string::npos;
  };
  const auto revision_now = [&] { return c.status(c.wait_leader())->revision.value(); };

  put("a");
  const std::uint64_t first = revision_now();
  put("b");
  const clock::time_point superseded = clock::now(); // or just before
  bool kept = true;
  while (kept && clock::now() < superseded + seconds(1)) kept = read(first).output == "a\n";
  REQUIRE(kept);
  REQUIRE(eventually([&] { return compacted(first); }, seconds(10)));
  REQUIRE(clock::now() > superseded + milliseconds(1500));
  REQUIRE(read(revision_now()).output == "b\n");

  // The next leader has seen as much as this one.
  put("c");
  put("d");
  const std::uint64_t last = revision_now();
  c.kill(c.wait_leader());
  c.wait_leader();
  REQUIRE(eventually([&] { return compacted(last - 1); }, seconds(10)));
  REQUIRE(read(last).output == "d\n");

  REQUIRE(c.anywhere({"settings", "history.keep_for=0s"}).code == 0);
  put("e");
  std::this_thread::sleep_for(seconds(3));
  REQUIRE(read(last).output == "d\n");
  REQUIRE(c.anywhere({"settings", "history.keep_for=10ms"}).code == 2);
  REQUIRE(c.anywhere({"settings", "history.keep_for=2"}).code == 64);
}

// Members are compared at an index that all have passed, while writes go on; one that is away is named.
TEST_CASE("status --verify compares the members' states") {
  cluster c("settings_verify", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(30'000);
  import_run load(c);
  for (std::size_t at = 0; at < words.size(); at += 10'000) {
    load.feed(words, at, at + 10'000);
    const command_result during = c.anywhere({"status", "--verify"});
    REQUIRE_MESSAGE(during.code == 0, during.errors);
    REQUIRE_MESSAGE(during.output.find("the states of n1, n2 and n3 are equal at index ") != std::string::npos,
                    during.output);
  }
  load.finish(words.size());
  const command_result json = c.anywhere({"status", "--verify", "--output", "json"});
  REQUIRE(json.code == 0);
  REQUIRE(json.output.ends_with(R"("same":["n1","n2","n3"],"differ":[],"not_compared":[]})"
                                "\n"));
  const std::size_t away = c.follower();
  c.kill(away);
  const std::size_t leader = c.wait_leader();
  const command_result partly = c.run({"status", "--verify", "--endpoint", c.endpoint(leader)});
  REQUIRE(partly.code == 2);
  REQUIRE_MESSAGE(partly.errors.find("not compared: " + c.node_name(away)) != std::string::npos, partly.errors);
}

} // namespace quorumd::testing
