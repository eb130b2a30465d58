#include "daemon/node/applier.hpp"

#include "consensus/types/little_endian.hpp"
#include "daemon/kv/codec/command_codec.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::node;

namespace {

struct machine final : observer {
  std::vector<log_index> seen;
  pending_table pending{[](const pending_table::record&, request_errc) {}};
  sink_set sinks;
  chunk_arena arena;
  applier state;

  explicit machine(bool witness = false)
      : state({.store = std::make_unique<kv::store>(kv::options{}), .members = {}}, witness, pending, sinks, *this,
              {}) {}

  void entry_applied(const entry& e) override { seen.push_back(e.index()); }
  /// The next entry, with the command's payload or, where bytes are given, those.
  entry next(entry_kind kind, std::span<const std::byte> payload) {
    return entry::make(group_id(1), term(3), state.applied().next(), kind, payload);
  }
  bool apply(entry e) {
    std::vector<entry> committed{std::move(e)};
    state.take(committed);
    state.proceed(1000);
    return state.idle();
  }
  bool apply_put() {
    const proposal p = kv::encode_command(arena, kv::put{.key = "key", .value = "value"});
    return apply(next(entry_kind::command, p.payload()));
  }
};

} // namespace

// A later version's entry is committed: this node does nothing with it, nor with anything behind it, and says what it
// met. What it has applied so far stays what it is.
TEST_CASE("an entry that this version does not know stops the state machine") {
  machine m;
  REQUIRE(m.apply_put());
  const std::uint64_t before = m.state.store().content_hash();
  std::string what;
  entry unknown;
  SUBCASE("another kind of entry") {
    unknown = m.next(static_cast<entry_kind>(7), {});
    what = "it is of the unknown kind 7";
  }
  SUBCASE("a command that was withheld, though this is no witness") {
    unknown = m.next(entry_kind::withheld, {});
    what = "it was withheld, as from a witness, and this node is none";
  }
  SUBCASE("another kind of command") {
    proposal p = kv::encode_command(m.arena, kv::put{.key = "other", .value = "value"});
    store_le<std::uint16_t>(p.payload().data() + 8, 40);
    unknown = m.next(entry_kind::command, std::as_const(p).payload());
    what = "a command is of an unknown kind";
  }
  SUBCASE("a command that needs a later version") {
    proposal p = kv::encode_command(m.arena, kv::put{.key = "other", .value = "value"});
    store_le<std::uint16_t>(p.payload().data() + 10, 40);
    unknown = m.next(entry_kind::command, std::as_const(p).payload());
    what = "a command is of version 40";
  }
  SUBCASE("a change of the members in another form") {
    std::vector<std::byte> change = membership::encode(node_id(1), incarnation(5));
    store_le<std::uint16_t>(change.data(), 40);
    unknown = m.next(entry_kind::configuration, change);
    what = "the members' incarnations are in an unknown form";
  }
  SUBCASE("members with details in another form") {
    configuration c;
    c.voters = {node_id(1)};
    unknown = m.next(entry_kind::members, encode_configuration(c, std::vector<std::byte>(4, std::byte{9})));
    what = "a change of the members is in an unknown form";
  }
  CHECK_FALSE(m.apply(unknown));
  CHECK(m.state.why_stopped().find("entry 2 of the log (term 3)") == 0);
  CHECK(m.state.why_stopped().find(what) != std::string::npos);
  CHECK(m.state.applied() == log_index(1));
  CHECK(m.state.store().content_hash() == before);
  CHECK(m.state.members() == membership());

  CHECK(m.state.proceed(1000) == 0);
  CHECK(m.state.applied() == log_index(1));
  CHECK(m.seen == std::vector{log_index(1)});
}

// Whoever sends it a command all the same does not know it: a departed one, to those who are told later.
TEST_CASE("a witness passes over commands and follows the members") {
  machine m(true);
  REQUIRE(m.apply_put());
  REQUIRE(m.apply(m.next(entry_kind::withheld, {})));
  REQUIRE(m.apply(m.next(entry_kind::configuration, membership::encode(node_id(1), incarnation(5)))));
  CHECK(m.state.applied() == log_index(3));
  CHECK(m.state.store().keys() == 0);
  CHECK(m.state.members().recorded(node_id(1)) == incarnation(5));
  CHECK(m.state.marks().empty()); // nothing that others could compare
}

// Members of different speed have an index in common: the state is marked every so many entries, and as it is now.
TEST_CASE("the state is marked at agreed indexes") {
  machine m;
  const auto run_to = [&m](std::uint64_t index) {
    while (m.state.applied() < log_index(index)) REQUIRE(m.apply_put());
  };
  run_to(10);
  REQUIRE(m.state.marks().size() == 1);
  CHECK(m.state.marks().back() ==
        client::state_mark{log_index(10), m.state.store().content_hash(), m.state.store().current()});
  run_to(applier::mark_interval);
  const client::state_mark then{m.state.applied(), m.state.store().content_hash(), m.state.store().current()};
  run_to(applier::mark_interval + 5);
  REQUIRE(m.state.marks().size() == 2);
  CHECK(m.state.marks().front() == then);
  CHECK(m.state.marks().back().index == log_index(applier::mark_interval + 5));
  run_to(applier::mark_interval * 100);
  CHECK(m.state.marks().size() == client::state_marks_max - 1);
  run_to(applier::mark_interval * 100 + 1);
  CHECK(m.state.marks().size() == client::state_marks_max);
  CHECK(m.state.marks().front().index == log_index(applier::mark_interval * (102 - client::state_marks_max)));

  // What takes its place has marks of its own; the old state is the caller's to free.
  const kv::store* old = &m.state.store();
  auto store = std::make_unique<kv::store>(kv::options{});
  for (std::uint64_t i = 1; i <= applier::mark_interval * 200; ++i)
    REQUIRE(store->apply(log_index(i), kv::put{.key = "k", .value = "v"}).has_value());
  const applier::state replaced = m.state.replace({.store = std::move(store), .members = {}});
  CHECK(replaced.store.get() == old);
  CHECK(m.state.marks().size() == 1);
}
