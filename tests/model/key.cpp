#include "tests/model/key.hpp"

#include <variant>

namespace quorumd::model {
namespace {

struct body {
  key& k;

  void operator()(const raft::vote_request& m) {
    k.add(m.term);
    k.add(m.last_index);
    k.add(m.last_term);
    k.add(std::uint64_t{m.pre_vote} + 2 * std::uint64_t{m.transfer});
  }
  void operator()(const raft::vote_response& m) {
    k.add(m.term);
    k.add(std::uint64_t{m.pre_vote} + 2 * std::uint64_t{m.granted});
  }
  void operator()(const raft::append_request& m) {
    k.add(m.term);
    k.add(m.prev_index);
    k.add(m.prev_term);
    k.add(m.commit);
    k.add(m.round);
    k.add(m.entries.size());
    for (const entry& e : m.entries) k.add(e);
  }
  void operator()(const raft::append_response& m) {
    k.add(m.term);
    k.add(std::uint64_t{m.accepted});
    k.add(m.match);
    k.add(m.rejected);
    k.add(m.conflict_term);
    k.add(m.conflict_index);
    k.add(m.round);
  }
  void operator()(const raft::heartbeat& m) {
    k.add(m.term);
    k.add(m.commit);
    k.add(m.round);
  }
  void operator()(const raft::heartbeat_response& m) {
    k.add(m.term);
    k.add(m.round);
  }
  void operator()(const raft::install_snapshot& m) {
    k.add(m.term);
    k.add(m.mark.index);
    k.add(m.mark.term);
    k.add(m.mark.members);
  }
  void operator()(const raft::timeout_now& m) { k.add(m.term); }
  void operator()(const raft::read_index_request& m) {
    k.add(m.term);
    k.add(m.context.boot);
    k.add(m.context.sequence);
  }
  void operator()(const raft::read_index_response& m) {
    k.add(m.term);
    k.add(m.context.boot);
    k.add(m.context.sequence);
    k.add(std::uint64_t{m.ok});
    k.add(m.index);
  }
};

} // namespace

void key::add(const entry& e) {
  add(e.term());
  add(static_cast<std::uint64_t>(e.kind()));
  if (e.kind() == entry_kind::members) add(decode_configuration(e.payload())->members);
}

void key::add(const raft::message& m) {
  add(m.index());
  std::visit(body{*this}, m);
}

} // namespace quorumd::model
