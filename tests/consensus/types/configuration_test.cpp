#include "consensus/types/configuration.hpp"

#include <doctest/doctest.h>

#include <cstddef>

using namespace quorumd;

namespace {

configuration sample() {
  configuration c;
  c.voters = {node_id(1), node_id(2), node_id(0xffffffffffffffff)};
  c.outgoing = {node_id(1), node_id(4)};
  c.learners = {node_id(4), node_id(5)};
  return c;
}

} // namespace

TEST_CASE("a configuration is read as it was written, with its details behind it") {
  const std::vector<std::byte> details{std::byte{7}, std::byte{8}};
  for (const bool with : {false, true}) {
    const auto payload =
        encode_configuration(sample(), with ? std::span<const std::byte>(details) : std::span<const std::byte>());
    const auto read = decode_configuration(payload);
    REQUIRE(read);
    CHECK(read->members == sample());
    CHECK(std::vector<std::byte>(read->details.begin(), read->details.end()) ==
          (with ? details : std::vector<std::byte>()));
  }
}

TEST_CASE("a configuration that is cut short or cannot be is not read") {
  const auto payload = encode_configuration(sample(), {});
  for (std::size_t n = 0; n < payload.size(); ++n) CHECK_FALSE(decode_configuration(std::span(payload).first(n)));
  const auto broken = [&](auto change) {
    configuration c = sample();
    change(c);
    return !decode_configuration(encode_configuration(c, {}));
  };
  CHECK(broken([](configuration& c) { c.voters.clear(); }));
  CHECK(broken([](configuration& c) { c.voters = {node_id(2), node_id(1)}; }));
  CHECK(broken([](configuration& c) { c.voters = {node_id(0), node_id(1)}; }));
  CHECK(broken([](configuration& c) { c.learners = {node_id(2)}; }));
  CHECK(broken([](configuration& c) {
    c.voters.clear();
    for (std::uint64_t n = 1; n <= voters_max + 1; ++n) c.voters.push_back(node_id(n));
  }));
  auto later = payload;
  later[0] = std::byte{2}; // a version that this one does not know
  CHECK_FALSE(decode_configuration(later));
}
