#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <yaml-cpp/yaml.h>

using namespace quorumd::testing;

namespace {

/// A cluster with the keys a to e, whose values, versions and revisions are in different orders.
void fill(cluster& c) {
  c.start_all();
  c.wait_all_healthy();
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"b", "1"}, {"a", "5"}, {"c", "3"}, {"d", "4"}, {"a", "2"}})
    REQUIRE(c.at(0, {"put", key, value}).code == 0);
}

std::string output(cluster& c, const std::vector<std::string>& arguments, const std::string& input = {}) {
  const command_result r = c.at(c.follower(), arguments, input);
  REQUIRE_MESSAGE(r.code == 0, r.errors);
  return r.output;
}

} // namespace

// Ranges, orders and forms of get, as a person and as a script wants them.
TEST_CASE("get's ranges, orders and forms") {
  cluster c("cli_get");
  fill(c);
  CHECK(output(c, {"get", "a", "--range-end", "c"}) == "a\t2\nb\t1\n");
  CHECK(output(c, {"get", "c", "--from-key"}) == "c\t3\nd\t4\n");
  CHECK(output(c, {"get", "", "--prefix", "--sort-by", "value"}) == "b\t1\na\t2\nc\t3\nd\t4\n");
  CHECK(output(c, {"get", "", "--prefix", "--sort-by", "create", "--keys-only"}) == "b\na\nc\nd\n");
  CHECK(output(c, {"get", "", "--prefix", "--sort-by", "MODIFY", "--order", "DESCEND", "--limit", "2"}) ==
        "a\t2\nd\t4\n");
  CHECK(output(c, {"get", "", "--prefix", "--order", "descend", "--print-value-only"}) == "4\n3\n1\n2\n");
  CHECK(output(c, {"get", "a", "--hex"}) == "\\x32\n");
  CHECK(output(c, {"get", "a", "--range-end", "b", "--hex"}) == "\\x61\t\\x32\n");

  const YAML::Node limited = YAML::Load(output(c, {"get", "a", "--from-key", "--limit", "3", "-w", "json"}));
  CHECK(limited["more"].as<bool>());
  CHECK(limited["count"].as<int>() == 4);
  CHECK(limited["kvs"].size() == 3);
  CHECK(limited["kvs"][0]["version"].as<int>() == 2);
  const YAML::Node whole = YAML::Load(output(c, {"get", "a", "--from-key", "-w", "json"}));
  CHECK_FALSE(whole["more"].as<bool>());
  CHECK(whole["count"].as<int>() == 4);

  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"get", "a", "--prefix", "--from-key"},
                                             {"get", "b", "--range-end", "a"},
                                             {"get", "a", "--keys-only", "--print-value-only"},
                                             {"get", "a", "--count-only", "--limit", "1"},
                                             {"get", "a", "--hex", "-w", "json"},
                                             {"put", "a", "1", "--hex"}})
    CHECK(c.at(0, wrong).code == 64);
}

// What a put replaces and a del removes is printed if it is asked for; a transaction answers with versions.
TEST_CASE("what was there before") {
  cluster c("cli_previous");
  fill(c);
  CHECK(output(c, {"put", "a", "9", "--prev-kv"}) == "OK\na\t2\n");
  CHECK(output(c, {"put", "new", "9", "--prev-kv"}) == "OK\n");
  const YAML::Node put = YAML::Load(output(c, {"put", "a", "10", "--prev-kv", "-w", "json"}));
  CHECK(put["prev_kv"]["value"].as<std::string>() == "9");
  CHECK(put["prev_kv"]["version"].as<int>() == 3);
  CHECK(output(c, {"del", "b", "--range-end", "d", "--prev-kv"}) == "2\nb\t1\nc\t3\n");
  const YAML::Node del = YAML::Load(output(c, {"del", "d", "--prev-kv", "-w", "json"}));
  CHECK(del["deleted"].as<int>() == 1);
  CHECK(del["prev_kvs"][0]["key"].as<std::string>() == "d");

  const std::string text = "value('a') = '10'\n\nput 'a' '{\"n\": 1}' --prev-kv\nget a\ndel new --prev-kv\n";
  const YAML::Node txn = YAML::Load(output(c, {"txn", "-w", "json"}, text));
  CHECK(txn["succeeded"].as<bool>());
  CHECK(txn["responses"][0]["prev_kv"]["value"].as<std::string>() == "10");
  CHECK(txn["responses"][1]["kvs"][0]["value"].as<std::string>() == "{\"n\": 1}");
  CHECK(txn["responses"][1]["kvs"][0]["version"].as<int>() == 5);
  CHECK(txn["responses"][1]["kvs"][0]["mod_revision"].as<int>() == txn["revision"].as<int>());
  CHECK(txn["responses"][2]["prev_kvs"].size() == 1);
  CHECK(output(c, {"txn", "--hex"}, "\nget a --keys-only\n") == "SUCCESS\n\n\\x61\n\n");
}

// With --output json every error is an object on standard error: of the command line, of its input, of the server.
TEST_CASE("errors as JSON") {
  cluster c("cli_errors");
  fill(c);
  const command_result line = c.at(0, {"txn", "-w", "json"}, "mod('a') > 0 x\n");
  CHECK(line.code == 64);
  CHECK(YAML::Load(line.errors)["error"].as<std::string>().find("line 1, column 14") != std::string::npos);
  CHECK(YAML::Load(line.errors)["exit_code"].as<int>() == 64);
  const command_result word = c.at(0, {"set", "-w", "json"});
  CHECK(YAML::Load(word.errors)["exit_code"].as<int>() == 64);
  const command_result server = c.at(0, {"get", "a", "--revision", "999999", "-w", "json"});
  CHECK(server.code == 2);
  CHECK(YAML::Load(server.errors)["code"].as<std::string>() == "store");
  CHECK(YAML::Load(server.errors)["endpoint"].as<std::string>().find(':') != std::string::npos);
  const command_result absent = c.at(0, {"get", "nothing", "-w", "json"});
  CHECK(absent.code == 1);
  CHECK(absent.errors.empty());
}

// The members' keys hash to the same at one revision; who is away is named, and of a cluster of one nothing is missing.
TEST_CASE("hash compares the members' keys") {
  cluster c("cli_hash");
  fill(c);
  const command_result same = c.anywhere({"hash"});
  REQUIRE_MESSAGE(same.code == 0, same.errors);
  CHECK(same.output.ends_with("the keys of n1, n2 and n3 are equal\n"));
  const YAML::Node before = YAML::Load(output(c, {"hash", "-w", "json"}));
  REQUIRE(before["members"].size() == 3);
  for (const YAML::Node& m : before["members"]) CHECK(m["hash"].as<std::string>().size() == 16);
  CHECK(before["agree"].size() == 3);
  REQUIRE(c.anywhere({"put", "a", "other"}).code == 0);
  const YAML::Node after = YAML::Load(output(c, {"hash", "-w", "json"}));
  CHECK(after["members"][0]["hash"].as<std::string>() != before["members"][0]["hash"].as<std::string>());

  const std::size_t away = c.follower();
  c.kill(away);
  const std::size_t leader = c.wait_leader();
  const command_result partly = c.at(leader, {"hash"});
  CHECK(partly.code == 2);
  CHECK_MESSAGE(partly.errors.find("not compared: " + c.node_name(away)) != std::string::npos, partly.errors);
}

// There is an alarm as long as the store is beyond its quota, for every member, since each holds the same.
TEST_CASE("alarm list says why puts are refused") {
  cluster c("cli_alarm", {.nodes = 3, .set = {"history.bytes_max=1MiB"}});
  fill(c);
  CHECK(output(c, {"alarm", "list"}).empty());
  CHECK(output(c, {"alarm", "list", "-w", "json"}) == "[]\n");
  for (const char* key : {"x", "y", "z"}) REQUIRE(c.anywhere({"put", key, "-"}, std::string(1'000'000, 'v')).code == 0);
  REQUIRE(c.anywhere({"settings", "storage.quota_bytes=2MiB"}).code == 0);
  CHECK(c.anywhere({"put", "a", "1"}).code == 2);
  const auto all = [&] {
    const YAML::Node alarms = YAML::Load(output(c, {"alarm", "list", "-w", "json"}));
    return alarms.size() == 3 && alarms[0]["alarm"].as<std::string>() == "NOSPACE";
  };
  CHECK(eventually(all, seconds(10)));
  CHECK(output(c, {"alarm", "list"}).find("storage.quota_bytes is 2MiB") != std::string::npos);

  const std::size_t away = c.follower();
  c.kill(away);
  const command_result partly = c.at(c.wait_leader(), {"alarm", "list"});
  CHECK(partly.code == 0);
  CHECK_MESSAGE(partly.errors.find("nothing is known of " + c.node_name(away)) != std::string::npos, partly.errors);
  c.start(away);
  c.wait_all_healthy();

  REQUIRE(c.anywhere({"settings", "storage.quota_bytes=64MiB"}).code == 0);
  CHECK(c.anywhere({"put", "a", "1"}).code == 0);
  CHECK(eventually([&] { return output(c, {"alarm", "list"}).empty(); }, seconds(10)));
  CHECK(c.anywhere({"alarm"}).code == 64);
  CHECK(c.anywhere({"alarm", "disarm"}).code == 64);
}
