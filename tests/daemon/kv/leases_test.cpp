#include "daemon/kv/leases.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/kv/validate.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

const std::string no_lease = error(errc::lease_not_found).message();

put leased(std::string_view key, std::uint64_t lease) {
  return {.key = key, .value = "v", .lease = lease_id(lease)};
}
grant_lease grant(std::uint64_t id, std::int64_t ttl_s = 60) {
  return {.id = lease_id(id), .ttl_s = ttl_s};
}
revoke_lease revoke(std::uint64_t id) {
  return {lease_id(id)};
}

std::string shown_lease(const std::optional<lease_record>& l) {
  if (!l) return "none";
  return std::to_string(l->id.value()) + " for " + std::to_string(l->ttl_s) + " s, of " +
         std::to_string(l->granted.value()) + (l->remaining_ms ? ", " + std::to_string(*l->remaining_ms) + " ms" : "");
}
std::string lease(const machine& m, std::uint64_t id) {
  return shown_lease(m.s.leases().find(lease_id(id)));
}

txn when(bool holds, std::vector<operation> success, std::vector<operation> failure = {}) {
  txn t;
  t.compares.push_back({.key = "never", .number = holds ? 0 : 1});
  t.success = std::move(success);
  t.failure = std::move(failure);
  return t;
}

/// A grant for which the state finds the id.
lease_id granted_by(machine& m) {
  m.index = m.index.next();
  return std::get<grant_lease_reply>(m.s.apply(m.index, grant(0)).value().body).id;
}

std::unique_ptr<store> build(snapshot_cursor& c, std::size_t leases_at_once, const restoration& how = {}) {
  store_builder b(options{}, c.header(), how);
  for (const auto& s : c.sessions()) REQUIRE(b.add(session_record(*s)).has_value());
  while (!c.leases().done())
    for (const lease_record& l : c.leases().next(leases_at_once)) REQUIRE(b.add(l).has_value());
  while (!c.done())
    for (const record_view& r : c.next(1)) REQUIRE(b.add(r).has_value());
  auto built = b.finish();
  REQUIRE(built.has_value());
  CHECK((*built)->content_hash() == (*built)->recompute_content_hash());
  return std::move(*built);
}

} // namespace

// A grant makes no revision. It is for two seconds at least; the id is the client's, also a negative one of etcd's.
TEST_CASE("a lease is granted") {
  machine m;
  CHECK(m(grant(7, 60)) == "r1: lease 7 for 60 s");
  CHECK(m(grant(8, 1)) == "r1: lease 8 for 2 s");
  CHECK(m(grant(9, 0)) == "r1: lease 9 for 2 s");
  CHECK(m(grant(~std::uint64_t{0}, -5)) == "r1: lease 18446744073709551615 for 2 s");
  CHECK(m(grant(10, lease_ttl_most_s)) == "r1: lease 10 for 9000000000 s");
  CHECK(m(grant(7, 5)) == error(errc::lease_exists).message());
  CHECK(m(grant(11, lease_ttl_most_s + 1)) == error(errc::ttl_too_large).message());
  CHECK(validate(grant(11, lease_ttl_most_s + 1)).error().code() == errc::ttl_too_large);
  CHECK(lease(m, 7) == "7 for 60 s, of 1");
  CHECK(lease(m, 11) == "none");
  CHECK(m.s.leases().size() == 5);
  CHECK(shown_lease(m.s.leases().next({})) == "7 for 60 s, of 1");
  CHECK(shown_lease(m.s.leases().next(lease_id(8))) == "9 for 2 s, of 3");
  CHECK(shown_lease(m.s.leases().next(lease_id(~std::uint64_t{0}))) == "none");
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// An id that is not given is found from the entry's index: the same on every node, positive, and no lease's.
TEST_CASE("the state names a lease") {
  machine a;
  machine b;
  std::set<lease_id> all;
  for (int i = 0; i < 200; ++i) {
    const lease_id id = granted_by(a);
    CHECK(granted_by(b) == id);
    CHECK(static_cast<std::int64_t>(id.value()) > 0);
    all.insert(id);
  }
  CHECK(all.size() == 200);
  const lease_id next = granted_by(b);
  CHECK(a(grant(next.value())).starts_with("r1: lease"));
  a.index = log_index(a.index.value() - 1);
  machine c; // which has one of that id at that index
  c.index = log_index(199);
  c(grant(next.value()));
  CHECK(granted_by(c) == next.next());
}

// A key is of the lease that its newest version names: a put without one, or a deletion, takes it off.
TEST_CASE("keys are attached to a lease") {
  machine m;
  m(grant(1));
  m(grant(2));
  CHECK(m(leased("b", 1)) == "r2: put");
  m(leased("a", 1));
  m(leased("c", 1));
  CHECK(m.keys(1) == "3: a b c");
  m(leased("b", 1)); // again
  CHECK(m.keys(1) == "3: a b c");
  m(leased("b", 2));
  CHECK(m.keys(1) == "2: a c");
  CHECK(m.keys(2) == "1: b");
  CHECK(m.range({.key = "b"}) == "r6 1/1 [b=v c2 m6 v3 l2]");
  m(put{.key = "b", .value = "w", .ignore_lease = true});
  m(put{.key = "a", .lease = lease_id(2), .ignore_value = true});
  CHECK(m.range({.key = "a"}) == "r8 1/1 [a=v c3 m8 v2 l2]");
  CHECK(m.keys(2) == "2: a b");
  m(put{.key = "a", .value = "w"});
  m(delete_range{.key = "b"});
  m(delete_range{.key = "c", .range_end = "d"});
  CHECK(m.keys(1) == "0:");
  CHECK(m.keys(2) == "0:");
  CHECK(m(leased("a", 3)) == no_lease);
  CHECK(m.range({.key = "a"}) == "r11 1/1 [a=w c3 m9 v3]");
  CHECK(m.keys(3) == "0:");
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// Its keys come in pages.
TEST_CASE("the keys of a lease are read page by page") {
  machine m;
  m(grant(1));
  for (const char* key : {"d", "b", "a", "c"}) m(leased(key, 1));
  const leases& all = m.s.leases();
  using page = std::vector<std::string_view>;
  CHECK(all.keys(lease_id(1), {}, 3) == page{"a", "b", "c"});
  CHECK(all.keys(lease_id(1), "c", 3) == page{"d"});
  CHECK(all.keys(lease_id(1), "bb", 1) == page{"c"});
  CHECK(all.keys(lease_id(1), "d", 3).empty());
  CHECK(all.keys(lease_id(1), {}, 0).empty());
}

// Revoking deletes the keys, in their order, as one revision; without keys there is none.
TEST_CASE("a lease is revoked with its keys") {
  machine m;
  m(grant(1));
  m(grant(2));
  for (const char* key : {"b", "a", "x", "c"}) m(leased(key, 1));
  m(leased("x", 2));
  CHECK(m(revoke(1)) == "r7: done");
  CHECK(m.all() == "r7 1/1 [x=v c4 m6 v2 l2]");
  CHECK(m.all(6) == "r7 4/4 [a=v c3 m3 v1 l1, b=v c2 m2 v1 l1, c=v c5 m5 v1 l1, x=v c4 m6 v2 l2]");
  CHECK(m(revoke(1)) == no_lease);
  CHECK(m(leased("a", 1)) == no_lease);
  m(delete_range{.key = "x"});
  CHECK(m(revoke(2)) == "r8: done");
  CHECK(m(revoke(0)) == no_lease);
  CHECK(m.s.leases().size() == 0);
  snapshot_cursor c(m.s);
  std::string subs; // where each deletion stands within its revision
  while (!c.done())
    for (const record_view& r : c.next(1 << 20))
      if (r.mod_revision == revision(7)) subs += std::string(r.key) + std::to_string(r.sub);
  CHECK(subs == "a0b1c2");
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// A leader's word that a lease has run out is of that lease, not of one that was granted under its id since.
TEST_CASE("a lease expires") {
  machine m;
  m(grant(1));
  m(leased("a", 1));
  CHECK(m(expire_lease{lease_id(1), log_index(2)}) == "r2: done");
  CHECK(m.keys(1) == "1: a");
  CHECK(m(expire_lease{lease_id(1), log_index(1)}) == "r3: done");
  CHECK(m.all() == "r3 0/0 []");
  CHECK(m(expire_lease{lease_id(1), log_index(1)}) == "r3: done");
  m(grant(1));
  m(leased("a", 1));
  CHECK(m(expire_lease{lease_id(1), log_index(1)}) == "r4: done");
  CHECK(lease(m, 1) == "1 for 60 s, of 6");
  CHECK(m.keys(1) == "1: a");
}

// What remains of a lease is kept until it is said anew; all of it is nothing to keep.
TEST_CASE("what remains of leases is checkpointed") {
  machine m;
  m(grant(1));
  m(grant(2));
  const auto at = [](std::uint64_t id, std::uint64_t granted, std::optional<std::uint64_t> ms) {
    return lease_checkpoint{lease_id(id), log_index(granted), ms};
  };
  const std::uint64_t none = m.s.content_hash();
  CHECK(m(checkpoint_leases{{at(1, 1, 59'999), at(2, 1, 5), at(3, 1, 5), at(2, 2, 0)}}) == "r1: done");
  CHECK(lease(m, 1) == "1 for 60 s, of 1, 59999 ms");
  CHECK(lease(m, 2) == "2 for 60 s, of 2, 0 ms");
  CHECK(m.s.content_hash() != none);
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
  m(checkpoint_leases{{at(1, 1, 60'000), at(2, 2, std::nullopt)}});
  CHECK(lease(m, 1) == "1 for 60 s, of 1");
  CHECK(lease(m, 2) == "2 for 60 s, of 2");
  CHECK(m.s.content_hash() == none);
  checkpoint_leases many;
  many.list.resize(lease_checkpoints_max);
  CHECK(validate(many).has_value());
  many.list.emplace_back();
  CHECK(validate(many).has_error());
}

// In a transaction an absent lease fails all of it, if the put would run; the compares see leases, and what is taken
// back leaves every key where it was.
TEST_CASE("leases in transactions") {
  machine m;
  m(grant(1));
  m(grant(~std::uint64_t{0}));
  CHECK(m(when(true, {{leased("a", 1)}, {leased("b", 3)}})) == no_lease);
  CHECK(m(when(true, {{when(true, {{leased("b", 3)}})}})) == no_lease);
  CHECK(m.keys(1) == "0:");
  CHECK(m(when(true, {{leased("a", 1)}, {leased("b", ~std::uint64_t{0})}}, {{leased("a", 3)}})) ==
        "r2: yes {put; put}");
  CHECK(m.keys(1) == "1: a");

  txn compares;
  compares.compares.push_back({.key = "a", .range_end = {}, .target = compare_target::lease, .number = 1});
  compares.compares.push_back({.key = "b", .range_end = {}, .target = compare_target::lease, .number = -1});
  CHECK(m(compares) == "r2: yes {}");

  m(put{.key = "large1", .value = std::string(reply_bytes_max / 2 + 1, 'x'), .lease = lease_id(1)});
  m(put{.key = "large2", .value = std::string(reply_bytes_max / 2 + 1, 'x')});
  const std::uint64_t hash = m.s.content_hash();
  const std::uint64_t bytes = m.s.stored_bytes();
  CHECK(m(when(true, {{leased("new", 1)},
                      {leased("b", 1)},
                      {put{.key = "a", .value = "off"}},
                      {delete_range{.key = "large", .range_end = "largf", .prev_kv = true}}})) ==
        error(errc::reply_too_large).message());
  CHECK(m.keys(1) == "2: a large1");
  CHECK(m.keys(~std::uint64_t{0}) == "1: b");
  CHECK(m.s.content_hash() == hash);
  CHECK(m.s.stored_bytes() == bytes);
  CHECK(m(leased("b", 1)) == "r5: put"); // the revision that was not made
  CHECK(m.keys(1) == "3: a b large1");
  CHECK(m.keys(~std::uint64_t{0}) == "0:");
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// Until a command that takes many steps is done, the leases and their keys are what they were before it; then they are
// what it made of them, or the same again if it fails.
TEST_CASE("nothing of a command that is half made can be seen of leases") {
  machine m;
  m(grant(1));
  m(grant(2));
  std::vector<std::string> keys;
  for (int i = 0; i < 600; ++i) keys.push_back("k" + std::to_string(1000 + i));
  for (const std::string& key : keys) m(leased(key, 1));
  m(put{.key = "large1", .value = std::string(reply_bytes_max / 2 + 1, 'x')});
  m(put{.key = "large2", .value = std::string(reply_bytes_max / 2 + 1, 'x')});

  const auto in_slices = [&](const command& c, const std::string& want) {
    const std::string one = m.keys(1);
    const std::string two = m.keys(2);
    const std::string behind = std::string(m.s.leases().keys(lease_id(1), keys[3], 1).front());
    const std::uint64_t hash = m.s.content_hash();
    const std::uint64_t bytes = m.s.stored_bytes();
    int slices = 0;
    m.index = m.index.next();
    for (m.s.begin(m.index, c); !m.s.proceed(1); ++slices) {
      REQUIRE(m.keys(1) == one);
      REQUIRE(m.keys(2) == two);
      REQUIRE(m.s.leases().keys(lease_id(1), keys[3], 1).front() == behind);
      REQUIRE(m.s.leases().size() == 2);
      REQUIRE(m.s.content_hash() == hash);
      REQUIRE(m.s.stored_bytes() == bytes);
    }
    CHECK(slices > 1);
    CHECK(text(m.s.finish()) == want);
    CHECK(m.s.content_hash() == m.s.recompute_content_hash());
  };
  const delete_range largest{.key = "large", .range_end = "largf", .prev_kv = true};
  in_slices(when(true, {{leased(keys[0], 2)}, {leased("a", 1)}, {put{.key = keys[5]}}, {largest}}),
            error(errc::reply_too_large).message());
  CHECK(m.keys(2) == "0:");
  in_slices(when(true, {{leased(keys[0], 2)}, {leased("a", 1)}, {put{.key = keys[5]}}}), "r604: yes {put; put; put}");
  CHECK(m.keys(1).starts_with("599: a k1001 k1002 k1003 k1004 k1006 k1007"));
  CHECK(m.keys(2) == "1: k1000");
  in_slices(delete_range{.key = "k1002", .range_end = "k1300"}, "r605: deleted 298 []");
  CHECK(m.keys(1).starts_with("302: a k1001 k1300 k1301"));
  in_slices(revoke(1), "r606: done");
  CHECK(lease(m, 1) == "none");
  CHECK(m.all().starts_with("r606 3/3 [k1000=v"));
  m(compact{m.s.current()});
  m.finish_compaction();
  for (int i = 0; i < 8; ++i) m(grant(0)); // meanwhile what was kept aside is freed
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// What a listener is told, in order; of what fails or changes nothing, nothing.
TEST_CASE("a listener is told what becomes of the leases") {
  struct transcript final : lease_listener {
    std::string said;
    void granted(const lease_record& l) override { said += "granted " + shown_lease(l) + "\n"; }
    void ended(lease_id id, log_index granted) override {
      said += "ended " + std::to_string(id.value()) + " of " + std::to_string(granted.value()) + "\n";
    }
    void checkpointed(const lease_record& l) override { said += "checkpointed " + shown_lease(l) + "\n"; }
  } told;
  machine m;
  m(grant(1));
  m.s.listen(&told);
  m(grant(1));
  m(grant(2, 5));
  m(checkpoint_leases{
      {{lease_id(2), log_index(3), 70}, {lease_id(2), log_index(3), 70}, {lease_id(1), log_index(3), 5}}});
  m(leased("a", 1));
  m(leased("b", 1));
  m.index = m.index.next();
  m.s.begin(m.index, revoke(1));
  while (!m.s.proceed(0)) CHECK(told.said.find("ended") == std::string::npos);
  (void)m.s.finish();
  m(revoke(1));
  m(expire_lease{lease_id(2), log_index(3)});
  CHECK(told.said == "granted 2 for 5 s, of 3\n"
                     "checkpointed 2 for 5 s, of 3, 70 ms\n"
                     "ended 1 of 1\n"
                     "ended 2 of 3\n");
  m.s.listen(nullptr);
  m(grant(3));
  CHECK(told.said.ends_with("ended 2 of 3\n"));
}

// A snapshot has the leases as they were when it was begun, whatever becomes of them while they are taken; which keys
// they have is found from the keys.
TEST_CASE("leases go through a snapshot") {
  for (const std::size_t at_once : {1, 2, 100}) {
    machine m;
    m(raise_level{lease_level});
    for (std::uint64_t id = 1; id <= 6; ++id) m(grant(id));
    for (const char* key : {"a", "b", "c"}) m(leased(key, 4));
    m(leased("c", 5));
    m(put{.key = "a", .value = "plain"});
    m(checkpoint_leases{{{lease_id(5), log_index(6), 1500}}});
    const std::uint64_t hash = m.s.content_hash();
    const std::uint64_t stored = m.s.stored_bytes();

    snapshot_cursor c(m.s);
    std::vector<lease_record> first;
    for (const lease_record& l : c.leases().next(2)) first.push_back(l);
    REQUIRE(first.size() == 2);
    m(revoke(1)); // taken already
    m(revoke(4)); // and these not yet
    m(grant(4, 9));
    m(checkpoint_leases{{{lease_id(5), log_index(6), 900}, {lease_id(6), log_index(7), 800}}});
    m(checkpoint_leases{{{lease_id(5), log_index(6), 700}}});
    m(revoke(5));
    m(grant(100));
    m(grant(3'000));

    store_builder b(options{}, c.header());
    for (const lease_record& l : first) REQUIRE(b.add(l).has_value());
    while (!c.leases().done())
      for (const lease_record& l : c.leases().next(at_once)) REQUIRE(b.add(l).has_value());
    while (!c.done())
      for (const record_view& r : c.next(1)) REQUIRE(b.add(r).has_value());
    auto built = b.finish();
    REQUIRE(built.has_value());
    store& copy = **built;
    CHECK(copy.content_hash() == hash);
    CHECK(copy.recompute_content_hash() == hash);
    CHECK(copy.stored_bytes() == stored);
    CHECK(copy.leases().size() == 6);
    CHECK(shown_lease(copy.leases().find(lease_id(4))) == "4 for 60 s, of 5");
    CHECK(shown_lease(copy.leases().find(lease_id(5))) == "5 for 60 s, of 6, 1500 ms");
    CHECK(copy.leases().keys(lease_id(4), {}, 9) == std::vector<std::string_view>{"b"});
    CHECK(copy.leases().key_count(lease_id(5)) == 1);
    CHECK(text(copy.apply(log_index(99), revoke(5))) == "r7: done");
  }
}

// A state of an earlier revision knows the leases of now: what was of one that ended since is of none, and can be put,
// kept and taken on like any key.
TEST_CASE("a restored state has the leases of the snapshot") {
  machine m;
  m(grant(1));
  m(grant(2));
  m(leased("a", 1));
  m(leased("b", 2));
  m(put{.key = "b", .value = "later"});
  m(revoke(1));
  snapshot_cursor c(m.s);
  const auto restored = build(c, 1, {.as_of = revision(3), .without_sessions = true});
  CHECK(text(restored->range({.key = "a", .range_end = rest})) == "r3 2/2 [a=v c2 m2 v1, b=v c3 m3 v1 l2]");
  CHECK(restored->leases().size() == 1);
  CHECK(restored->leases().key_count(lease_id(2)) == 1);
  CHECK(text(restored->apply(log_index(20), revoke(2))) == "r4: done");
  CHECK(text(restored->apply(log_index(21), delete_range{.key = "a"})) == "r5: deleted 1 []");
}

// A lease in a snapshot that no store can have had.
TEST_CASE("an impossible lease is refused") {
  const lease_record good{.id = lease_id(1), .ttl_s = 60, .granted = log_index(5), .remaining_ms = 59'999};
  const auto refused = [&](auto change) {
    lease_record l = good;
    change(l);
    store_builder b(options{}, {log_index(5), revision(1), revision(0), {}, 0});
    return b.add(l).has_error();
  };
  CHECK_FALSE(refused([](lease_record&) {}));
  CHECK(refused([](lease_record& l) { l.id = {}; }));
  CHECK(refused([](lease_record& l) { l.granted = {}; }));
  CHECK(refused([](lease_record& l) { l.granted = log_index(6); }));
  CHECK(refused([](lease_record& l) { l.ttl_s = lease_ttl_least_s - 1; }));
  CHECK(refused([](lease_record& l) { l.ttl_s = lease_ttl_most_s + 1; }));
  CHECK(refused([](lease_record& l) { l.remaining_ms = 60'000; }));
  store_builder twice(options{}, {log_index(5), revision(1), revision(0), {}, 0});
  CHECK(twice.add(good).has_value());
  CHECK(twice.add(good).error().code() == errc::snapshot_record);
}

// In a session a grant and a revocation take effect once, and are answered as the first time.
TEST_CASE("a session grants and revokes once") {
  machine m;
  const session_id s = m.open();
  const auto call = [&](std::uint64_t n) { return session_call{.session = s, .sequence = n, .answered = 0}; };
  const std::string named = m(grant(0, 9), call(1));
  CHECK(named.ends_with(" for 9 s"));
  CHECK(m(grant(0, 9), call(1)) == named);
  CHECK(m.s.leases().size() == 1);
  m(grant(5));
  m(leased("a", 5));
  CHECK(m(revoke(5), call(2)) == "r3: done");
  m(grant(5));
  CHECK(m(revoke(5), call(2)) == "r3: done");
  CHECK(lease(m, 5) != "none");
  snapshot_cursor c(m.s);
  const auto copy = build(c, 100);
  CHECK(text(copy->apply(log_index(99), grant(0, 9), call(1))) == named);
}

// There are so many at most, and each is counted in what the store takes.
TEST_CASE("the leases are bounded and counted") {
  store_builder b(options{}, {log_index(1), revision(1), revision(0), {}, 0}, {.as_of = revision(1)});
  lease_record l{.id = {}, .ttl_s = 60, .granted = log_index(1), .remaining_ms = {}};
  for (std::size_t i = 0; i < leases_max; ++i) {
    l.id = l.id.next();
    REQUIRE(b.add(l).has_value());
  }
  l.id = l.id.next();
  CHECK(b.add(l).has_error());
  auto built = b.finish();
  REQUIRE(built.has_value());
  const std::unique_ptr<store> full = std::move(*built);
  CHECK(text(full->apply(log_index(2), grant(0))) == error(errc::too_many_leases).message());
  CHECK(text(full->apply(log_index(3), grant(5))) == error(errc::lease_exists).message());
  CHECK(text(full->apply(log_index(4), revoke(5))) == "r1: done");
  CHECK(text(full->apply(log_index(5), grant(5))).starts_with("r1: lease 5"));

  machine m;
  const std::uint64_t before = m.s.stored_bytes();
  m(grant(1));
  const std::uint64_t granted = m.s.stored_bytes();
  CHECK(granted > before);
  m(put{.key = "a", .value = "v"});
  const std::uint64_t plain = m.s.stored_bytes();
  m(delete_range{.key = "a"});
  m(compact{m.s.current()});
  CHECK(m.s.stored_bytes() == granted);
  m(leased("a", 1));
  CHECK(m.s.stored_bytes() > plain);
  m(revoke(1));
  m(compact{m.s.current()});
  CHECK(m.s.stored_bytes() == before);
}

// Clients grant and revoke; the rest is a leader's own. Only members of lease_level understand any of it.
TEST_CASE("who proposes what of leases") {
  CHECK_FALSE(is_leaders_own(grant(1)));
  CHECK_FALSE(is_leaders_own(revoke(1)));
  CHECK(is_leaders_own(expire_lease{}));
  CHECK(is_leaders_own(checkpoint_leases{}));
  const session_call call{.session = session_id(1), .sequence = 1};
  for (const command& c : std::vector<command>{grant(1), revoke(1), expire_lease{}, checkpoint_leases{}}) {
    CHECK(needed_level(c, {}) == lease_level);
    CHECK(needed_level(c, call) == lease_level);
  }
  CHECK(needed_level(leased("a", 1), {}) == 0);
  CHECK(needed_level(leased("a", 1), call) == session_level);
  CHECK(needed_level(raise_level{lease_level}, {}) == session_level);
}

} // namespace quorumd::kv::test
