#pragma once

#include "daemon/clients/etcd/call_stream.hpp"
#include "daemon/clients/etcd/event_encoder.hpp"
#include "daemon/clients/etcd/message_writer.hpp"
#include "daemon/kv/watch.hpp"
#include "daemon/node/watches.hpp"

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::clients::etcd {

/// What etcd's WatchCreateRequest asks for.
struct watch_create {
  std::string key;
  std::string range_end;
  std::int64_t start_revision = 0;
  std::int64_t id = 0; ///< 0: the stream names one
  bool progress_notify = false;
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;
  bool fragment = false;
};

/// The watches of one call of etcd's Watch. What the client does not read is not kept for it: a watch that has no room
/// catches up later from the history, and is cancelled if that was compacted away.
class watch_stream final : public call_stream, private node::watch_client {
 public:
  /// Between two words of progress to a watch that asked for them and sees no events; a tenth more at most.
  struct options {
    std::chrono::milliseconds progress_interval{600'000};
    unsigned number = 0;              ///< by which streams spread over that tenth
    std::size_t joined_bytes_max = 0; ///< of one revision's events, for a watch that did not ask for fragments
    bool needs_leader = false;        ///< it ends when there is none for long
  };
  watch_stream(service& asks, std::int32_t id, const node::reply_to& place, event_encoder& events, const options& o)
      : call_stream(asks, id, place)
      , options_(o)
      , encoder_(events) {}

  // On the group's loop.
  void begin();
  void create(const watch_create& w);
  void cancel(std::int64_t id);
  /// The client asks how far its watches are: it is told once all have everything.
  void ask_progress();

 private:
  struct watch {
    kv::watch_id id;
    revision starts; ///< 0: at once
    std::size_t held = 0;
    bool progress_notify = false;
    bool fragment = false;
    bool refused = false;                        ///< it is to be cancelled, since a revision was too large
    bool quiet = true;                           ///< it was sent nothing since the last round of progress
    std::unique_ptr<wire::byte_buffer> joined{}; ///< events of a revision of which more is to come
  };

  // call_stream
  void give_up() override;
  void resume() override;
  // kv::watch_sink
  [[nodiscard]] bool has_room(std::uint64_t tag, std::size_t bytes) override;
  void deliver(const kv::delivery& d, std::span<const std::uint64_t> tags) override;
  void cancelled(std::uint64_t tag, revision floor) override;
  // node::watch_client
  void time_came(coro::time_point now) override;
  void leader_lost() override;
  void state_lost() override;

  /// What a WatchResponse says besides its events.
  struct notice {
    std::uint64_t revision = 0; ///< in its header
    std::int64_t id = 0;
    bool created = false;
    bool canceled = false;
    std::uint64_t compact_revision = 0;
    std::string_view reason{};
    bool fragment = false;
    std::span<const std::byte> events{};
  };
  void respond(const notice& n);
  void refuse(std::string_view reason);
  [[nodiscard]] std::int64_t name_for(std::int64_t asked);
  void deliver_to(std::int64_t id, watch& w, const kv::delivery& d, std::span<const std::byte> events);
  [[nodiscard]] bool join(watch& w, std::span<const std::byte> events);
  void drop_joined(watch& w);
  void forget(std::int64_t id);
  void cancel_too_large();
  void answer_progress(coro::time_point now);
  void send_progress(coro::time_point now);
  void wake_again();
  [[nodiscard]] coro::duration interval();
  [[nodiscard]] std::uint64_t current() const;

  const options options_;
  event_encoder& encoder_;
  message_writer writer_;
  absl::flat_hash_map<std::int64_t, watch> watches_;
  std::int64_t next_id_ = 0;
  std::size_t joined_bytes_ = 0;
  struct too_large {
    std::int64_t id;
    revision at;
  };
  std::vector<too_large> too_large_; ///< to be cancelled
  bool progress_asked_ = false;
  coro::time_point ask_again_ = coro::time_point::max();
  coro::time_point next_progress_ = coro::time_point::max();
};

} // namespace quorumd::clients::etcd
