#pragma once

#include "consensus/raft/message.hpp"
#include "consensus/types/chunk.hpp"
#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"
#include "wire/request_error.hpp"
#include "wire/shared_bytes.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace quorumd::wire {

/// A message between the cores of one group. Entries that arrive are slices of the chunk they were read into.
struct raft_message {
  group_id group;
  raft::message body;
};

/// A command that a follower accepted, for the leader to propose. It arrives as a proposal that is finished: decode
/// its payload (command_codec.hpp) and validate it before proposing. `id` is the sender's and comes back.
struct forward_request {
  std::uint64_t id = 0;
  group_id group;
  std::chrono::milliseconds remaining{0}; ///< until the deadline
  proposal command;
  bool bulk = false; ///< of a client that yields to others
};

/// What became of it: `error` is none and `result` holds an encoded result (command_codec.hpp), or why there is none.
struct forward_reply {
  std::uint64_t id = 0;
  request_errc error = request_errc::none;
  std::string text;
  shared_bytes result;
};

/// The largest piece of a snapshot in one message.
inline constexpr std::size_t snapshot_chunk_bytes_max = std::size_t{64} * 1024;

/// A piece of a snapshot, which the leader of `term` sends or has sent by another member; `transfer` is the sender's
/// number for this sending of it. Offsets
/// count bytes of the file, however they travel.
struct snapshot_chunk {
  group_id group;
  quorumd::term term;
  node_id leader; ///< of the term; 0: the sender
  snapshot_mark mark;
  std::uint64_t transfer = 0;
  std::uint64_t offset = 0;
  std::uint64_t total_bytes = 0;
  bool last = false;
  shared_bytes bytes; ///< at most snapshot_chunk_bytes_max
  /// 0: `bytes` are the file's own. Else they are a zstd frame of so many of them, which are more, and at most
  /// snapshot_chunk_bytes_max (chunk_packing.hpp): only for a peer that has feature_packed_chunks.
  std::size_t packed_of = 0;

  /// Bytes of the file that it stands for.
  [[nodiscard]] std::size_t file_bytes() const { return packed_of != 0 ? packed_of : bytes.bytes.size(); }
};

enum class snapshot_status : std::uint8_t {
  more = 0,    ///< everything up to `offset` arrived: the window moves on; said again by who is at work
  done = 1,    ///< it is durable
  refused = 2, ///< it is not wanted or can't be kept, `text` says why; stop sending
  wanted = 3,  ///< whoever leads is to send one whose index is `offset` or more: the receiver cannot start without it
};

/// The receiver's answer: chunks flow by these credits.
struct snapshot_credit {
  group_id group;
  std::uint64_t transfer = 0;
  std::uint64_t offset = 0;
  snapshot_status status = snapshot_status::more;
  std::string text;
};

/// The leader has a member send its newest snapshot to another one, if it goes so far: only for a peer that has
/// feature_delegated_snapshots.
struct snapshot_order {
  group_id group;
  quorumd::term term;
  std::uint64_t number = 0; ///< the leader's
  node_id to;
  log_index at_least;
};
enum class report_status : std::uint8_t { under_way = 0, done = 1, failed = 2 };
/// How far an order is: said again and again until it is over.
struct snapshot_report {
  group_id group;
  std::uint64_t number = 0;
  report_status status = report_status::under_way;
  std::string text; ///< failed: why
};

/// Asks a member for its row of the status table.
struct status_query {
  std::uint64_t id = 0;
  group_id group;
};

struct status_answer {
  std::uint64_t id = 0;
  std::vector<std::byte> row; ///< as client::encode_status() wrote it: a segment; what it says is not this folder's
};
/// Of a row.
inline constexpr std::size_t status_bytes_max = std::size_t{64} * 1024;

/// A client's request that the leader is to answer, and its answer, as clients send and get them (daemon/client), which
/// is not this folder's: only for a peer that has feature_relayed_changes.
struct relay_request {
  std::uint64_t id = 0;
  group_id group;
  std::chrono::milliseconds remaining{0};
  std::vector<std::byte> request;
};
struct relay_reply {
  std::uint64_t id = 0;
  std::vector<std::byte> reply;
};
/// Of either.
inline constexpr std::size_t relayed_bytes_max = std::size_t{256} * 1024;

using peer_message =
    std::variant<raft_message, forward_request, forward_reply, snapshot_chunk, snapshot_credit, status_query,
                 status_answer, relay_request, relay_reply, snapshot_order, snapshot_report>;

} // namespace quorumd::wire
