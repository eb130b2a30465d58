#pragma once

#include "consensus/types/chunk.hpp"
#include "consensus/types/entry.hpp"
#include "coro/clock.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/kv/store.hpp"
#include "wire/request_error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace quorumd::node {

using wire::request_errc;

/// What the code means for whoever asked, and what to do.
[[nodiscard]] const char* describe(request_errc code);

/// Whether the command can make the store or the log grow for good: puts and grants of leases can, deletes and
/// compactions free.
[[nodiscard]] bool may_grow(const kv::command& c);
/// Whether its reply can carry keys and values.
[[nodiscard]] bool answers_much(const kv::command& c);

class reply_sink;
struct read_request;

/// Where the answer of a request goes, and what it is called there. The sink outlives every request; `slot` and
/// `generation` let it tell a client that is gone from the one that came after.
struct reply_to {
  reply_sink* sink = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint64_t id = 0;
  std::uint32_t reserved = 0; ///< bytes of room that were set aside for the reply
};

/// Takes answers, on the group's loop; the views in them hold during the call only.
class reply_sink {
 public:
  virtual ~reply_sink() = default;
  virtual void wrote(const reply_to& to, const kv::result<kv::reply>& r) = 0;
  virtual void ranged(const reply_to& to, const kv::result<kv::range_reply>& r) = 0;
  /// `detail` says more than describe(why) does, for a person; it may be empty.
  virtual void failed(const reply_to& to, request_errc why, std::string_view detail) = 0;
  /// No more answers will come in this turn: pass on what came.
  virtual void flush() = 0;
  /// Whether a reply that may be large can be made now: whoever is to get it has room. Until then its request waits;
  /// group::room_returned() says when to ask again.
  [[nodiscard]] virtual bool has_room(const reply_to& /*to*/) const { return true; }
  /// Sets to.reserved bytes aside until wrote() or failed(): the reply of a command cannot wait once it is applied.
  virtual void reserve(const reply_to& /*to*/) {}
  virtual void unreserve(const reply_to& /*to*/) {}
  /// Whether nobody is there any more to read the answer: what was asked for need not be done.
  [[nodiscard]] virtual bool gone(const reply_to& /*to*/) const { return false; }

 private:
  friend class sink_set;
  bool touched_ = false;
};

/// When a request of a client came in; nothing where that is another node's to know.
struct arrival {
  coro::time_point received; ///< its bytes were read
  coro::time_point handed;   ///< it was handed to the group
};

/// A command to replicate.
struct write_request {
  reply_to to;
  coro::time_point deadline;
  coro::time_point leader_by = coro::time_point::max(); ///< when to give up waiting for a leader, if not earlier
  proposal command;
  node::arrival arrival{};
  bool grows = true;       ///< may need disk space that is not given back: refused when there is little
  bool answers = false;    ///< its reply may carry keys and values
  bool bulk = false;       ///< of a client that yields to the others
  bool question = false;   ///< a lease_question, which the leader answers by itself
  std::uint16_t level = 0; ///< kv::needed_level
};

/// A read that goes on over several turns, with the request that it refers to.
class read_under_way {
 public:
  read_under_way(kv::store& s, const read_request& r);
  [[nodiscard]] kv::reading& reading() { return *reading_; }

 private:
  kv::range_request range_;
  kv::command transaction_;
  std::optional<kv::reading> reading_;
};

/// A read of a range, or a transaction that only reads; `hold` keeps the bytes that their views point to.
struct read_request {
  reply_to to;
  coro::time_point deadline;
  coro::time_point leader_by = coro::time_point::max(); ///< when to give up waiting for a leader's word
  chunk_ref hold;
  kv::range_request range;
  std::span<const std::byte> transaction; ///< an encoded command; empty: the range is asked for
  node::arrival arrival{};
  std::chrono::milliseconds keep{0};         ///< how long its revision stays readable here for the next such read
  std::chrono::milliseconds max_age{0};      ///< of what this node has, if it knows; 0: it asks the leader
  bool stale = false;                        ///< answer from what this node has applied, without asking the leader
  bool bulk = false;                         ///< of a client that yields to the others
  bool needs_data = true;                    ///< no: whoever asks wants to know only that this node can answer
  bool question = false;                     ///< `transaction` is a lease_question
  bool begun = false;                        ///< the read_server's: a part of it is done
  std::unique_ptr<read_under_way> under_way; ///< the group's: what was read so far
};

} // namespace quorumd::node
