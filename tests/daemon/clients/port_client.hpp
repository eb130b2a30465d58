#pragma once

#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string_view>
#include <thread>

/// What the tests of the client port share: clients whose every byte they decide.
namespace quorumd::testing {

using namespace std::chrono_literals;
using wire::request_errc;

inline node_rig::options with(std::size_t loops, clients::session_options session = {}) {
  return {.loops = loops, .clients = {.session = session}};
}

inline place at(const node_rig& rig) {
  return {"127.0.0.1", rig.port()};
}

inline void put(wire::byte_buffer& out, std::uint64_t id, std::string_view key, std::string_view value) {
  client::encode_request(out, id, 20s, kv::command(kv::put{.key = key, .value = value}));
}

inline void get(wire::byte_buffer& out, std::uint64_t id, std::string_view key) {
  client::encode_request(out, id, 20s, client::range_read{.request = {.key = key}, .serializable = false});
}

/// What a reply says: `none` for success.
inline request_errc code_of(const client::client_reply& r) {
  const auto* e = std::get_if<client::client_error>(&r.body);
  return e == nullptr ? request_errc::none : e->code;
}

inline bool served(const client::call_result& r) {
  return r.has_value();
}

/// Polls until it holds, or ten seconds are over.
template <class F>
bool comes_true(F f) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!f()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// The codes of so many replies, by id; each id once.
inline std::map<std::uint64_t, request_errc> replies(raw_connection& c, std::size_t n) {
  std::map<std::uint64_t, request_errc> all;
  while (all.size() < n) {
    const auto r = c.receive(10s);
    REQUIRE(r.has_value());
    REQUIRE(all.emplace(r->id, code_of(*r)).second);
  }
  return all;
}

} // namespace quorumd::testing
