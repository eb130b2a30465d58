#include "wire/peer_codec.hpp"

#include "consensus/types/crc32c.hpp"
#include "wire/message_read.hpp"
#include "wire/schema/peer.capnp.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::wire {

using namespace detail;

namespace {

void require_size(std::span<const std::byte> frame, std::size_t max) {
  require(frame.size() + frame_header_bytes <= max, codec_errc::frame_too_large,
          "the frame is longer than its class of traffic allows");
}

std::vector<node_id> read_ids(capnp::List<std::uint64_t>::Reader from) {
  require(from.size() <= members_max, codec_errc::count, "a configuration has too many members");
  std::vector<node_id> ids;
  ids.reserve(from.size());
  for (const std::uint64_t id : from) {
    require(id != 0 && (ids.empty() || ids.back().value() < id), codec_errc::number,
            "a configuration is not sorted or names a member twice");
    ids.emplace_back(id);
  }
  return ids;
}

snapshot_mark read_mark(schema::SnapshotMark::Reader from) {
  snapshot_mark m;
  m.index = number<log_index>(from.getIndex());
  m.term = number<term>(from.getTerm());
  m.members.voters = read_ids(from.getVoters());
  m.members.outgoing = read_ids(from.getOutgoing());
  m.members.learners = read_ids(from.getLearners());
  return m;
}

// --- the core's messages ---

raft::vote_request read_body(schema::VoteRequest::Reader from) {
  return {.term = number<term>(from.getTerm()),
          .last_index = number<log_index>(from.getLastIndex()),
          .last_term = number<term>(from.getLastTerm()),
          .pre_vote = from.getPreVote(),
          .transfer = from.getTransfer()};
}
raft::vote_response read_body(schema::VoteResponse::Reader from) {
  return {.term = number<term>(from.getTerm()), .pre_vote = from.getPreVote(), .granted = from.getGranted()};
}
raft::append_response read_body(schema::AppendResponse::Reader from) {
  return {.term = number<term>(from.getTerm()),
          .accepted = from.getAccepted(),
          .match = number<log_index>(from.getMatch()),
          .rejected = number<log_index>(from.getRejected()),
          .conflict_term = number<term>(from.getConflictTerm()),
          .conflict_index = number<log_index>(from.getConflictIndex()),
          .round = from.getRound(),
          .held_us = from.getHeldUs()};
}
raft::install_snapshot read_body(schema::InstallSnapshot::Reader from) {
  return {.term = number<term>(from.getTerm()), .mark = read_mark(from.getMark())};
}
raft::timeout_now read_body(schema::TimeoutNow::Reader from) {
  return {.term = number<term>(from.getTerm())};
}
raft::read_index_request read_body(schema::ReadIndexRequest::Reader from) {
  return {.term = number<term>(from.getTerm()),
          .context = {.boot = boot_id(from.getBoot()), .sequence = from.getSequence()}};
}
raft::read_index_response read_body(schema::ReadIndexResponse::Reader from) {
  return {.term = number<term>(from.getTerm()),
          .context = {.boot = boot_id(from.getBoot()), .sequence = from.getSequence()},
          .ok = from.getOk(),
          .index = number<log_index>(from.getIndex())};
}

/// The entries of an append, dense and ascending after prev, in terms between prev's and the leader's.
void read_entries(const chunk_ref& chunk, std::span<const std::byte> bytes, std::size_t count, group_id group,
                  raft::append_request& to) {
  require(count <= bytes.size() / entry_header_bytes, codec_errc::count, "an append announces more entries than fit");
  require(to.prev_index.value() <= number_max - count, codec_errc::number, "an append goes beyond the largest index");
  to.entries.reserve(count);
  log_index at = to.prev_index;
  term last_term = to.prev_term;
  for (std::size_t i = 0; i < count; ++i) {
    entry::parsed parsed = entry::parse(chunk, bytes, group);
    if (!parsed.value)
      refuse(codec_errc::entries, "entry " + std::to_string(i + 1) + " of an append: " + describe(parsed.error));
    const entry& e = *parsed.value;
    at = at.next();
    require(e.index() == at, codec_errc::entries, "the entries of an append do not follow one another");
    require(e.term() >= last_term && e.term() <= to.term, codec_errc::entries,
            "the terms of an append's entries go down or beyond the leader's");
    last_term = e.term();
    bytes = bytes.subspan(e.encoded().size());
    to.entries.push_back(std::move(*parsed.value));
  }
  require(bytes.empty(), codec_errc::count, "an append has more bytes than entries");
}

raft::append_request read_append(schema::AppendRequest::Reader from, frame_reader& source) {
  raft::append_request m;
  m.term = number<term>(from.getTerm());
  m.prev_index = number<log_index>(from.getPrevIndex());
  m.prev_term = number<term>(from.getPrevTerm());
  m.commit = number<log_index>(from.getCommit());
  m.round = from.getRound();
  const std::span<const std::byte> bytes = bytes_of(from.getEntries());
  const std::size_t count = from.getCount();
  if (count != 0)
    read_entries(source.share(), bytes, count, group_id(from.getGroup()), m);
  else
    require(bytes.empty(), codec_errc::count, "an append has more bytes than entries");
  return m;
}

// --- the others ---

forward_request read_forward(schema::ForwardRequest::Reader from, chunk_arena& arena) {
  const std::span<const std::byte> bytes = bytes_of(from.getCommand());
  require(!bytes.empty() && bytes.size() <= entry_payload_max, codec_errc::length,
          "a forwarded command is empty or too long");
  require(crc32c(bytes) == from.getChecksum(), codec_errc::checksum,
          "the checksum of a forwarded command does not hold");
  forward_request m;
  m.id = from.getId();
  m.group = group_id(from.getGroup());
  m.remaining = std::chrono::milliseconds(from.getRemainingMs());
  m.bulk = from.getBulk();
  m.command = proposal(arena, bytes.size());
  std::memcpy(m.command.payload().data(), bytes.data(), bytes.size());
  m.command.finish();
  return m;
}

shared_bytes shared(std::span<const std::byte> bytes, frame_reader& source) {
  if (bytes.empty()) return {};
  return {source.share(), bytes};
}

forward_reply read_reply(schema::ForwardReply::Reader from, frame_reader& source) {
  const std::span<const std::byte> bytes = bytes_of(from.getResult());
  forward_reply m;
  m.id = from.getId();
  m.error = enumerator(from.getError(), static_cast<request_errc>(request_errc_last));
  m.text = text(from.getText());
  require((m.error == request_errc::none) == !bytes.empty(), codec_errc::malformed,
          "a forward's reply has a result and an error, or neither");
  m.result = shared(bytes, source);
  return m;
}

/// What of the chunk's is there: the file's bytes, or a frame of them.
std::span<const std::byte> read_chunk_bytes(schema::SnapshotChunk::Reader from) {
  const std::span<const std::byte> bytes = bytes_of(from.getBytes());
  const std::span<const std::byte> packed = bytes_of(from.getPacked());
  const std::size_t of = from.getPackedOf();
  require(std::max(bytes.size(), of) <= snapshot_chunk_bytes_max, codec_errc::length, "a snapshot's chunk is too long");
  require(packed.size() < of || (packed.empty() && of == 0), codec_errc::length,
          "a snapshot's chunk takes more bytes packed than it has");
  require(of == 0 || (bytes.empty() && !packed.empty()), codec_errc::malformed,
          "a snapshot's chunk is there as it is and packed, or neither");
  return of == 0 ? bytes : packed;
}

snapshot_chunk read_chunk(schema::SnapshotChunk::Reader from, frame_reader& source) {
  snapshot_chunk m;
  m.bytes = shared(read_chunk_bytes(from), source);
  m.packed_of = from.getPackedOf();
  m.group = group_id(from.getGroup());
  m.term = number<term>(from.getTerm());
  m.leader = node_id(from.getLeader());
  m.mark = read_mark(from.getMark());
  m.transfer = from.getTransfer();
  m.offset = from.getOffset();
  m.total_bytes = from.getTotalBytes();
  m.last = from.getLast();
  require(m.total_bytes <= number_max && m.offset <= m.total_bytes && m.file_bytes() <= m.total_bytes - m.offset,
          codec_errc::number, "a snapshot's chunk lies outside of the snapshot");
  require(m.last == (m.offset + m.file_bytes() == m.total_bytes), codec_errc::number,
          "a snapshot's last chunk is not at its end");
  return m;
}

/// A copy of what is behind the pointer, whatever it says, as a message of one segment.
std::vector<std::byte> read_row(capnp::AnyPointer::Reader from) {
  if (from.isNull()) return {};
  const std::uint64_t words = 1 + from.targetSize().wordCount;
  require(words <= status_bytes_max / sizeof(capnp::word), codec_errc::length,
          "a status is longer than a member sends");
  capnp::MallocMessageBuilder copy(static_cast<unsigned>(words));
  copy.setRoot(from.getAs<capnp::AnyStruct>());
  const auto segments = copy.getSegmentsForOutput();
  require(segments.size() == 1, codec_errc::malformed, "a status is not of the size it says");
  const std::span<const std::byte> bytes = std::as_bytes(std::span(segments[0].begin(), segments[0].size()));
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> read_relayed(capnp::Data::Reader from) {
  require(from.size() <= relayed_bytes_max, codec_errc::length, "what is relayed is longer than a member sends");
  const auto bytes = bytes_of(from);
  return {bytes.begin(), bytes.end()};
}

snapshot_credit read_credit(schema::SnapshotCredit::Reader from) {
  snapshot_credit m;
  m.group = group_id(from.getGroup());
  m.transfer = from.getTransfer();
  m.offset = from.getOffset();
  m.status = enumerator(from.getStatus(), snapshot_status::wanted);
  m.text = text(from.getText());
  return m;
}

goodbye read_goodbye(schema::Goodbye::Reader from) {
  return {.why = enumerator(from.getCause(), goodbye::cause::stopping), .reason = std::string(text(from.getReason()))};
}

hello read_hello(schema::Hello::Reader from) {
  hello h;
  h.version_min = from.getVersionMin();
  h.version_max = from.getVersionMax();
  h.cluster = cluster_id(from.getCluster());
  h.cluster_name = text(from.getClusterName());
  h.id = node_id(from.getId());
  h.name = text(from.getName());
  h.incarnation = incarnation(from.getIncarnation());
  h.boot = boot_id(from.getBoot());
  h.expected = node_id(from.getExpected());
  h.client_address = text(from.getClientAddress());
  h.software = text(from.getSoftware());
  h.features = from.getFeatures();
  h.members_index = number<log_index>(from.getMembersIndex());
  const auto members = from.getMembers();
  require(members.size() <= members_max, codec_errc::count, "a greeting names too many members");
  h.members.reserve(members.size());
  for (const schema::Member::Reader m : members)
    h.members.push_back({node_id(m.getId()), std::string(text(m.getName())), std::string(text(m.getAddress()))});
  return h;
}

class peer_reader {
 public:
  peer_reader(std::span<const std::byte> frame, frame_reader& source, chunk_arena& arena,
              std::vector<peer_message>& out)
      : frame_(frame)
      , source_(source)
      , arena_(arena)
      , out_(out) {}

  std::variant<peer_signal, goodbye> read(schema::PeerMessage::Reader from) {
    switch (from.which()) {
    case schema::PeerMessage::APPEND: {
      const auto body = from.getAppend();
      push(body.getGroup(), read_append(body, source_));
      return peer_signal::messages;
    }
    case schema::PeerMessage::FORWARD:
      out_.emplace_back(read_forward(from.getForward(), arena_));
      break;
    case schema::PeerMessage::FORWARD_REPLY:
      out_.emplace_back(read_reply(from.getForwardReply(), source_));
      break;
    case schema::PeerMessage::SNAPSHOT_CHUNK:
      require_size(frame_, bulk_frame_max);
      out_.emplace_back(read_chunk(from.getSnapshotChunk(), source_));
      break;
    default:
      require_size(frame_, control_frame_max);
      return read_control(from);
    }
    return peer_signal::messages;
  }

 private:
  template <class Body>
  void push(std::uint64_t group, Body body) {
    out_.emplace_back(raft_message{group_id(group), raft::message(std::move(body))});
  }
  template <class From>
  void push_body(From from) {
    push(from.getGroup(), read_body(from));
  }

  std::variant<peer_signal, goodbye> read_control(schema::PeerMessage::Reader from) {
    switch (from.which()) {
    case schema::PeerMessage::PROBE:
      return peer_signal::probe;
    case schema::PeerMessage::PROBE_REPLY:
      return peer_signal::probe_reply;
    case schema::PeerMessage::GOODBYE:
      return read_goodbye(from.getGoodbye());
    case schema::PeerMessage::HELLO:
      refuse(codec_errc::unknown_kind, "a second greeting");
    case schema::PeerMessage::HEARTBEATS:
      read_heartbeats(from.getHeartbeats());
      break;
    case schema::PeerMessage::HEARTBEAT_RESPONSES:
      read_responses(from.getHeartbeatResponses());
      break;
    case schema::PeerMessage::VOTE_REQUEST:
      push_body(from.getVoteRequest());
      break;
    case schema::PeerMessage::VOTE_RESPONSE:
      push_body(from.getVoteResponse());
      break;
    case schema::PeerMessage::APPEND_RESPONSE:
      push_body(from.getAppendResponse());
      break;
    case schema::PeerMessage::INSTALL_SNAPSHOT:
      push_body(from.getInstallSnapshot());
      break;
    case schema::PeerMessage::TIMEOUT_NOW:
      push_body(from.getTimeoutNow());
      break;
    case schema::PeerMessage::READ_INDEX:
      push_body(from.getReadIndex());
      break;
    case schema::PeerMessage::READ_INDEX_RESPONSE:
      push_body(from.getReadIndexResponse());
      break;
    case schema::PeerMessage::SNAPSHOT_CREDIT:
      out_.emplace_back(read_credit(from.getSnapshotCredit()));
      break;
    case schema::PeerMessage::STATUS_QUERY: {
      const auto query = from.getStatusQuery();
      out_.emplace_back(status_query{.id = query.getId(), .group = group_id(query.getGroup())});
      break;
    }
    case schema::PeerMessage::STATUS_ANSWER: {
      const auto answer = from.getStatusAnswer();
      out_.emplace_back(status_answer{.id = answer.getId(), .row = read_row(answer.getRow())});
      break;
    }
    case schema::PeerMessage::SNAPSHOT_ORDER: {
      const auto m = from.getSnapshotOrder();
      out_.emplace_back(snapshot_order{.group = group_id(m.getGroup()),
                                       .term = number<term>(m.getTerm()),
                                       .number = m.getNumber(),
                                       .to = node_id(m.getTo()),
                                       .at_least = number<log_index>(m.getAtLeast())});
      break;
    }
    case schema::PeerMessage::SNAPSHOT_REPORT: {
      const auto m = from.getSnapshotReport();
      out_.emplace_back(snapshot_report{.group = group_id(m.getGroup()),
                                        .number = m.getNumber(),
                                        .status = enumerator(m.getStatus(), report_status::failed),
                                        .text = std::string(text(m.getText()))});
      break;
    }
    case schema::PeerMessage::RELAY_REQUEST: {
      const auto m = from.getRelayRequest();
      out_.emplace_back(relay_request{.id = m.getId(),
                                      .group = group_id(m.getGroup()),
                                      .remaining = std::chrono::milliseconds(m.getRemainingMs()),
                                      .request = read_relayed(m.getRequest())});
      break;
    }
    case schema::PeerMessage::RELAY_REPLY: {
      const auto m = from.getRelayReply();
      out_.emplace_back(relay_reply{.id = m.getId(), .reply = read_relayed(m.getReply())});
      break;
    }
    default:
      refuse(codec_errc::unknown_kind, "a message of a kind that this version does not know");
    }
    return peer_signal::messages;
  }

  void read_heartbeats(capnp::List<schema::Heartbeat>::Reader list) {
    require(list.size() <= heartbeats_per_frame_max, codec_errc::count, "too many heartbeats in one frame");
    for (const schema::Heartbeat::Reader from : list)
      push(from.getGroup(), raft::heartbeat{.term = number<term>(from.getTerm()),
                                            .commit = number<log_index>(from.getCommit()),
                                            .round = from.getRound(),
                                            .sent_us = from.getSentUs()});
  }
  void read_responses(capnp::List<schema::HeartbeatResponse>::Reader list) {
    require(list.size() <= heartbeats_per_frame_max, codec_errc::count, "too many heartbeats in one frame");
    for (const schema::HeartbeatResponse::Reader from : list)
      push(from.getGroup(), raft::heartbeat_response{.term = number<term>(from.getTerm()),
                                                     .round = from.getRound(),
                                                     .sent_us = from.getSentUs(),
                                                     .promise_us = from.getPromiseUs()});
  }

  std::span<const std::byte> frame_;
  frame_reader& source_;
  chunk_arena& arena_;
  std::vector<peer_message>& out_;
};

} // namespace

decoded<std::variant<peer_signal, goodbye>> decode_peer(std::span<const std::byte> frame, frame_reader& source,
                                                        chunk_arena& arena, std::vector<peer_message>& out) {
  return decode_segment<schema::PeerMessage>(frame, nesting_max, [&](schema::PeerMessage::Reader from) {
    return peer_reader(frame, source, arena, out).read(from);
  });
}

decoded<std::variant<hello, goodbye>> decode_greeting(std::span<const std::byte> frame) {
  using greeting = std::variant<hello, goodbye>;
  return decode_segment<schema::PeerMessage>(frame, nesting_max, [&](schema::PeerMessage::Reader from) -> greeting {
    require_size(frame, control_frame_max);
    if (from.isHello()) return read_hello(from.getHello());
    if (from.isGoodbye()) return read_goodbye(from.getGoodbye());
    refuse(codec_errc::unknown_kind, "the first message is not a greeting");
  });
}

} // namespace quorumd::wire
