#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/client/members.hpp"
#include "daemon/client/metrics.hpp"
#include "daemon/client/status.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/event.hpp"
#include "daemon/kv/result.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/codec_error.hpp"
#include "wire/request_error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The client protocol, on the client port and on the admin socket alike: a stream of request frames one way and of
/// reply frames the other, each request with an id that its reply gives back, in any order.
///
/// Everything decoded is a view of its frame, and everything encoded is written straight into the outgoing buffer:
/// but for transactions, lists and status no call allocates once the buffer has its size.
namespace quorumd::client {

using wire::byte_buffer;
using wire::codec_errc;
using wire::decoded;
using wire::request_errc;

inline constexpr std::uint16_t client_version_min = 1;
inline constexpr std::uint16_t client_version_max = 1;

/// A request frame: a command with its bytes (kv::request_bytes_max), and room for the encoding around them.
inline constexpr std::size_t client_request_frame_max = kv::request_bytes_max + std::size_t{128} * 1024;
/// A larger frame is refused as `too_large` and passed over, up to this; beyond it, it costs the connection.
inline constexpr std::size_t client_request_skip_max = std::size_t{64} * 1024 * 1024;
/// A reply frame. Nothing is left out of a reply here: the store bounds what it answers (kv::reply_bytes_max, or one
/// item), and an operation of a transaction adds less than 64 bytes. An answer beyond it is a broken invariant.
inline constexpr std::size_t client_reply_frame_max = std::size_t{4} * 1024 * 1024;

/// May open a connection: says what the client speaks; the server answers with what both do, or with an error.
struct client_hello {
  std::uint16_t version_min = client_version_min;
  std::uint16_t version_max = client_version_max;
  std::string_view software;
  bool bulk = false; ///< what it asks for yields to what other clients ask for
};

/// A read: linearizable, or of this node's own state as it is.
struct range_read {
  kv::range_request request;
  bool serializable = false;
  /// It may be of this node's own state if that has everything that was acknowledged so long before the request came;
  /// where the node cannot know that, the read is linearizable. 0: no such bound.
  std::chrono::milliseconds max_age{0};
  /// How long the answering node keeps the answer's revision readable for requests like this one, though it be
  /// compacted meanwhile: for whoever reads page by page. 0: not at all.
  std::chrono::milliseconds keep{0};
};

/// Asks for the status table's rows: of every member, or of this node alone.
struct status_request {
  bool all = false;
};

/// Whether this node can serve a linearizable read.
struct health_request {};

/// Asks for what this node has measured of itself.
struct metrics_request {};

enum class profile_kind : std::uint8_t { cpu = 0, heap = 1 };

/// Asks this node to watch itself for so long and to answer with what it saw; on the admin socket only. One at a time,
/// and ended when its connection is.
struct profile_request {
  profile_kind kind = profile_kind::cpu;
  std::chrono::seconds length{0};
};

/// Asks for a snapshot to copy, or for a piece of one that was opened so. Without a handle: for one that holds all that
/// the node has applied by now, or `at_least` that index; as long as there is none it is being taken, and the client
/// asks again.
struct snapshot_request {
  std::uint64_t handle = 0;
  std::uint64_t offset = 0;
  log_index at_least;
};

/// Asks for the changes of keys from a place of history on, all of them in order: answered as soon as there are some,
/// or after `wait`, with the place where to go on, of any member. So whoever asks again and again sees each change
/// once.
struct watch_request {
  std::string_view key;
  std::string_view range_end;
  kv::change_place start; ///< revision 0: the answer says, at once, where what is yet to come begins
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;
  std::chrono::milliseconds wait{0};
};

/// How long a request may take.
struct request_limits {
  request_limits() = default;
  /// From the one that is mostly all there is.
  template <class Rep, class Period>
  request_limits(std::chrono::duration<Rep, Period> until_deadline, // NOLINT(google-explicit-constructor)
                 std::chrono::milliseconds wait = std::chrono::milliseconds(0))
      : remaining(until_deadline)
      , leader_wait(wait) {}

  std::chrono::milliseconds remaining{0}; ///< until the deadline, as the client sent it
  /// What of it the request may spend waiting for a leader with a quorum behind it, before it is refused as
  /// `no_quorum` and can be asked of another member; 0: all.
  std::chrono::milliseconds leader_wait{0};
};

struct client_request {
  std::uint64_t id = 0;
  request_limits limits;
  kv::session_call call; ///< of a command
  std::variant<client_hello, kv::command, range_read, status_request, health_request, metrics_request, profile_request,
               members_request, member_change, leader_transfer, join_request, snapshot_request, watch_request>
      body;
};

struct hello_reply {
  std::uint16_t version = 0;
  std::string_view software;
  std::string_view node_name;
  std::string_view cluster_name;
};

struct status_reply {
  std::vector<status_row> rows;
};

struct health_reply {
  bool serving = false;
  std::string_view reason; ///< why not
};

struct profile_reply {
  std::string_view note; ///< what the bytes show, for a person
  std::string_view bytes;
};
/// Of a profile; a longer one is an error.
inline constexpr std::size_t profile_bytes_max = std::size_t{3} * 1024 * 1024;

/// Of a snapshot that is copied: in one reply.
inline constexpr std::size_t snapshot_piece_max = std::size_t{1} * 1024 * 1024;
struct snapshot_reply {
  std::uint64_t handle = 0; ///< 0: there is none yet
  log_index index;          ///< what it holds, or is to hold
  std::uint64_t total = 0;  ///< bytes of the file
  std::string_view bytes;   ///< from the offset that was asked for; none: nothing was, or it is the end
  std::string_view note;    ///< no handle: why the last one could not be taken; empty: it is being taken
};

struct watch_reply {
  kv::change_place next; ///< everything before it is answered
  std::vector<kv::event> events;
};

struct client_error {
  request_errc code = request_errc::internal;
  std::string_view text;   ///< for a person
  std::string_view leader; ///< not_leader: the leader's client address, host:port; empty if unknown
  kv::error store;         ///< store: its own error
};

struct client_reply {
  std::uint64_t id = 0;
  std::variant<client_error, hello_reply, kv::reply, kv::range_reply, status_reply, health_reply, metrics_reply,
               profile_reply, members_reply, snapshot_reply, watch_reply>
      body;
};

// Requests: each appends one frame. A command or range is within what validate() allows, and its nesting within
// txn_depth_max.
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const client_hello& h);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const kv::command& c,
                    const kv::session_call& call = {});
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const range_read& r);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const status_request& s);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const health_request& h);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const metrics_request& m);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const profile_request& p);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const members_request& m);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const member_change& c);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const leader_transfer& t);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const join_request& j);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const snapshot_request& s);
void encode_request(byte_buffer& out, std::uint64_t id, request_limits limits, const watch_request& w);
void encode_request(byte_buffer& out, const client_request& r);

/// Reads a request from a frame's content (frame.hpp). The views hold as long as the frame's bytes. Keys, operations
/// and options are kv::validate()'s to judge.
[[nodiscard]] decoded<client_request> decode_request(std::span<const std::byte> frame);
/// The id of a request that decode_request refused, if it can be read: for the error reply.
[[nodiscard]] std::optional<std::uint64_t> request_id(std::span<const std::byte> frame);
/// The same from the first bytes of a request that is too large to be taken whole.
[[nodiscard]] std::optional<std::uint64_t> request_id_at_front(std::span<const std::byte> front);

// Replies: each appends one frame.
void encode_reply(byte_buffer& out, std::uint64_t id, const client_error& e);
void encode_reply(byte_buffer& out, std::uint64_t id, const hello_reply& h);
/// From the store's views: must be called before its next mutation. An error becomes a client_error `store`.
void encode_reply(byte_buffer& out, std::uint64_t id, const kv::result<kv::reply>& r);
void encode_reply(byte_buffer& out, std::uint64_t id, const kv::result<kv::range_reply>& r);
void encode_reply(byte_buffer& out, std::uint64_t id, const status_reply& s);
void encode_reply(byte_buffer& out, std::uint64_t id, const health_reply& h);
void encode_reply(byte_buffer& out, std::uint64_t id, const metrics_reply& m);
/// At most profile_bytes_max.
void encode_reply(byte_buffer& out, std::uint64_t id, const profile_reply& p);
void encode_reply(byte_buffer& out, std::uint64_t id, const members_reply& m);
/// At most snapshot_piece_max bytes.
void encode_reply(byte_buffer& out, std::uint64_t id, const snapshot_reply& s);
/// From the store's views, as above.
void encode_reply(byte_buffer& out, std::uint64_t id, kv::change_place next, std::span<const kv::event> events);
void encode_reply(byte_buffer& out, std::uint64_t id, const watch_reply& w);
/// From the bytes that encode_result() made (command_codec.hpp), here or on another node; an error if they are not.
[[nodiscard]] decoded<void> encode_reply(byte_buffer& out, std::uint64_t id, std::span<const std::byte> encoded_result);

/// Reads a reply; the views hold as long as the frame's bytes.
[[nodiscard]] decoded<client_reply> decode_reply(std::span<const std::byte> frame);

} // namespace quorumd::client
