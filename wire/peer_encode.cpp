#include "wire/peer_codec.hpp"

#include "consensus/types/crc32c.hpp"
#include "wire/message_build.hpp"
#include "wire/message_read.hpp"
#include "wire/schema/peer.capnp.h"

#include <algorithm>

namespace quorumd::wire {

using namespace detail;

namespace {

using root = schema::PeerMessage::Builder;

template <class Fill>
void append(byte_buffer& out, std::size_t words_behind_root, Fill fill_body) {
  append_frame<schema::PeerMessage>(out, root_words<schema::PeerMessage> + words_behind_root, fill_body);
}
/// With a blob at the end, which is not cleared first: `fill_body` writes it whole, padding included.
template <class Fill>
void append_blob(byte_buffer& out, std::size_t words_behind_root, std::size_t blob_bytes, Fill fill_body) {
  const std::size_t blob = data_words(blob_bytes);
  const std::size_t words = root_words<schema::PeerMessage> + words_behind_root + blob;
  QUORUMD_INVARIANT(frame_header_bytes + words * word_bytes <= peer_frame_max, "a peer's frame is within its limit");
  append_frame<schema::PeerMessage>(out, words, blob, fill_body);
}

/// Fills a blob whose memory holds anything.
class blob_writer {
 public:
  explicit blob_writer(capnp::Data::Builder to)
      : at_(to.begin())
      , end_(to.begin() + (to.size() + 7) / 8 * 8) {}
  void write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void pad() { std::fill(at_, end_, kj::byte{0}); }

 private:
  kj::byte* at_;
  kj::byte* end_;
};

// --- the core's messages ---

struct raft_encoder {
  byte_buffer& out;
  group_id group;

  void operator()(const raft::vote_request& m) const {
    append(out, struct_words<schema::VoteRequest>, [&](root r) {
      auto to = r.initVoteRequest();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setLastIndex(m.last_index.value());
      to.setLastTerm(m.last_term.value());
      to.setPreVote(m.pre_vote);
      to.setTransfer(m.transfer);
    });
  }
  void operator()(const raft::vote_response& m) const {
    append(out, struct_words<schema::VoteResponse>, [&](root r) {
      auto to = r.initVoteResponse();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setPreVote(m.pre_vote);
      to.setGranted(m.granted);
    });
  }
  void operator()(const raft::append_request& m) const {
    std::size_t bytes = 0;
    for (const entry& e : m.entries) bytes += e.encoded().size();
    append_blob(out, struct_words<schema::AppendRequest>, bytes, [&](root r) {
      auto to = r.initAppend();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setPrevIndex(m.prev_index.value());
      to.setPrevTerm(m.prev_term.value());
      to.setCommit(m.commit.value());
      to.setRound(m.round);
      to.setCount(static_cast<std::uint32_t>(m.entries.size()));
      if (bytes == 0) return;
      blob_writer blob(to.initEntries(static_cast<unsigned>(bytes)));
      for (const entry& e : m.entries) blob.write(e.encoded());
    });
  }
  void operator()(const raft::append_response& m) const {
    append(out, struct_words<schema::AppendResponse>, [&](root r) {
      auto to = r.initAppendResponse();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setAccepted(m.accepted);
      to.setMatch(m.match.value());
      to.setRejected(m.rejected.value());
      to.setConflictTerm(m.conflict_term.value());
      to.setConflictIndex(m.conflict_index.value());
      to.setRound(m.round);
      to.setHeldUs(m.held_us);
    });
  }
  void operator()(const raft::heartbeat& m) const {
    const group_heartbeat one{group, m};
    encode_heartbeats(out, std::span(&one, 1));
  }
  void operator()(const raft::heartbeat_response& m) const {
    const group_heartbeat_response one{group, m};
    encode_heartbeats(out, std::span(&one, 1));
  }
  void operator()(const raft::install_snapshot& m) const;
  void operator()(const raft::timeout_now& m) const {
    append(out, struct_words<schema::TimeoutNow>, [&](root r) {
      auto to = r.initTimeoutNow();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
    });
  }
  void operator()(const raft::read_index_request& m) const {
    append(out, struct_words<schema::ReadIndexRequest>, [&](root r) {
      auto to = r.initReadIndex();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setBoot(m.context.boot.value());
      to.setSequence(m.context.sequence);
    });
  }
  void operator()(const raft::read_index_response& m) const {
    append(out, struct_words<schema::ReadIndexResponse>, [&](root r) {
      auto to = r.initReadIndexResponse();
      to.setGroup(group.value());
      to.setTerm(m.term.value());
      to.setBoot(m.context.boot.value());
      to.setSequence(m.context.sequence);
      to.setOk(m.ok);
      to.setIndex(m.index.value());
    });
  }
};

// --- marks ---

std::size_t mark_words(const snapshot_mark& m) {
  const std::size_t members = m.members.voters.size() + m.members.outgoing.size() + m.members.learners.size();
  QUORUMD_INVARIANT(members <= members_max, "a configuration is within its bound");
  return struct_words<schema::SnapshotMark> + members;
}

void fill_ids(capnp::List<std::uint64_t>::Builder to, const std::vector<node_id>& ids) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, ids[i].value());
}

void fill_mark(schema::SnapshotMark::Builder to, const snapshot_mark& m) {
  to.setIndex(m.index.value());
  to.setTerm(m.term.value());
  fill_ids(to.initVoters(static_cast<unsigned>(m.members.voters.size())), m.members.voters);
  fill_ids(to.initOutgoing(static_cast<unsigned>(m.members.outgoing.size())), m.members.outgoing);
  fill_ids(to.initLearners(static_cast<unsigned>(m.members.learners.size())), m.members.learners);
}

void raft_encoder::operator()(const raft::install_snapshot& m) const {
  append(out, struct_words<schema::InstallSnapshot> + mark_words(m.mark), [&](root r) {
    auto to = r.initInstallSnapshot();
    to.setGroup(group.value());
    to.setTerm(m.term.value());
    fill_mark(to.initMark(), m.mark);
  });
}

// --- the others ---

struct peer_encoder {
  byte_buffer& out;

  void operator()(const raft_message& m) const { encode_peer(out, m.group, m.body); }
  void operator()(const forward_request& m) const {
    const std::span<const std::byte> command = m.command.payload();
    append_blob(out, struct_words<schema::ForwardRequest>, command.size(), [&](root r) {
      auto to = r.initForward();
      to.setId(m.id);
      to.setGroup(m.group.value());
      to.setRemainingMs(
          static_cast<std::uint32_t>(std::clamp<std::chrono::milliseconds::rep>(m.remaining.count(), 0, UINT32_MAX)));
      to.setChecksum(crc32c(command));
      to.setBulk(m.bulk);
      blob_writer blob(to.initCommand(static_cast<unsigned>(command.size())));
      blob.write(command);
      blob.pad();
    });
  }
  void operator()(const forward_reply& m) const {
    append_blob(out, struct_words<schema::ForwardReply> + text_words(m.text.size()), m.result.bytes.size(),
                [&](root r) {
                  auto to = r.initForwardReply();
                  to.setId(m.id);
                  to.setError(static_cast<std::uint8_t>(m.error));
                  copy_text(m.text, [&](unsigned n) { return to.initText(n); });
                  if (m.result.bytes.empty()) return;
                  blob_writer blob(to.initResult(static_cast<unsigned>(m.result.bytes.size())));
                  blob.write(m.result.bytes);
                  blob.pad();
                });
  }
  void operator()(const snapshot_chunk& m) const {
    QUORUMD_INVARIANT(std::max(m.bytes.bytes.size(), m.packed_of) <= snapshot_chunk_bytes_max,
                      "a snapshot's chunk is within its bound");
    append_blob(out, struct_words<schema::SnapshotChunk> + mark_words(m.mark), m.bytes.bytes.size(), [&](root r) {
      auto to = r.initSnapshotChunk();
      to.setGroup(m.group.value());
      to.setTerm(m.term.value());
      fill_mark(to.initMark(), m.mark);
      to.setTransfer(m.transfer);
      to.setOffset(m.offset);
      to.setTotalBytes(m.total_bytes);
      to.setLast(m.last);
      to.setPackedOf(static_cast<std::uint32_t>(m.packed_of));
      to.setLeader(m.leader.value());
      if (m.bytes.bytes.empty()) return;
      const auto size = static_cast<unsigned>(m.bytes.bytes.size());
      blob_writer blob(m.packed_of != 0 ? to.initPacked(size) : to.initBytes(size));
      blob.write(m.bytes.bytes);
      blob.pad();
    });
  }
  void operator()(const snapshot_credit& m) const {
    append(out, struct_words<schema::SnapshotCredit> + text_words(m.text.size()), [&](root r) {
      auto to = r.initSnapshotCredit();
      to.setGroup(m.group.value());
      to.setTransfer(m.transfer);
      to.setOffset(m.offset);
      to.setStatus(static_cast<std::uint8_t>(m.status));
      copy_text(m.text, [&](unsigned n) { return to.initText(n); });
    });
  }
  void operator()(const status_query& m) const {
    append(out, struct_words<schema::StatusQuery>, [&](root r) {
      auto to = r.initStatusQuery();
      to.setId(m.id);
      to.setGroup(m.group.value());
    });
  }
  void operator()(const status_answer& m) const {
    append(out, struct_words<schema::StatusAnswer> + data_words(m.row.size()), [&](root r) {
      auto to = r.initStatusAnswer();
      to.setId(m.id);
      if (m.row.empty()) return;
      const auto copied = decode_segment<capnp::AnyStruct>(
          m.row, nesting_max, [&](capnp::AnyStruct::Reader row) { to.initRow().setAs<capnp::AnyStruct>(row); });
      QUORUMD_INVARIANT(copied.has_value(), "a status that is sent was encoded here");
    });
  }
  void operator()(const snapshot_order& m) const {
    append(out, struct_words<schema::SnapshotOrder>, [&](root r) {
      auto to = r.initSnapshotOrder();
      to.setGroup(m.group.value());
      to.setTerm(m.term.value());
      to.setNumber(m.number);
      to.setTo(m.to.value());
      to.setAtLeast(m.at_least.value());
    });
  }
  void operator()(const snapshot_report& m) const {
    append(out, struct_words<schema::SnapshotReport> + text_words(m.text.size()), [&](root r) {
      auto to = r.initSnapshotReport();
      to.setGroup(m.group.value());
      to.setNumber(m.number);
      to.setStatus(static_cast<std::uint8_t>(m.status));
      copy_text(m.text, [&](unsigned n) { return to.initText(n); });
    });
  }
  void operator()(const relay_request& m) const {
    append(out, struct_words<schema::RelayRequest> + data_words(m.request.size()), [&](root r) {
      auto to = r.initRelayRequest();
      to.setId(m.id);
      to.setGroup(m.group.value());
      to.setRemainingMs(static_cast<std::uint32_t>(m.remaining.count()));
      to.setRequest(data(std::span(m.request)));
    });
  }
  void operator()(const relay_reply& m) const {
    append(out, struct_words<schema::RelayReply> + data_words(m.reply.size()), [&](root r) {
      auto to = r.initRelayReply();
      to.setId(m.id);
      to.setReply(data(std::span(m.reply)));
    });
  }
};

} // namespace

void encode_peer(byte_buffer& out, const peer_message& m) {
  std::visit(peer_encoder{out}, m);
}

void encode_peer(byte_buffer& out, group_id group, const raft::message& m) {
  std::visit(raft_encoder{out, group}, m);
}

void encode_heartbeats(byte_buffer& out, std::span<const group_heartbeat> list) {
  while (!list.empty()) {
    const auto part = list.first(std::min(list.size(), heartbeats_per_frame_max));
    list = list.subspan(part.size());
    append(out, list_words<schema::Heartbeat>(part.size()), [&](root r) {
      auto to = r.initHeartbeats(static_cast<unsigned>(part.size()));
      for (unsigned i = 0; i < to.size(); ++i) {
        auto at = to[i];
        at.setGroup(part[i].group.value());
        at.setTerm(part[i].body.term.value());
        at.setCommit(part[i].body.commit.value());
        at.setRound(part[i].body.round);
        at.setSentUs(part[i].body.sent_us);
      }
    });
  }
}

void encode_heartbeats(byte_buffer& out, std::span<const group_heartbeat_response> list) {
  while (!list.empty()) {
    const auto part = list.first(std::min(list.size(), heartbeats_per_frame_max));
    list = list.subspan(part.size());
    append(out, list_words<schema::HeartbeatResponse>(part.size()), [&](root r) {
      auto to = r.initHeartbeatResponses(static_cast<unsigned>(part.size()));
      for (unsigned i = 0; i < to.size(); ++i) {
        auto at = to[i];
        at.setGroup(part[i].group.value());
        at.setTerm(part[i].body.term.value());
        at.setRound(part[i].body.round);
        at.setSentUs(part[i].body.sent_us);
        at.setPromiseUs(part[i].body.promise_us);
      }
    });
  }
}

void encode_hello(byte_buffer& out, const hello& h) {
  std::size_t words = struct_words<schema::Hello> + text_words(h.cluster_name.size()) + text_words(h.name.size()) +
                      text_words(h.client_address.size()) + text_words(h.software.size()) +
                      list_words<schema::Member>(h.members.size());
  for (const member& m : h.members) words += text_words(m.name.size()) + text_words(m.address.size());
  append(out, words, [&](root r) {
    auto to = r.initHello();
    to.setVersionMin(h.version_min);
    to.setVersionMax(h.version_max);
    to.setCluster(h.cluster.value());
    copy_text(h.cluster_name, [&](unsigned n) { return to.initClusterName(n); });
    to.setId(h.id.value());
    copy_text(h.name, [&](unsigned n) { return to.initName(n); });
    to.setIncarnation(h.incarnation.value());
    to.setBoot(h.boot.value());
    to.setExpected(h.expected.value());
    copy_text(h.client_address, [&](unsigned n) { return to.initClientAddress(n); });
    copy_text(h.software, [&](unsigned n) { return to.initSoftware(n); });
    to.setFeatures(h.features);
    to.setMembersIndex(h.members_index.value());
    auto members = to.initMembers(static_cast<unsigned>(h.members.size()));
    for (unsigned i = 0; i < members.size(); ++i) {
      auto at = members[i];
      at.setId(h.members[i].id.value());
      copy_text(h.members[i].name, [&](unsigned n) { return at.initName(n); });
      copy_text(h.members[i].address, [&](unsigned n) { return at.initAddress(n); });
    }
  });
}

void encode_goodbye(byte_buffer& out, goodbye::cause why, std::string_view reason) {
  append(out, struct_words<schema::Goodbye> + text_words(reason.size()), [&](root r) {
    auto to = r.initGoodbye();
    to.setCause(static_cast<std::uint8_t>(why));
    copy_text(reason, [&](unsigned n) { return to.initReason(n); });
  });
}

void encode_probe(byte_buffer& out) {
  append(out, 0, [](root r) { r.setProbe(); });
}
void encode_probe_reply(byte_buffer& out) {
  append(out, 0, [](root r) { r.setProbeReply(); });
}

traffic traffic_of(const raft::message& m) {
  return std::holds_alternative<raft::append_request>(m) ? traffic::log : traffic::control;
}

traffic traffic_of(const peer_message& m) {
  if (const auto* r = std::get_if<raft_message>(&m)) return traffic_of(r->body);
  if (std::holds_alternative<forward_request>(m) || std::holds_alternative<forward_reply>(m)) return traffic::log;
  if (std::holds_alternative<snapshot_chunk>(m)) return traffic::bulk;
  return traffic::control;
}

} // namespace quorumd::wire
