#include "config/validate.hpp"

#include "config/identity.hpp"
#include "config/values.hpp"

#include <algorithm>

namespace quorumd::config {

namespace {

using std::chrono::milliseconds;

/// One run over all the rules.
class checker {
 public:
  checker(const settings& s, const provenance& from, std::vector<mistake>& found)
      : s_(s)
      , from_(from)
      , found_(found) {}

  void run() {
    members();
    own_member();
    addresses();
    peer_address();
    timing();
    sizes();
  }

 private:
  /// Complains, as `first key: what`, unless the rule holds or one of its settings is bad anyway.
  void rule(bool holds, std::initializer_list<std::string_view> keys, const std::string& what) {
    if (holds || from_.any_bad(keys)) return;
    found_.push_back(mistake_about(from_.culprit(keys), *keys.begin(), what));
  }

  void members() {
    const auto& all = s_.cluster.members;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const std::string path = "cluster.members." + all[i].name;
      for (std::size_t j = 0; j < i; ++j) {
        rule(all[i].peer != all[j].peer, {path},
             "expected an address of its own, got that of " + all[j].name + ", " + all[j].peer.text());
        rule(node_id_of(s_.cluster.name, all[i].name) != node_id_of(s_.cluster.name, all[j].name),
             {path, "cluster.name"}, "expected another name: it gets the same number as " + all[j].name);
      }
    }
    rule(all.size() <= members_max, {"cluster.members"},
         "expected at most " + std::to_string(members_max) + " members, got " + std::to_string(all.size()));
  }

  void own_member() {
    if (s_.cluster.joins()) {
      rule(s_.cluster.members.empty(), {"cluster.join", "cluster.members"},
           "expected no cluster.members beside it: the cluster that this node joins says who its members are");
      return;
    }
    std::string names;
    for (const member& m : s_.cluster.members) names.append(names.empty() ? "" : ", ").append(m.name);
    rule(s_.cluster.find(s_.node.name) != nullptr, {"node.name", "cluster.members"},
         "expected one of cluster.members (" + names + "), got " + in_quotes(s_.node.name));
  }

  void addresses() {
    const address& peer = s_.listen.peer;
    const address& client = s_.listen.client;
    const bool same_host = peer.host == client.host || peer.wildcard() || client.wildcard();
    rule(peer.port != client.port || !same_host, {"listen.client", "listen.peer"},
         "expected another port than listen.peer's, got " + client.text() + " for " + peer.text());
    if (s_.listen.has_metrics()) {
      const address& metrics = s_.listen.metrics;
      for (const auto& [other, path] : {std::pair(&peer, "listen.peer"), std::pair(&client, "listen.client")}) {
        const bool one_host = metrics.host == other->host || metrics.wildcard() || other->wildcard();
        rule(metrics.port != other->port || !one_host, {"listen.metrics", path},
             "expected another port than " + std::string(path) + "'s, got " + metrics.text());
      }
    }
    const bool others = s_.cluster.members.size() > 1 || s_.cluster.joins();
    rule(!others || !s_.advertise.client.wildcard(), {"listen.client", "advertise.client", "cluster.members"},
         "expected an address that clients can dial, got " + client.text() +
             ", which means every interface: say in advertise.client what clients are to dial");
  }

  /// The others dial what cluster.members says. That this node listens there can be seen only for plain addresses.
  void peer_address() {
    const member* self = s_.cluster.find(s_.node.name);
    if (self == nullptr || from_.any_bad({"node.name", "cluster.members"})) return;
    const std::string path = "cluster.members." + self->name;
    if (from_.given.contains("advertise.peer")) {
      rule(s_.advertise.peer == self->peer, {"advertise.peer", path},
           "expected what cluster.members says of " + self->name + ", " + self->peer.text() + ", got " +
               s_.advertise.peer.text() + ": the others dial the former");
      return;
    }
    const address& bound = s_.listen.peer;
    const bool hosts_differ =
        bound.literal() && self->peer.literal() && !bound.wildcard() && bound.host != self->peer.host;
    rule(bound.port == self->peer.port && !hosts_differ, {"listen.peer", path},
         "expected where the others dial " + self->name + ", " + self->peer.text() + ", got " + bound.text() +
             ": if that is on purpose, set advertise.peer to the former");
  }

  void timing() {
    const raft_settings& r = s_.raft;
    multiple_of_tick("raft.heartbeat", r.heartbeat);
    multiple_of_tick("raft.election_timeout", r.election_timeout);
    multiple_of_tick("raft.disk_stall", r.disk_stall);
    rule(r.election_timeout > 2 * r.heartbeat, {"raft.election_timeout", "raft.heartbeat"},
         "expected more than twice raft.heartbeat, which is " + format_duration(r.heartbeat) + ", got " +
             format_duration(r.election_timeout));
    multiple_of_tick("raft.read_lease", r.read_lease);
    rule(r.read_lease.count() == 0 || (r.read_lease > 2 * r.heartbeat && r.read_lease <= r.election_timeout),
         {"raft.read_lease", "raft.heartbeat", "raft.election_timeout"},
         "expected 0s, or more than twice raft.heartbeat, which is " + format_duration(r.heartbeat) +
             ", and at most raft.election_timeout, which is " + format_duration(r.election_timeout) + ", got " +
             format_duration(r.read_lease));
    rule(s_.requests.timeout_default <= s_.requests.timeout_max, {"requests.timeout_default", "requests.timeout_max"},
         "expected at most requests.timeout_max, which is " + format_duration(s_.requests.timeout_max) + ", got " +
             format_duration(s_.requests.timeout_default));
  }

  void multiple_of_tick(std::string_view key, milliseconds value) {
    const milliseconds tick = s_.raft.tick;
    rule(tick.count() > 0 && value.count() % tick.count() == 0, {key, "raft.tick"},
         "expected a multiple of raft.tick, which is " + format_duration(tick) + ", got " + format_duration(value));
  }

  void sizes() {
    const raft_settings& r = s_.raft;
    const storage_settings& st = s_.storage;
    const limits_settings& l = s_.limits;
    at_most("raft.append_bytes_max", r.append_bytes_max, "raft.inflight_bytes_max", r.inflight_bytes_max);
    // What a follower may leave unanswered leaves in one turn; the stream is closed where the queue has no room for it.
    rule(r.inflight_bytes_max <= l.peer_queue_bytes_max / 2, {"raft.inflight_bytes_max", "limits.peer_queue_bytes_max"},
         "expected at most half of limits.peer_queue_bytes_max, which is " + format_size(l.peer_queue_bytes_max) +
             ", got " + format_size(r.inflight_bytes_max));
    rule(s_.storage.consistency_check.count() == 0 || s_.storage.consistency_check >= std::chrono::seconds(1),
         {"storage.consistency_check"},
         "expected 0s, or at least 1s, got " + format_duration(s_.storage.consistency_check));
    rule(s_.history.keep_for.count() == 0 || s_.history.keep_for >= std::chrono::seconds(1), {"history.keep_for"},
         "expected 0s, or at least 1s, got " + format_duration(s_.history.keep_for));
    rule(st.quota_bytes == 0 || s_.history.bytes_max <= st.quota_bytes / 2,
         {"history.bytes_max", "storage.quota_bytes"},
         "expected at most half of storage.quota_bytes, which is " + format_size(st.quota_bytes) + ", got " +
             format_size(s_.history.bytes_max));
    at_most("limits.request_bytes_max", l.request_bytes_max, "raft.uncommitted_bytes_max", r.uncommitted_bytes_max);
    at_most("limits.request_bytes_max", l.request_bytes_max, "limits.peer_queue_bytes_max", l.peer_queue_bytes_max);
    at_most("limits.request_bytes_max", l.request_bytes_max, "limits.client_queue_bytes_max", l.client_queue_bytes_max);
    at_most("limits.client_queue_bytes_max", l.client_queue_bytes_max, "limits.client_queues_bytes_max",
            l.client_queues_bytes_max);
    at_most("storage.segment_bytes", st.segment_bytes, "storage.snapshot_every_bytes", st.snapshot_every_bytes);
    at_most("storage.segment_bytes", st.segment_bytes, "storage.reserve_bytes", st.reserve_bytes);
    rule(l.request_bytes_max <= st.segment_bytes / 2, {"limits.request_bytes_max", "storage.segment_bytes"},
         "expected at most half of storage.segment_bytes, which is " + format_size(st.segment_bytes) + ", got " +
             format_size(l.request_bytes_max));
    rule(l.inflight_per_client_max <= l.inflight_requests_max,
         {"limits.inflight_per_client_max", "limits.inflight_requests_max"},
         "expected at most limits.inflight_requests_max, which is " + std::to_string(l.inflight_requests_max) +
             ", got " + std::to_string(l.inflight_per_client_max));
  }

  void at_most(std::string_view key, std::uint64_t value, std::string_view bound_key, std::uint64_t bound) {
    rule(value <= bound, {key, bound_key},
         "expected at most " + std::string(bound_key) + ", which is " + format_size(bound) + ", got " +
             format_size(value));
  }

  const settings& s_;
  const provenance& from_;
  std::vector<mistake>& found_;
};

} // namespace

origin provenance::culprit(std::initializer_list<std::string_view> keys) const {
  const origin* first = nullptr;
  const origin* command_line = nullptr;
  for (const std::string_view key : keys) {
    const auto found = given.find(key);
    if (found == given.end()) continue;
    if (first == nullptr) first = &found->second;
    if (found->second.line == 0) command_line = &found->second;
  }
  if (command_line != nullptr) return *command_line;
  return first != nullptr ? *first : nowhere;
}

bool provenance::any_bad(std::initializer_list<std::string_view> keys) const {
  return std::any_of(keys.begin(), keys.end(), [&](std::string_view key) { return bad.contains(key); });
}

void complete(settings& s, const provenance& from) {
  if (!from.given.contains("advertise.client")) s.advertise.client = s.listen.client;
  if (from.given.contains("advertise.peer")) return;
  const member* self = s.cluster.find(s.node.name);
  s.advertise.peer = self != nullptr ? self->peer : s.listen.peer;
}

void validate(const settings& s, const provenance& from, std::vector<mistake>& found) {
  checker(s, from, found).run();
}

} // namespace quorumd::config
