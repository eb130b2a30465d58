#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "daemon/clients/etcd/carrier.hpp"
#include "daemon/clients/etcd/event_encoder.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/staging.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "daemon/clients/etcd/watch_stream.hpp"
#include "daemon/clients/service.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace google::protobuf {
class MessageLite;
}
namespace etcdserverpb {
class RangeResponse;
class ResponseHeader;
class SnapshotRequest;
class TxnResponse;
} // namespace etcdserverpb
namespace grpc::health::v1 {
class HealthCheckRequest;
}
namespace v3electionpb {
class CampaignRequest;
class LeaderKey;
class LeaderRequest;
class ProclaimRequest;
class ResignRequest;
} // namespace v3electionpb
namespace v3lockpb {
class LockRequest;
class UnlockRequest;
} // namespace v3lockpb

namespace quorumd::clients::etcd {

/// One call that takes several steps: etcd's Lock and Election, its Snapshot, and gRPC's Health for those who watch it.
/// A few steps,
/// one after the other, each a call of the API by itself, as etcd's own clients take them. Whoever holds a name is the
/// oldest key below it, which lives as long as its lease; the others wait until the key before theirs is deleted.
/// Belongs to the connection's loop.
class recipe {
 public:
  struct parts {
    service& asks;
    carrier& by;
    event_encoder& events;
    std::int32_t id = 0; ///< the call's
  };
  recipe(const parts& p, coro::time_point deadline);

  /// Runs it until it was answered, or nobody waits any more. Holds a place of the connection meanwhile.
  [[nodiscard]] static coro::task<void> run(std::shared_ptr<recipe> self, method what, std::string message);
  /// What was answered to the call's steps.
  void take(const staged& s);
  /// The step that is under way was refused.
  void refused(const grpc_status& s);
  void fail(const grpc_status& s);
  /// Nobody waits for it any more: what it began is taken back.
  void cancel();
  /// Every now and then.
  void look(coro::time_point now);

 private:
  // Steps: each begins one; answered() waits for what is said of it, and is false if it failed.
  void write(const kv::command& c);
  void read(const kv::range_request& r);
  [[nodiscard]] coro::task<bool> answered();
  template <class Message>
  [[nodiscard]] bool parse(Message& m);

  [[nodiscard]] coro::task<void> serve(method what, std::string message);
  [[nodiscard]] coro::task<void> lock(const v3lockpb::LockRequest& r);
  [[nodiscard]] coro::task<void> unlock(const v3lockpb::UnlockRequest& r);
  [[nodiscard]] coro::task<void> campaign(const v3electionpb::CampaignRequest& r);
  [[nodiscard]] coro::task<void> proclaim(const v3electionpb::ProclaimRequest& r);
  [[nodiscard]] coro::task<void> resign(const v3electionpb::ResignRequest& r);
  [[nodiscard]] coro::task<void> leader(const v3electionpb::LeaderRequest& r);
  [[nodiscard]] coro::task<void> observe(const v3electionpb::LeaderRequest& r);

  [[nodiscard]] coro::task<void> watch_health(const grpc::health::v1::HealthCheckRequest& r);
  void say_health(int status);
  // Snapshot (recipe_snapshot.cpp).
  [[nodiscard]] coro::task<void> copy_snapshot(const etcdserverpb::SnapshotRequest& r);
  [[nodiscard]] coro::task<bool> ask_snapshot(client::snapshot_request r);
  [[nodiscard]] coro::task<bool> pause(coro::duration so_long);
  [[nodiscard]] coro::task<bool> say_blob(std::string_view bytes, std::uint64_t remaining);

  [[nodiscard]] coro::task<bool> have_lease(std::int64_t asked);
  [[nodiscard]] coro::task<bool> stand(std::string name, std::string value);
  [[nodiscard]] coro::task<bool> wait_for_others(std::string lost);
  [[nodiscard]] coro::task<bool> deleted(std::string key, std::int64_t from);
  [[nodiscard]] coro::task<bool> changed();
  [[nodiscard]] coro::task<bool> renew();
  [[nodiscard]] coro::task<bool> room();
  void read_oldest(const std::string& prefix);
  [[nodiscard]] bool over() const { return cancelled_ || failed_; }
  /// Once one watches.
  struct interest {
    std::string_view key;
    std::string_view end{};
    std::int64_t from = 0;
    bool no_put = false;
    bool no_delete = false;
  };
  void watch(const interest& w);
  void end_watch();
  void say(const google::protobuf::MessageLite& m);
  void finish(const google::protobuf::MessageLite& m);
  void take_back();

  service& asks_;
  carrier& carrier_;
  event_encoder& events_;
  const std::int32_t id_;
  const coro::time_point deadline_;

  coro::event changed_; ///< something of what follows
  std::optional<std::string> answer_;
  std::optional<grpc_status> failed_;
  bool asks_health_ = false; ///< a refusal is an answer: an empty one
  bool cancelled_ = false;
  bool renewal_due_ = false;

  std::shared_ptr<watch_stream> watch_;
  std::int64_t watch_id_ = 0;
  std::deque<std::string> changes_; ///< the watch's responses with events
  bool watch_ended_ = false;        ///< by itself: it is to be looked again

  std::string prefix_; ///< of the keys of all who want the name
  std::string key_;    ///< its own among them; nothing: it has none
  std::int64_t created_ = 0;
  std::string header_; ///< of the answer in which it stood
  lease_id lease_;
  bool own_lease_ = false; ///< granted for this call
  coro::time_point renewed_;
};

} // namespace quorumd::clients::etcd
