#include "config/keys.hpp"
#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace quorumd::config;

namespace {

const std::string root = QUORUMD_SOURCE_DIR;

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  REQUIRE_MESSAGE(in.good(), path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// With QUORUMD_REGENERATE set the documents are rewritten and the test then holds them against themselves.
bool regenerate() {
  return std::getenv("QUORUMD_REGENERATE") != nullptr;
}

} // namespace

// The example is the table written out: mend with QUORUMD_REGENERATE=1 after a change of the table.
TEST_CASE("the example file is what the table of keys says") {
  const std::string path = root + "/config/quorumd.example.yaml";
  if (regenerate()) std::ofstream(path) << example_yaml();
  CHECK(read_file(path) == example_yaml());
}

// Someone who starts from the example changes nothing by what they leave alone.
TEST_CASE("the example file parses to the defaults") {
  const auto read = load(root + "/config/quorumd.example.yaml");
  if (read.has_error()) FAIL(read.error().text());
  settings expected;
  expected.node = {"n1", "/var/lib/quorumd"};
  expected.cluster = {"demo", {{"n1", {"127.0.0.1", 2380}}}};
  expected.listen = {{"127.0.0.1", 2380}, {"127.0.0.1", 2379}, "/run/quorumd/admin.sock", {}};
  expected.advertise = {{"127.0.0.1", 2380}, {"127.0.0.1", 2379}};
  CHECK(*read == expected);
}

// Each key stands in the example under its section, and takes its own default back.
TEST_CASE("every key is described, is in the example, and takes its default") {
  const std::string example = example_yaml();
  CHECK(describe_keys().size() >= 30);
  for (const key_description& key : describe_keys()) {
    CAPTURE(key.path);
    CHECK(key.meaning.size() > 10);
    const std::size_t dot = key.path.find('.');
    const std::size_t section = example.find("\n" + key.path.substr(0, dot) + ":\n");
    REQUIRE(section != std::string::npos);
    const std::string block = example.substr(section + 1, example.find("\n\n", section) - section);
    CHECK(block.find(" " + key.path.substr(dot + 1) + ":") != std::string::npos);
    if (key.required) continue;
    if (key.type == "address") continue; // its default is in words
    CHECK_FALSE(key.default_text.empty());
    const bool list = key.type == "list";
    CHECK(complaints(sample, {key.path + "=" + (list ? "" : key.default_text)}).empty());
  }
}

// The handbook's table is the table of keys; a README that shows it shows the same.
TEST_CASE("the documents show the table of keys") {
  const std::string begin = "<!-- keys -->\n", end = "<!-- end of keys -->\n";
  for (const char* name : {"/docs/operations.md", "/README.md"}) {
    CAPTURE(name);
    const bool required = std::string(name) == "/docs/operations.md";
    if (!required && !std::ifstream(root + name).good()) continue;
    std::string text = read_file(root + name);
    const std::size_t from = text.find(begin), to = text.find(end);
    if (!required && from == std::string::npos) continue;
    REQUIRE(from != std::string::npos);
    REQUIRE(to != std::string::npos);
    if (regenerate()) {
      text.replace(from + begin.size(), to - from - begin.size(), keys_markdown());
      std::ofstream(root + name) << text;
      continue;
    }
    CHECK(text.substr(from + begin.size(), to - from - begin.size()) == keys_markdown());
  }
}

// The members of docker-compose.yml, whose variables go before the image's file, are valid and agree on the members.
TEST_CASE("the compose file's members are good and agree") {
  std::string image_file = example_yaml();
  const std::string loopback = "client: 127.0.0.1:2379";
  image_file.replace(image_file.find(loopback), loopback.size(), "client: 0.0.0.0:2379"); // as the Dockerfile does
  const auto alone = parse(image_file, "quorumd.yaml");
  REQUIRE(alone.has_value());
  CHECK(alone->listen.client == address{"0.0.0.0", 2379});

  const YAML::Node compose = YAML::LoadFile(root + "/docker-compose.yml");
  std::vector<settings> members;
  for (const std::string name : {"n1", "n2", "n3"}) {
    const YAML::Node service = compose["services"][name];
    CHECK(service["build"].IsDefined() == (name == "n1"));
    std::vector<std::string> env;
    const YAML::Node own = service["environment"];
    for (const YAML::Node& from : {own["<<"], own})
      for (const auto& v : from)
        if (v.second.IsScalar()) env.push_back(v.first.as<std::string>() + "=" + v.second.as<std::string>());
    const auto read = parse(image_file, "quorumd.yaml", {}, env);
    if (read.has_error()) FAIL(read.error().text());
    CHECK(read->node.name == name);
    CHECK(read->advertise.client == address{name, 2379});
    CHECK(read->listen.peer.wildcard());
    members.push_back(*read);
    CHECK(read->cluster == members.front().cluster);
  }
  CHECK(members.front().cluster.members.size() == 3);
}
