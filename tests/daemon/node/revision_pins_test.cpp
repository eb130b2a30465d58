#include "daemon/node/revision_pins.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace quorumd;
using namespace std::chrono_literals;

namespace {

struct pins_rig {
  kv::store store{kv::options{}};
  log_index index;

  void put(const std::string& value) {
    index = index.next();
    REQUIRE(store.apply(index, kv::put{.key = "key", .value = value}).has_value());
  }
  void compact() {
    index = index.next();
    REQUIRE(store.apply(index, kv::compact{store.current()}).has_value());
    while (store.compact_step(100)) {
    }
  }
  std::string read(revision at) {
    const auto found = store.range({.key = "key", .revision = at});
    return found && found->kvs.size() == 1 ? std::string(found->kvs[0].value) : "none";
  }
};

coro::time_point at(std::chrono::milliseconds t) {
  return coro::time_point(t);
}

} // namespace

// A revision that is kept is read through compactions, until nobody has read it for as long as was asked.
TEST_CASE("a pinned revision outlives its compaction for as long as it is read") {
  pins_rig r;
  node::revision_pins pins({});
  r.put("old");
  const revision old = r.store.current();
  pins.keep(r.store, old, at(0ms), 10s);
  r.put("new");
  r.compact();
  CHECK(pins.holds(old));
  CHECK(r.read(old) == "old");
  pins.expire(r.store, at(9s));
  pins.keep(r.store, old, at(9s), 10s);
  pins.expire(r.store, at(18s));
  CHECK(r.read(old) == "old");
  pins.expire(r.store, at(19s));
  CHECK_FALSE(pins.holds(old));
  CHECK(r.store.range({.key = "key", .revision = old}).error().code() == kv::errc::compacted);
  const std::uint64_t before = r.store.held_bytes();
  while (r.store.compact_step(100)) {
  }
  CHECK(r.store.held_bytes() < before);
}

// What is kept costs more history than allowed: it is given up, and only then freed.
TEST_CASE("a pin that holds too much history is given up") {
  pins_rig r;
  node::revision_pins pins({.history_bytes_max = 10'000});
  r.put("old");
  const revision old = r.store.current();
  pins.keep(r.store, old, at(0ms), 10s);
  for (int i = 0; i < 9; ++i) r.put(std::string(1000, 'x'));
  r.compact();
  pins.expire(r.store, at(1ms));
  CHECK(pins.holds(old));
  for (int i = 0; i < 9; ++i) r.put(std::string(1000, 'x'));
  r.compact();
  pins.expire(r.store, at(2ms));
  CHECK_FALSE(pins.holds(old));
}

// There is a bound on the revisions kept at a time, and on the time that a client may ask for.
TEST_CASE("pins are bounded in number and in time") {
  pins_rig r;
  node::revision_pins pins({.pins_max = 2, .keep_max = 5s});
  for (int i = 0; i < 3; ++i) {
    r.put("v");
    pins.keep(r.store, r.store.current(), at(0ms), 1h);
  }
  CHECK(pins.size() == 2);
  pins.expire(r.store, at(5s));
  CHECK(pins.size() == 0);
}
