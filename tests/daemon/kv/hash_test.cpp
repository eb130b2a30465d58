#include "daemon/kv/record.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <set>

namespace quorumd::kv::test {

// The hashes are in snapshots and are compared between members: they are what the library said when the format was
// decided, whatever compiler, processor or version of the library this is.
TEST_CASE("the hashes are part of the format") {
  version v;
  v.value = stable_bytes("value");
  v.create = revision(3);
  v.mod = revision(4);
  v.sub = 1;
  v.number = 2;
  CHECK(version_hash("key", v) == 0xe8499c0c3d48c62d);

  machine m;
  m(put{.key = "a", .value = "1"});
  CHECK(m.s.content_hash() == 0x11f4d66cf2815673);
}

// Whatever differs between two versions differs in their hashes, also where bytes could move from key to value.
TEST_CASE("every part of a version counts") {
  std::set<std::uint64_t> seen;
  const auto add = [&](std::string_view key, std::string_view value, std::uint64_t create, std::uint64_t mod,
                       std::uint32_t sub, std::uint64_t number, std::uint64_t lease) {
    version v;
    v.value = stable_bytes(value);
    v.create = revision(create);
    v.mod = revision(mod);
    v.sub = sub;
    v.number = number;
    v.lease = lease_id(lease);
    CHECK(seen.insert(version_hash(key, v)).second);
  };
  add("ab", "c", 2, 3, 0, 1, 0);
  add("a", "bc", 2, 3, 0, 1, 0);
  add("abc", "", 2, 3, 0, 1, 0);
  add("ab", "d", 2, 3, 0, 1, 0);
  add("ab", "c", 3, 2, 0, 1, 0);
  add("ab", "c", 2, 3, 1, 0, 0);
  add("ab", "c", 2, 3, 1, 1, 0);
  add("ab", "c", 2, 3, 0, 2, 0);
  add("ab", "c", 2, 3, 0, 1, 1);
}

} // namespace quorumd::kv::test
