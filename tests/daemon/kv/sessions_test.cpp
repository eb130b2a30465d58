#include "daemon/kv/sessions.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/kv/validate.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

constexpr std::uint64_t minute = 60'000;

session_call call_of(session_id s, std::uint64_t sequence, std::uint64_t answered = 0) {
  return {.session = s, .sequence = sequence, .answered = answered};
}

const std::string unknown = error(errc::session_unknown).message();
const std::string has_answer = error(errc::session_answered).message();

/// What a snapshot makes of it.
std::unique_ptr<store> copy(store& s, const restoration& how = {}) {
  snapshot_cursor c(s);
  store_builder b(options{}, c.header(), how);
  if (c.header().settings) b.add(*c.header().settings);
  for (const auto& session : c.sessions()) REQUIRE(b.add(session_record(*session)).has_value());
  while (!c.done())
    for (const record_view& r : c.next(1)) REQUIRE(b.add(r).has_value());
  auto built = b.finish();
  REQUIRE(built.has_value());
  return std::move(*built);
}

command increment(std::string_view from, std::string_view to) {
  txn t;
  t.compares.push_back({.key = "n", .range_end = {}, .target = compare_target::value, .value = from});
  t.success.push_back({put{.key = "n", .value = to, .prev_kv = true}});
  t.failure.push_back({range_request{.key = "n"}});
  return t;
}

} // namespace

// Sent twice, it is carried out once, and both are told the same: the revision, what was there before, how many went,
// which list of a transaction ran, or what was wrong with it.
TEST_CASE("a session's command takes effect once") {
  machine m;
  const session_id s = m.open();
  const std::vector<command> commands{
      put{.key = "n", .value = "1"},
      put{.key = "n", .value = "2", .prev_kv = true},
      increment("2", "3"),
      increment("2", "3"), // no longer
      put{.key = "absent", .ignore_value = true},
      delete_range{.key = "n", .prev_kv = true},
      delete_range{.key = "n"},
      configure{.keep_revisions = 5},
      compact{.revision = revision(2)},
      compact{.revision = revision(2)}, // already
  };
  std::vector<std::string> first;
  for (std::size_t i = 0; i < commands.size(); ++i) first.push_back(m(commands[i], call_of(s, i + 1)));
  CHECK(first[1] == "r3: put was [n=1 c2 m2 v1]");
  CHECK(first[2] == "r4: yes {put was [n=2 c2 m3 v2]}");
  CHECK(first[3] == "r4: no {r4 1/1 [n=3 c2 m4 v3]}");
  CHECK(first[5] == "r5: deleted 1 [n=3 c2 m4 v3]");
  const std::string state = m.all();
  const std::uint64_t hash = m.s.content_hash();
  for (std::size_t i = commands.size(); i-- != 0;) CHECK(m(commands[i], call_of(s, i + 1)) == first[i]);
  CHECK(m.all() == state);
  CHECK(m.s.content_hash() == hash);
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// Without a session, or in another one, it is another command.
TEST_CASE("sessions do not know of one another") {
  machine m;
  const session_id a = m.open();
  const session_id b = m.open();
  CHECK(a != b);
  CHECK(m(put{.key = "a", .value = "1"}, call_of(a, 1)) == "r2: put");
  CHECK(m(put{.key = "a", .value = "1"}, call_of(b, 1)) == "r3: put");
  CHECK(m(put{.key = "a", .value = "1"}) == "r4: put");
  CHECK(m(put{.key = "a", .value = "1"}, call_of(a, 1)) == "r2: put");
}

// What the client has the answers of is forgotten, and would not be carried out again if it came.
TEST_CASE("answers are kept until the client has them") {
  machine m;
  const session_id s = m.open();
  for (std::uint64_t i = 1; i <= 4; ++i) m(put{.key = "a", .value = "v"}, call_of(s, i));
  CHECK(m.s.sessions().capture().front()->kept.size() == 4);
  m(put{.key = "a", .value = "v"}, call_of(s, 5, 3));
  CHECK(m.s.sessions().capture().front()->kept.size() == 2);
  const std::string state = m.all();
  CHECK(m(put{.key = "a", .value = "w"}, call_of(s, 3)) == has_answer);
  CHECK(m(put{.key = "a", .value = "w"}, call_of(s, 4, 3)) == "r5: put");
  CHECK(m.all() == state);
  // An earlier word on what it has arrives later: nothing comes back.
  m(put{.key = "a", .value = "v"}, call_of(s, 6, 1));
  CHECK(m(put{.key = "a", .value = "w"}, call_of(s, 2)) == has_answer);
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// The numbers that a command can have: what is kept is bounded by them.
TEST_CASE("the numbers of a session's commands are bounded") {
  const session_id s(7);
  CHECK(validate(session_call{}).has_value());
  CHECK(validate(call_of(s, 1)).has_value());
  CHECK(validate(call_of(s, session_window)).has_value());
  CHECK(validate(call_of(s, session_window + 5, 5)).has_value());
  for (const session_call& bad : {call_of(s, 0), call_of(s, 5, 5), call_of(s, 5, 6), call_of(s, session_window + 1)}) {
    const auto refused = validate(bad);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code() == errc::session_call);
  }
}

// Answers beyond what a session may keep are not kept: whoever asks again is told that it was done.
TEST_CASE("a large answer is not kept, but that it was done is") {
  machine m;
  m(put{.key = "a", .value = std::string(session_answer_bytes_max, 'x')});
  m(put{.key = "b", .value = std::string(session_answer_bytes_max / 2, 'x')});
  const session_id s = m.open();
  const auto again = [&](std::uint64_t sequence) { return m(put{.key = "a", .value = "again"}, call_of(s, sequence)); };
  CHECK(m(delete_range{.key = "a", .prev_kv = true}, call_of(s, 1)).starts_with("r4: deleted 1 [a=xx"));
  CHECK(again(1) == "the command took effect when it was sent before, but its answer was too large to be kept (the "
                    "revision after it is 4)");
  CHECK(m(put{.key = "b", .value = "1", .prev_kv = true}, call_of(s, 2)).starts_with("r5: put was [b=xx"));
  CHECK(again(2).starts_with("r5: put was [b=xx"));
  m(put{.key = "b", .value = std::string(session_answer_bytes_max / 2, 'x')});
  CHECK(m(put{.key = "b", .value = "2", .prev_kv = true}, call_of(s, 3)).starts_with("r7: put was [b=xx"));
  CHECK(again(3).starts_with("the command took effect")); // both together would be too much
  CHECK(m(put{.key = "b", .value = "3", .prev_kv = true}, call_of(s, 4, 2)) == "r8: put was [b=2 c3 m7 v4]");
  CHECK(again(4) == "r8: put was [b=2 c3 m7 v4]");
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// It ends when it is closed or was idle for too long by the log's time, and what it sends then has no effect.
TEST_CASE("a session ends") {
  machine m;
  const session_id closed = m.open();
  const session_id idle = m.open(2 * minute);
  const session_id used = m.open(2 * minute);
  CHECK(m(close_session{closed}) == "r1: done");
  CHECK(m(close_session{closed}) == unknown);
  CHECK(m(pass_time{2 * minute}) == "r1: done");
  CHECK(m(put{.key = "a", .value = "1"}, call_of(used, 1)) == "r2: put");
  CHECK(m.s.sessions().size() == 2);
  m(pass_time{1});
  CHECK(m.s.sessions().size() == 1);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(idle, 1)) == unknown);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(closed, 1)) == unknown);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(session_id(99), 1)) == unknown);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(used, 1)) == "r2: put");
  CHECK(m.all() == "r2 1/1 [a=1 c2 m2 v1]");
  CHECK(m(open_session{.idle_ms_max = session_idle_ms_least - 1}) == error(errc::session_idle).message());
  CHECK(m(open_session{.idle_ms_max = session_idle_ms_most + 1}) == error(errc::session_idle).message());
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// There are so many at most. One that was idle for a while gives way, the one that was idle longest first; while none
// was, no other begins.
TEST_CASE("the table of sessions is bounded") {
  machine m;
  const session_id first = m.open(session_idle_ms_most);
  const session_id second = m.open(session_idle_ms_most);
  m(pass_time{session_kept_ms_least - 1});
  while (m.s.sessions().size() != sessions_max) REQUIRE(m.open(session_idle_ms_most, 5));
  m(put{.key = "a", .value = "1"}, call_of(first, 1));
  CHECK(m(open_session{.idle_ms_max = minute}) == error(errc::too_many_sessions).message());
  m(pass_time{1});
  CHECK(m.open());
  CHECK(m.s.sessions().size() == sessions_max);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(second, 1)) == unknown);
  CHECK(m(put{.key = "a", .value = "2"}, call_of(first, 1)) == "r2: put");
  CHECK(m(open_session{.idle_ms_max = minute}) == error(errc::too_many_sessions).message());
  CHECK(m.s.content_hash() == m.s.recompute_content_hash());
}

// A snapshot has the sessions as they were when it was begun, with all that is kept, whatever comes while it is taken;
// a restored cluster has none of them.
TEST_CASE("sessions go through a snapshot") {
  machine m;
  m(raise_level{session_level});
  const session_id s = m.open();
  m(put{.key = "a", .value = "1"}, call_of(s, 1));
  m(put{.key = "a", .value = "2", .prev_kv = true}, call_of(s, 2));
  m(put{.key = "gone", .ignore_value = true}, call_of(s, 3));
  m(pass_time{17});
  const std::uint64_t hash = m.s.content_hash();

  snapshot_cursor c(m.s);
  m(put{.key = "a", .value = "3"}, call_of(s, 4, 2));
  m(close_session{s});
  store_builder b(options{}, c.header());
  for (const auto& session : c.sessions()) REQUIRE(b.add(session_record(*session)).has_value());
  while (!c.done())
    for (const record_view& r : c.next(1)) REQUIRE(b.add(r).has_value());
  auto built = b.finish();
  REQUIRE(built.has_value());
  store& copy = **built;
  CHECK(copy.content_hash() == hash);
  CHECK(copy.content_hash() == copy.recompute_content_hash());
  CHECK(copy.level() == session_level);
  CHECK(copy.sessions().now_ms() == 17);
  CHECK(text(copy.apply(log_index(100), put{.key = "a", .value = "x"}, call_of(s, 2))) == "r3: put was [a=1 c2 m2 v1]");
  CHECK(text(copy.apply(log_index(101), put{.key = "a", .value = "x"}, call_of(s, 3))) ==
        error(errc::key_not_found).message());
  CHECK(text(copy.apply(log_index(102), put{.key = "a", .value = "x"}, call_of(s, 4, 2))) == "r4: put");

  const auto restored = test::copy(copy, {.without_sessions = true});
  CHECK(restored->sessions().size() == 0);
  CHECK(restored->level() == session_level);
  CHECK(restored->content_hash() == restored->recompute_content_hash());
}

// A session in a snapshot that no store can have had.
TEST_CASE("an impossible session is refused") {
  machine m;
  const session_id s = m.open();
  m(put{.key = "a", .value = "1"}, call_of(s, 1));
  m(put{.key = "a", .value = "1"}, call_of(s, 2));
  snapshot_cursor c(m.s);
  const auto refused = [&](auto change) {
    session_record r = *c.sessions().front();
    change(r);
    store_builder b(options{}, c.header());
    return b.add(std::move(r)).has_error();
  };
  CHECK_FALSE(refused([](session_record&) {}));
  CHECK(refused([](session_record& r) { r.id = {}; }));
  CHECK(refused([](session_record& r) { r.used_ms = 1; }));
  CHECK(refused([](session_record& r) { r.answered = 1; }));
  CHECK(refused([](session_record& r) { std::swap(r.kept[0], r.kept[1]); }));
  CHECK(refused([](session_record& r) { r.kept[1].sequence = session_window + 1; }));
  store_builder twice(options{}, c.header());
  CHECK(twice.add(session_record(*c.sessions().front())).has_value());
  CHECK(twice.add(session_record(*c.sessions().front())).has_error());
}

// The same sessions from the same log, whoever takes a snapshot of them in between.
TEST_CASE("random sessions against a model") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    machine m;
    std::unique_ptr<store> mirror = std::make_unique<store>(options{});
    struct client {
      session_id id;
      std::uint64_t last = 0;
      std::uint64_t answered = 0;
      std::map<std::uint64_t, std::string> answers;
    };
    std::vector<client> clients(1 + below(4));
    std::uint64_t made = 1; // the revision, as the commands that were new say
    const auto both = [&](const command& c, const session_call& call) {
      m.index = m.index.next();
      const std::string one = text(m.s.apply(m.index, c, call));
      REQUIRE(text(mirror->apply(m.index, c, call)) == one);
      REQUIRE(mirror->content_hash() == m.s.content_hash());
      return one;
    };
    for (int step = 0; step < 300; ++step) {
      client& c = clients[below(clients.size())];
      const std::uint64_t dice = below(20);
      if (!c.id) {
        m.index = m.index.next();
        const open_session o{.nonce = random(), .idle_ms_max = 1000 + below(5000)};
        c = client();
        c.id = std::get<open_session_reply>(m.s.apply(m.index, o)->body).session;
        REQUIRE(std::get<open_session_reply>(mirror->apply(m.index, o)->body).session == c.id);
      } else if (dice == 0) {
        (void)both(pass_time{below(2000)}, {});
      } else if (dice == 1) {
        (void)both(close_session{c.id}, {});
        c.id = {};
      } else if (dice == 2) {
        mirror = copy(*mirror);
        REQUIRE(mirror->content_hash() == m.s.content_hash());
        REQUIRE(mirror->recompute_content_hash() == m.s.content_hash());
      } else {
        if (below(3) == 0) c.answered += below(c.last - c.answered + 1);
        const bool again = dice < 10 && c.last > c.answered;
        const std::uint64_t sequence = again ? c.answered + 1 + below(c.last - c.answered) : ++c.last;
        const std::string value = std::to_string(step);
        const std::string said =
            both(put{.key = "k", .value = value, .prev_kv = dice % 2 == 0}, call_of(c.id, sequence, c.answered));
        if (said == unknown) {
          c.id = {};
        } else if (again && c.answers.contains(sequence)) {
          REQUIRE(said == c.answers[sequence]);
        } else {
          c.answers[sequence] = said;
          ++made;
          REQUIRE(m.s.current() == revision(made));
        }
      }
      REQUIRE(m.s.content_hash() == m.s.recompute_content_hash());
    }
  }
}

} // namespace quorumd::kv::test
