#include "daemon/client/calls.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace quorumd::client {

// A record is used again under a new id, so that a reply to its earlier request finds nobody.
TEST_CASE("a call's id is never used again") {
  client_calls calls;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 1000; ++i) {
    client_call& c = calls.open({});
    const std::uint64_t id = c.id;
    CHECK(ids.insert(id).second);
    CHECK(calls.find(id) == &c);
    calls.renew(c);
    CHECK(calls.find(id) == nullptr);
    CHECK(ids.insert(c.id).second);
    CHECK(calls.find(c.id) == &c);
    const std::uint64_t last = c.id;
    calls.close(c);
    CHECK(calls.find(last) == nullptr);
  }
  CHECK(calls.open_count() == 0);
  CHECK(calls.find(0) == nullptr);
  CHECK(calls.find(~std::uint64_t{0}) == nullptr);
}

// Records are recycled: after a hundred at a time there are a hundred, and each open one is visited once.
TEST_CASE("calls are pooled") {
  client_calls calls;
  std::set<const client_call*> known;
  for (int round = 0; round < 10; ++round) {
    std::vector<client_call*> open;
    for (int i = 0; i < 100; ++i) open.push_back(&calls.open({}));
    known.insert(open.begin(), open.end());
    CHECK(calls.open_count() == 100);
    std::size_t visited = 0;
    calls.for_each_open([&](client_call&) { ++visited; });
    CHECK(visited == 100);
    for (client_call* c : open) calls.close(*c);
  }
  CHECK(known.size() == 100);
}

} // namespace quorumd::client
