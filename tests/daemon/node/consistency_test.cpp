#include "daemon/node/consistency.hpp"

#include <doctest/doctest.h>

using namespace quorumd;

namespace {

client::status_row member(std::string name, std::uint64_t hash, std::uint16_t speaks = client::protocol_level) {
  client::status_row r;
  r.name = std::move(name);
  r.marks = {{log_index(1024), hash, revision(1000)}};
  r.speaks = speaks;
  return r;
}

} // namespace

// Whatever an earlier build says its state hashes to: a member that is to be upgraded next has not gone wrong.
TEST_CASE("members of another version are not compared") {
  const auto verdict = [](std::vector<client::status_row> rows) {
    return client::verify(node::comparable(std::move(rows)));
  };
  const auto old = static_cast<std::uint16_t>(client::protocol_level - 1);
  const client::verification mixed = verdict({member("n1", 1), member("n2", 1), member("n3", 2, old)});
  CHECK(mixed.differ.empty());
  CHECK(mixed.same.size() == 2);
  CHECK(mixed.missing == std::vector<std::string>{"n3"});
  const client::verification same = verdict({member("n1", 1), member("n2", 1), member("n3", 2)});
  CHECK(same.differ == std::vector<std::string>{"n3"});
}
