#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <string>

namespace quorumd::kv::test {

// An empty store is at revision 1 and holds nothing.
TEST_CASE("empty store") {
  machine m;
  CHECK(m.s.current() == revision(1));
  CHECK(m.s.compacted() == revision(0));
  CHECK(m.all() == "r1 0/0 []");
  CHECK(m.s.keys() == 0);
  CHECK(m.s.bytes() == 0);
}

// Each put makes a revision; create_revision stays and version counts until the key is deleted and made anew.
TEST_CASE("put counts revisions and versions") {
  machine m;
  CHECK(m(put{.key = "a", .value = "1"}) == "r2: put");
  CHECK(m(put{.key = "b", .value = "1"}) == "r3: put");
  CHECK(m(put{.key = "a", .value = "2"}) == "r4: put");
  CHECK(m.all() == "r4 2/2 [a=2 c2 m4 v2, b=1 c3 m3 v1]");
  CHECK(m(delete_range{.key = "a"}) == "r5: deleted 1 []");
  CHECK(m(put{.key = "a", .value = "3"}) == "r6: put");
  CHECK(m.all() == "r6 2/2 [a=3 c6 m6 v1, b=1 c3 m3 v1]");
}

// A put answers with the version it replaced only when asked, and only if there was one.
TEST_CASE("put with prev_kv") {
  machine m;
  CHECK(m(put{.key = "a", .value = "1", .prev_kv = true}) == "r2: put");
  CHECK(m(put{.key = "a", .value = "2", .prev_kv = true}) == "r3: put was [a=1 c2 m2 v1]");
  CHECK(m(put{.key = "a", .value = "3"}) == "r4: put");
  m(delete_range{.key = "a"});
  CHECK(m(put{.key = "a", .value = "4", .prev_kv = true}) == "r6: put");
}

// The previous value in a reply still reads well after the put that replaced it, also of a key in a crowded map.
TEST_CASE("prev_kv outlives the change that replaces it") {
  machine m;
  for (int i = 0; i < 500; ++i) m(put{.key = "k" + std::to_string(i), .value = std::string(100, 'x')});
  m.index = m.index.next();
  const auto done = m.s.apply(m.index, delete_range{.key = "k", .range_end = "l", .prev_kv = true});
  REQUIRE(done.has_value());
  const auto& d = std::get<delete_range_reply>(done->body);
  CHECK(d.deleted == 500);
  REQUIRE(d.prev.size() == 500);
  for (const key_value_view& kv : d.prev) CHECK(kv.value == std::string(100, 'x'));
}

// ignore_value keeps the value and counts as a put; of an absent or deleted key it fails.
TEST_CASE("put with ignore_value") {
  machine m;
  const put touch{.key = "a", .ignore_value = true};
  CHECK(m(touch) == "the key whose value or lease is to be kept does not exist");
  m(put{.key = "a", .value = "1"});
  CHECK(m(touch) == "r3: put");
  CHECK(m.all() == "r3 1/1 [a=1 c2 m3 v2]");
  m(delete_range{.key = "a"});
  CHECK(m(touch) == "the key whose value or lease is to be kept does not exist");
  CHECK(m(put{.key = "a", .value = "1", .ignore_value = true}) ==
        "a value was given although the key's own is to be kept");
}

// ignore_lease keeps the lease; a put with a lease that nobody granted fails and changes nothing.
TEST_CASE("put and leases") {
  machine m;
  CHECK(m(put{.key = "a", .value = "1", .lease = lease_id(7)}) == "the lease does not exist");
  CHECK(m(put{.key = "a", .value = "1", .ignore_lease = true}) ==
        "the key whose value or lease is to be kept does not exist");
  CHECK(m(put{.key = "a", .value = "1", .lease = lease_id(7), .ignore_lease = true}) ==
        "a lease was given although the key's own is to be kept");
  CHECK(m.all() == "r1 0/0 []");
  m(put{.key = "a", .value = "1"});
  CHECK(m(put{.key = "a", .value = "2", .ignore_lease = true}) == "r3: put");
}

// Deleting a range is one revision however many keys go, and none if no key goes.
TEST_CASE("delete range") {
  machine m;
  for (const char* key : {"a", "b", "ba", "c"}) m(put{.key = key, .value = "1"});
  CHECK(m(delete_range{.key = "b", .range_end = "c", .prev_kv = true}) ==
        "r6: deleted 2 [b=1 c3 m3 v1, ba=1 c4 m4 v1]");
  CHECK(m(delete_range{.key = "b", .range_end = "c", .prev_kv = true}) == "r6: deleted 0 []");
  CHECK(m(delete_range{.key = "zz"}) == "r6: deleted 0 []");
  CHECK(m(delete_range{.key = "c", .range_end = "a"}) == "r6: deleted 0 []");
  CHECK(m(delete_range{.key = "b", .range_end = {"\0", 1}}) == "r7: deleted 1 []");
  CHECK(m.all() == "r7 1/1 [a=1 c2 m2 v1]");
}

// Keys and values may hold any bytes, and values may be empty.
TEST_CASE("binary keys and empty values") {
  machine m;
  const std::string key("\xff\0\x01", 3);
  CHECK(m(put{.key = key, .value = ""}) == "r2: put");
  CHECK(m.range({.key = key}) == "r2 1/1 [" + key + "= c2 m2 v1]");
  CHECK(m.range({.key = std::string_view(key).substr(0, 1)}) == "r2 0/0 []");
}

// Live keys and bytes follow every kind of change; held bytes hold history until it is freed.
TEST_CASE("sizes") {
  machine m;
  m(put{.key = "aa", .value = "12345"});
  m(put{.key = "b", .value = "1"});
  CHECK(m.s.keys() == 2);
  CHECK(m.s.bytes() == 9);
  m(put{.key = "aa", .value = "1"});
  CHECK(m.s.bytes() == 5);
  CHECK(m.s.held_bytes() == 10);
  m(delete_range{.key = "b"});
  CHECK(m.s.keys() == 1);
  CHECK(m.s.bytes() == 3);
  CHECK(m.s.held_bytes() == 10);
  m(compact{.revision = m.s.current()});
  CHECK(m.s.held_bytes() == 10);
  m.finish_compaction();
  CHECK(m.s.held_bytes() == 4); // history begins with the deletion: the key stays
}

// Entries without a command move applied() alone, and a failed command moves it too.
TEST_CASE("applied index") {
  machine m;
  m.s.skip(log_index(1));
  CHECK(m.s.applied() == log_index(1));
  CHECK_FALSE(m.s.apply(log_index(2), put{}).has_value());
  CHECK(m.s.applied() == log_index(2));
  CHECK(m.s.current() == revision(1));
}

} // namespace quorumd::kv::test
