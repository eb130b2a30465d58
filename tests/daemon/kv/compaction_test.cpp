#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace quorumd::kv::test {
namespace {} // namespace

// Compaction hides what lies below its revision at once; the revision itself stays readable, and so does all above.
TEST_CASE("compaction sets the floor") {
  machine m;
  for (int i = 2; i <= 6; ++i) m(put{.key = "a", .value = std::to_string(i)});
  CHECK(m(compact{.revision = revision(4)}) == "r6: compacted");
  CHECK(m.s.compacted() == revision(4));
  for (int pass = 0; pass < 2; ++pass, m.finish_compaction()) {
    CHECK(m.all(3) == "the revision has been compacted (the compaction floor is 4)");
    CHECK(m.all(4) == "r6 1/1 [a=4 c2 m4 v3]");
    CHECK(m.all(5) == "r6 1/1 [a=5 c2 m5 v4]");
    CHECK(m.all() == "r6 1/1 [a=6 c2 m6 v5]");
  }
}

// A compaction must move the floor up and stay within history.
TEST_CASE("compaction that cannot be") {
  machine m;
  m(put{.key = "a", .value = "1"});
  CHECK(m(compact{}) == "the revision has been compacted (the compaction floor is 0)");
  CHECK(m(compact{.revision = revision(3)}) == "the revision has not happened yet (the current one is 2)");
  CHECK(m(compact{.revision = revision(2)}) == "r2: compacted");
  CHECK(m(compact{.revision = revision(2)}) == "the revision has been compacted (the compaction floor is 2)");
  CHECK(m(compact{.revision = revision(1)}) == "the revision has been compacted (the compaction floor is 2)");
}

// The newest version at or below the floor survives, however old; deleted keys go with their tombstones, those that
// were deleted at the floor itself when it moves on.
TEST_CASE("what compaction keeps") {
  machine m;
  m(put{.key = "idle", .value = "1"});
  m(put{.key = "gone", .value = "1"});
  m(delete_range{.key = "gone"});
  m(put{.key = "back", .value = "1"});
  m(delete_range{.key = "back"});
  m(put{.key = "back", .value = "2"});
  m(put{.key = "late", .value = "1"});
  m(compact{.revision = revision(8)});
  m(delete_range{.key = "late"});
  const std::string now = m.all();
  const std::string then = m.all(8);
  m.finish_compaction();
  CHECK(now == "r9 2/2 [back=2 c7 m7 v1, idle=1 c2 m2 v1]");
  CHECK(then == "r9 3/3 [back=2 c7 m7 v1, idle=1 c2 m2 v1, late=1 c8 m8 v1]");
  CHECK(m.all() == now);
  CHECK(m.all(8) == then);
  CHECK(m.s.held_bytes() == std::string("idle1back2late1").size());
  m(compact{.revision = revision(9)});
  m.finish_compaction();
  CHECK(m.s.held_bytes() == std::string("idle1back2late").size());
  m(put{.key = "idle", .value = "2"});
  m(compact{.revision = revision(10)});
  m.finish_compaction();
  CHECK(m.s.held_bytes() == std::string("idle2back2").size());
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// Physical compaction takes as many changes a call as it is allowed, and says when there is nothing left.
TEST_CASE("physical compaction goes in slices") {
  machine m;
  for (int i = 0; i < 11; ++i) m(put{.key = "a", .value = "x"});
  CHECK_FALSE(m.s.compact_step(100));
  CHECK(m.s.held_bytes() == 12);
  m(compact{.revision = m.s.current()});
  CHECK(m.s.compact_step(0));
  CHECK(m.s.compact_step(4)); // the first of them superseded nothing
  CHECK(m.s.held_bytes() == 9);
  CHECK(m.s.compact_step(4));
  CHECK_FALSE(m.s.compact_step(3));
  CHECK(m.s.held_bytes() == 2);
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// A key that carries a long history alone is compacted and read at any kept revision like many keys.
TEST_CASE("one hot key") {
  machine m;
  for (std::uint64_t i = 2; i <= 5000; ++i) {
    m(put{.key = "hot", .value = std::to_string(i)});
    if (i % 100 == 0 && i > 300) {
      m(compact{.revision = revision(i - 300)});
      m.finish_compaction();
    }
  }
  CHECK(m.s.compacted() == revision(4700));
  for (std::uint64_t r = 4700; r <= 5000; r += 37) {
    const std::string n = std::to_string(r);
    CHECK(m.range({.key = "hot", .revision = revision(r)}) ==
          "r5000 1/1 [hot=" + n + " c2 m" + n + " v" + std::to_string(r - 1) + "]");
  }
  CHECK(m.s.held_bytes() == 3 + 301 * 4);
}

// The hash depends on what can be read and on nothing else: physical compaction leaves it alone, and every change,
// even of history only, moves it.
TEST_CASE("content hash") {
  machine a;
  machine b;
  const auto both = [&](const command& c) {
    a(c);
    b(c);
    b.finish_compaction();
    CHECK(a.s.content_hash() == b.s.content_hash());
    CHECK(a.s.content_hash() == a.s.recompute_content_hash());
    CHECK(b.s.content_hash() == b.s.recompute_content_hash());
    return a.s.content_hash();
  };
  std::vector<std::uint64_t> seen{a.s.content_hash()};
  seen.push_back(both(put{.key = "a", .value = "1"}));
  seen.push_back(both(put{.key = "a", .value = "1"}));
  seen.push_back(both(put{.key = "b", .value = "1"}));
  seen.push_back(both(delete_range{.key = "a"}));
  seen.push_back(both(put{.key = "a", .value = "1"}));
  seen.push_back(both(compact{.revision = revision(3)}));
  seen.push_back(both(compact{.revision = revision(5)}));
  seen.push_back(both(compact{.revision = revision(6)}));
  seen.push_back(both(delete_range{.key = "a", .range_end = rest}));
  seen.push_back(both(compact{.revision = revision(7)}));
  for (std::size_t i = 0; i < seen.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) CHECK(seen[i] != seen[k]);
  both(put{});
  CHECK(a.s.content_hash() == seen.back());
}

// Key, value and their lengths all reach the hash of a version, at every length around the blocks of the hash.
TEST_CASE("version hash") {
  std::vector<std::uint64_t> hashes;
  for (std::size_t key = 1; key < 20; ++key)
    for (std::size_t value = 0; value < 40; ++value) {
      version v;
      v.value = stable_bytes(std::string(value, '\0'));
      hashes.push_back(version_hash(std::string(key, '\0'), v));
    }
  std::sort(hashes.begin(), hashes.end());
  CHECK(std::adjacent_find(hashes.begin(), hashes.end()) == hashes.end());
}

// A compaction is due once history outgrows what is to be kept by a tenth or the least slack, not at every write.
TEST_CASE("due compaction") {
  store s{options{.compaction_slack = 5}};
  log_index index;
  const auto write_up_to = [&](std::uint64_t r) {
    while (s.current() < revision(r)) {
      index = index.next();
      REQUIRE(s.apply(index, put{.key = "a", .value = "1"}).has_value());
    }
  };
  const auto keep = [&](std::uint64_t revisions) {
    index = index.next();
    REQUIRE(s.apply(index, configure{.keep_revisions = revisions}).has_value());
  };
  write_up_to(15);
  CHECK_FALSE(s.due_compaction().has_value()); // nobody said what to keep
  keep(0);
  CHECK_FALSE(s.due_compaction().has_value());
  keep(10);
  CHECK_FALSE(s.due_compaction().has_value());
  write_up_to(16);
  CHECK(s.due_compaction() == revision(6));
  index = index.next();
  REQUIRE(s.apply(index, compact{.revision = revision(6)}).has_value());
  CHECK_FALSE(s.due_compaction().has_value());
  write_up_to(21);
  CHECK_FALSE(s.due_compaction().has_value());
  write_up_to(22);
  CHECK(s.due_compaction() == revision(12));
  keep(100);
  write_up_to(116);
  CHECK_FALSE(s.due_compaction().has_value());
  write_up_to(117);
  CHECK(s.due_compaction() == revision(17));
}

// A key that was deleted at the floor and comes back is another one, however far its old self was freed.
TEST_CASE("what was deleted at the floor comes back") {
  for (int freed = 0; freed < 5; ++freed) {
    CAPTURE(freed);
    machine m;
    m(put{.key = "a", .value = "1"});
    m(delete_range{.key = "a"});
    m(compact{.revision = revision(3)});
    (void)m.s.compact_step(static_cast<std::size_t>(freed));
    m(put{.key = "a", .value = "2"});
    CHECK(m.all() == "r4 1/1 [a=2 c4 m4 v1]");
    CHECK(m.all(3) == "r4 0/0 []");
    m(compact{.revision = revision(4)});
    m.finish_compaction();
    CHECK(m.all() == "r4 1/1 [a=2 c4 m4 v1]");
    CHECK(m.s.held_bytes() == 2);
    CHECK(m.s.content_hash() == m.s.recompute_content_hash());
  }
}

// New keys are history too until they are compacted: each is a change that is remembered.
TEST_CASE("creations take history") {
  machine m;
  for (int i = 0; i < 1000; ++i) m(put{.key = std::to_string(i), .value = "1"});
  CHECK(m.s.history_bytes() >= 16'000);
  CHECK(m.s.history_bytes() <= 64'000);
  m(compact{.revision = revision(501)});
  CHECK(m.s.history_bytes() <= 32'000);
  m(compact{.revision = m.s.current()});
  CHECK(m.s.history_bytes() == 0);
}

// Large values leave large history behind: as many revisions go as bring it a tenth below its bound, however few they
// are. What deletions leave counts as well.
TEST_CASE("a compaction is due when history takes more than its bytes") {
  machine m;
  constexpr std::size_t value_bytes = 100'000;
  const std::string value(value_bytes, 'v');
  const std::uint64_t most = history_bytes_least;
  m(configure{.keep_revisions = 0, .history_bytes_max = most});
  for (int i = 0; i < 10; ++i) m(put{.key = "a", .value = value});
  CHECK(m.s.history_bytes() >= 9 * value_bytes);
  CHECK(m.s.stored_bytes() >= 10 * value_bytes);
  CHECK_FALSE(m.s.due_compaction().has_value());
  m(put{.key = "a", .value = value});
  m(put{.key = "a", .value = value});
  const auto due = m.s.due_compaction();
  REQUIRE(due.has_value());
  CHECK(*due > revision(2));
  CHECK(*due < m.s.current());
  m(compact{.revision = *due});
  CHECK(m.s.history_bytes() <= most - most / 10);
  CHECK(m.s.history_bytes() >= most - most / 10 - 2 * value_bytes);
  CHECK_FALSE(m.s.due_compaction().has_value());

  m(delete_range{.key = "a"});
  m(put{.key = "b", .value = value});
  m(delete_range{.key = "b"});
  CHECK(m.s.keys() == 0);
  REQUIRE(m.s.due_compaction().has_value());
  m(compact{.revision = m.s.current()});
  CHECK(m.s.history_bytes() == 0);
  CHECK(m.s.stored_bytes() == 0);
}

// What the settings say is a part of the state, and changes only as a whole that can be kept.
TEST_CASE("settings") {
  machine m;
  CHECK_FALSE(m.s.settings().has_value());
  const std::uint64_t none = m.s.content_hash();
  m(configure{.keep_revisions = 5, .initial = true});
  settings want{.keep_revisions = 5};
  CHECK(m.s.settings() == want);
  CHECK(m.s.content_hash() != none);
  m(configure{.keep_revisions = 6, .initial = true}); // somebody was first
  CHECK(m.s.settings() == want);
  m(configure{.history_bytes_max = 8 * history_bytes_least, .quota_bytes = 16 * history_bytes_least});
  want.history_bytes_max = 8 * history_bytes_least;
  want.quota_bytes = 16 * history_bytes_least;
  CHECK(m.s.settings() == want);
  const std::uint64_t before = m.s.content_hash();
  CHECK(m(configure{.history_bytes_max = 9 * history_bytes_least}).find("half of storage.quota_bytes") !=
        std::string::npos);
  CHECK(m(configure{.quota_bytes = 15 * history_bytes_least}).find("half of storage.quota_bytes") != std::string::npos);
  CHECK(m(configure{.history_bytes_max = history_bytes_least - 1}).find("1 MiB or more") != std::string::npos);
  CHECK(m.s.settings() == want);
  CHECK(m.s.content_hash() == before);
  m(configure{.quota_bytes = 0});
  CHECK(m.s.settings()->quota_bytes == 0);
  // An age: none, or one between the bounds. Without one the hash is as it always was.
  const std::uint64_t without = m.s.content_hash();
  CHECK(m(configure{.keep_for_ms = keep_for_ms_least - 1}).find("1s to 87600h") != std::string::npos);
  CHECK(m(configure{.keep_for_ms = keep_for_ms_most + 1}).find("1s to 87600h") != std::string::npos);
  m(configure{.keep_for_ms = keep_for_ms_most});
  CHECK(m.s.settings()->keep_for_ms == keep_for_ms_most);
  const std::uint64_t longest = m.s.content_hash();
  CHECK(longest != without);
  m(configure{.keep_for_ms = keep_for_ms_least});
  CHECK(m.s.content_hash() != longest);
  m(configure{.keep_for_ms = 0});
  CHECK(m.s.content_hash() == without);
  CHECK(needed_level(configure{.keep_for_ms = 0}, {}) == age_level);
  CHECK(needed_level(configure{.keep_revisions = 1}, {}) == 0);
  CHECK(m.s.current() == revision(1)); // nothing of it is a revision
}

} // namespace quorumd::kv::test
