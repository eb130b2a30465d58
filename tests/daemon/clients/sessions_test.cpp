#include "tests/daemon/clients/port_client.hpp"

#include <string>
#include <utility>

using namespace quorumd;
using namespace quorumd::testing;

namespace {

session_id open_session(node_rig& rig, std::uint64_t idle_ms_max = 60'000) {
  const auto opened = rig.call(kv::command(kv::open_session{.nonce = 7, .idle_ms_max = idle_ms_max}));
  REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
  return std::get<kv::open_session_reply>(std::get<kv::reply>(opened->reply.body).body).session;
}

/// What one command of a session is answered, over a connection of its own.
std::string send(const node_rig& rig, const kv::command& c, const kv::session_call& call) {
  raw_connection connection(at(rig));
  wire::byte_buffer out;
  client::encode_request(out, 1, 20s, c, call);
  REQUIRE(connection.send(out));
  const auto r = connection.receive(10s);
  REQUIRE(r.has_value());
  if (const auto* e = std::get_if<client::client_error>(&r->body))
    return e->code == request_errc::store ? e->store.message() : std::string(e->text);
  const auto& done = std::get<kv::reply>(r->body);
  std::string text = "r" + std::to_string(done.revision.value());
  if (const auto* d = std::get_if<kv::delete_range_reply>(&done.body)) {
    text += " " + std::to_string(d->deleted);
    for (const kv::key_value_view& k : d->prev) text += " " + std::string(k.key) + "=" + std::string(k.value);
  }
  return text;
}

} // namespace

// A command of a session is sent again over another connection: it is answered as before, and done once.
TEST_CASE("a session outlives its connections") {
  node_rig rig(with(2));
  const session_id s = open_session(rig);
  const kv::put put{.key = "key", .value = "value"};
  const kv::delete_range del{.key = "key", .prev_kv = true};
  CHECK(send(rig, put, {s, 1, 0}) == "r2");
  CHECK(send(rig, del, {s, 2, 0}) == "r3 1 key=value");
  CHECK(send(rig, put, {s, 1, 0}) == "r2");
  CHECK(send(rig, del, {s, 2, 1}) == "r3 1 key=value");
  CHECK(send(rig, put, {s, 3, 2}) == "r4");
  CHECK(send(rig, del, {s, 2, 0}) == kv::error(kv::errc::session_answered).message());
}

// Numbers that no session can have, a session that there is not, and what only leaders propose.
TEST_CASE("what cannot be a session's command is refused") {
  node_rig rig(with(1));
  const session_id s = open_session(rig);
  const kv::put put{.key = "key", .value = "value"};
  CHECK(send(rig, put, {s, 0, 0}) == kv::error(kv::errc::session_call).message());
  CHECK(send(rig, put, {s, 2000, 0}) == kv::error(kv::errc::session_call).message());
  CHECK(send(rig, put, {session_id(s.value() + 1), 1, 0}) == kv::error(kv::errc::session_unknown).message());
  CHECK(send(rig, kv::open_session{.nonce = 1, .idle_ms_max = 5}, {}) == kv::error(kv::errc::session_idle).message());
  CHECK(send(rig, kv::pass_time{5}, {}) == "only a leader proposes this command");
  CHECK(send(rig, kv::raise_level{9}, {}) == "only a leader proposes this command");
  CHECK(send(rig, kv::close_session{s}, {}) == "r1");
  CHECK(send(rig, put, {s, 1, 0}) == kv::error(kv::errc::session_unknown).message());
}

// The leader counts the time that sessions end by; what is used stays.
TEST_CASE("an idle session ends by the leader's time") {
  node_rig::options o = with(1);
  o.time_interval = 50ms;
  node_rig rig(o);
  const session_id idle = open_session(rig, kv::session_idle_ms_least);
  const session_id used = open_session(rig, kv::session_idle_ms_least);
  const kv::put put{.key = "key", .value = "value"};
  std::uint64_t sequence = 0;
  const auto opened = std::chrono::steady_clock::now();
  CHECK(send(rig, put, {idle, 1, 0}) == "r2");
  CHECK(comes_true([&] {
    ++sequence;
    CHECK(send(rig, put, {used, sequence, sequence - 1}).starts_with("r"));
    // It is not asked for itself, which would be a use: its place is.
    const auto status = rig.call(client::metrics_request());
    REQUIRE(status.has_value());
    for (const client::reading& r : std::get<client::metrics_reply>(status->reply.body).readings)
      if (r.name == "client.sessions") return r.value == 1;
    return false;
  }));
  CHECK(std::chrono::steady_clock::now() - opened > std::chrono::milliseconds(kv::session_idle_ms_least));
  CHECK(send(rig, put, {idle, 1, 0}) == kv::error(kv::errc::session_unknown).message());
}
