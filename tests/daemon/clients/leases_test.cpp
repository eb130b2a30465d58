#include "tests/daemon/clients/port_client.hpp"

#include <string>
#include <utility>

using namespace quorumd;
using namespace quorumd::testing;

namespace {

/// What the command comes to over the client port.
std::string answer_of(node_rig& rig, const kv::command& c) {
  const auto answer = rig.call(c);
  if (answer.has_error())
    return answer.error().code() == request_errc::store ? answer.error().store().message() : answer.error().message();
  const auto& done = std::get<kv::reply>(answer->reply.body);
  std::string text = "r" + std::to_string(done.revision.value());
  if (const auto* g = std::get_if<kv::grant_lease_reply>(&done.body))
    text += " lease " + std::to_string(g->id.value()) + " for " + std::to_string(g->ttl_s) + " s";
  return text;
}

} // namespace

// A client grants, attaches and revokes. One leader raises the level twice in its term: for the first session, and for
// the first lease.
TEST_CASE("leases over the client port") {
  node_rig rig(with(1));
  CHECK(answer_of(rig, kv::open_session{.nonce = 1, .idle_ms_max = 60'000}) == "r1");
  CHECK(answer_of(rig, kv::grant_lease{.id = lease_id(7), .ttl_s = 60}) == "r1 lease 7 for 60 s");
  CHECK(answer_of(rig, kv::grant_lease{.id = lease_id(7), .ttl_s = 60}) == kv::error(kv::errc::lease_exists).message());
  CHECK(answer_of(rig, kv::grant_lease{.id = lease_id(8), .ttl_s = kv::lease_ttl_most_s + 1}) ==
        kv::error(kv::errc::ttl_too_large).message());
  CHECK(answer_of(rig, kv::put{.key = "key", .value = "value", .lease = lease_id(7)}) == "r2");
  CHECK(answer_of(rig, kv::put{.key = "key", .value = "value", .lease = lease_id(8)}) ==
        kv::error(kv::errc::lease_not_found).message());
  CHECK(answer_of(rig, kv::revoke_lease{lease_id(7)}) == "r3");
  CHECK(answer_of(rig, kv::revoke_lease{lease_id(7)}) == kv::error(kv::errc::lease_not_found).message());
  CHECK(answer_of(rig, kv::expire_lease{lease_id(7), log_index(1)}).ends_with("only a leader proposes this command"));
  CHECK(answer_of(rig, kv::checkpoint_leases{}).ends_with("only a leader proposes this command"));
}
