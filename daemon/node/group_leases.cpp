#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/node/group.hpp"

#include <algorithm>
#include <utility>

/// Leases, of which the leader counts the time.
namespace quorumd::node {
namespace {

constexpr std::size_t adopted_a_turn = 512;

} // namespace

/// A question is answered when a majority has confirmed that this node leads, as a read is: what another leader might
/// have done since is then not overlooked, and a renewal counts for whoever leads next.
void group::ask_about_lease(write_request r) {
  read_request read;
  read.to = r.to;
  read.deadline = r.deadline;
  read.leader_by = r.leader_by;
  read.hold = std::as_const(r.command).chunk();
  read.transaction = std::as_const(r.command).payload();
  read.arrival = r.arrival;
  read.bulk = r.bulk;
  read.question = true;
  if (options_.bugs.renew_without_quorum && leases_.leads())
    ready_reads_.add(std::move(read));
  else
    accept(std::move(read));
}

read_server::slice group::answer_about_lease(read_request& r) {
  const auto command = kv::decode_command(r.transaction);
  const auto* q = command ? std::get_if<kv::lease_question>(&command->what) : nullptr;
  if (q == nullptr) {
    sinks_.failed(r.to, request_errc::invalid);
    return {};
  }
  seams_.loop.worked(1);
  const auto answer = leases_.leads() ? leases_.answer(*q) : std::nullopt;
  if (answer) {
    sinks_.wrote(r.to, *answer);
    stages_.read_served(r);
  } else {
    lease_waits_.push_back(std::move(r));
    wake_.set();
  }
  return {};
}

/// This node does not lead any more: whoever does answers it.
void group::ask_elsewhere(read_request r) {
  const auto command = kv::decode_command(r.transaction);
  if (r.to.sink == &forward_replies_ || !command) { // who asked this node asks again
    sinks_.failed(r.to, request_errc::not_leader);
    return;
  }
  admit(write_request{.to = r.to,
                      .deadline = r.deadline,
                      .leader_by = r.leader_by,
                      .command = kv::encode_command(arena_, command->what),
                      .arrival = r.arrival,
                      .grows = false,
                      .bulk = r.bulk,
                      .question = true});
}

void group::keep_leases() {
  const bool leads = soft_.role == raft::role::leader && soft_.serving && knows_level();
  if (leads && !leases_.leads()) leases_.lead();
  if (!leads && leases_.leads()) leases_.stop_leading();
  if (leases_.changed() || !leads) {
    for (read_request& r : std::exchange(lease_waits_, {})) {
      if (leads)
        ready_reads_.add(std::move(r));
      else
        ask_elsewhere(std::move(r));
    }
  }
  if (!leads) return;
  if (!leases_.adopt(adopted_a_turn)) wake_.set();
  if (seams_.loop.now() >= leases_held_until_) expire_leases();
  tell_of_leases(leases_.take_urgent());
}

void group::expire_leases() {
  const std::vector<kv::expire_lease> over = leases_.take_expired();
  if (over.empty()) return;
  batch_.clear();
  for (const kv::expire_lease& e : over) batch_.push_back(kv::encode_command(arena_, e));
  if (core_.propose(batch_)) return;
  for (const kv::expire_lease& e : over) leases_.not_proposed(e);
  leases_held_until_ = seams_.loop.now() + options_.tick;
}

void group::tell_of_leases(const kv::checkpoint_leases& c) {
  if (c.list.empty()) return;
  proposal p = kv::encode_command(arena_, c);
  if (!core_.propose({&p, 1})) leases_.not_proposed(c);
}

/// When a turn is due for them.
coro::time_point group::leases_due() const {
  return leases_.leads() ? std::max(leases_.due(), leases_held_until_) : coro::time_point::max();
}

} // namespace quorumd::node
