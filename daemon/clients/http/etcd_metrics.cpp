#include "daemon/clients/http/etcd_metrics.hpp"

#include "consensus/types/hex.hpp"
#include "daemon/clients/etcd/methods.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace quorumd::clients {
namespace {

/// Doubling buckets, as etcd has them.
struct doubling {
  std::uint64_t first_ns;
  int count;
};
constexpr doubling fsync_buckets{1'000'000, 14};
constexpr doubling round_trip_buckets{100'000, 16};

class page {
 public:
  explicit page(const client::metrics_reply& m)
      : m_(m) {}

  std::string take(std::string_view version) {
    raft();
    store();
    one("etcd_server_version", "gauge", "Which version of etcd this node answers as.",
        "{server_version=\"" + std::string(version) + "\"}", "1");
    if (m_.id) one("etcd_server_id", "gauge", "The member's number.", "{server_id=\"" + hex(m_.id) + "\"}", "1");
    begin("etcd_disk_wal_fsync_duration_seconds", "histogram", "Syncs of the log.");
    distribution("etcd_disk_wal_fsync_duration_seconds", "log.sync", {}, {}, fsync_buckets);
    round_trips();
    calls();
    return std::move(out_);
  }
  std::string take_process() {
    process();
    return std::move(out_);
  }

 private:
  void raft() {
    gauge("etcd_server_has_leader", "Whether this member knows of a leader.", value("raft.has_leader"));
    gauge("etcd_server_is_leader", "Whether this member leads.", value("raft.leads"));
    counter("etcd_server_leader_changes_seen_total", "How often a leader became known, after another one or none.",
            value("raft.leader_changes"));
    counter("etcd_server_proposals_committed_total", "The index up to which the log is known committed.",
            value("raft.commit"));
    counter("etcd_server_proposals_applied_total", "The index up to which the log is applied.", value("raft.applied"));
    counter("etcd_server_proposals_failed_total", "Writes of this member's clients that ended without a result.",
            value("client.writes_failed"));
    std::uint64_t pending = 0;
    for (const char* queue : {"queue.proposed", "queue.forwarded", "queue.waiting"})
      pending += value(queue).value_or(0);
    gauge("etcd_server_proposals_pending", "Writes that wait for a leader, for their turn, or to be applied.", pending);
  }

  void store() {
    const auto bytes = value("store.bytes");
    gauge("etcd_mvcc_db_total_size_in_bytes", "About what the store takes in memory, which the quota bounds.", bytes);
    if (bytes)
      gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Of it what is no history.",
            *bytes - std::min(*bytes, value("store.history_bytes").value_or(0)));
    // None is no bound of zero bytes, of which everything would be too much.
    if (const auto quota = value("store.quota_bytes"); quota.value_or(0) != 0)
      gauge("etcd_server_quota_backend_bytes", "What the store may take; puts beyond it are refused.", quota);
    gauge("etcd_debugging_mvcc_keys_total", "Keys that exist.", value("store.keys"));
  }

  /// A leader has some of each follower that it replicates to.
  void round_trips() {
    constexpr std::string_view name = "etcd_network_peer_round_trip_time_seconds";
    bool first = true;
    for (const client::distribution& d : m_.distributions) {
      if (d.name != "peer.wire") continue;
      const auto who = std::find_if(m_.members.begin(), m_.members.end(),
                                    [&](const client::named_member& o) { return o.name == d.of; });
      if (who == m_.members.end()) continue;
      if (first) begin(name, "histogram", "Entries to a member and its answer back, without the time on its disk.");
      first = false;
      distribution(name, "peer.wire", d.of, "To=\"" + hex(who->id) + "\"", round_trip_buckets);
    }
  }

  void calls() {
    struct counter {
      std::string_view name;
      std::string_view reading;
      std::string_view help;
    };
    static constexpr std::array counters{
        counter{"grpc_server_started_total", "grpc.started", "Calls that began."},
        counter{"grpc_server_handled_total", "grpc.handled", "Calls that ended, by their code."},
        counter{"grpc_server_msg_received_total", "grpc.received", "Messages that came."},
        counter{"grpc_server_msg_sent_total", "grpc.sent", "Messages that were answered with."},
    };
    for (const counter& c : counters) {
      bool first = true;
      for (const client::reading& r : m_.readings) {
        if (r.name != c.reading) continue;
        if (first) begin(c.name, "counter", c.help);
        first = false;
        ((((out_ += c.name) += call_labels(r.of)) += ' ') += std::to_string(r.value)) += '\n';
      }
    }
  }
  /// Of `etcdserverpb.KV/Put OK`, with the code or without.
  static std::string call_labels(std::string_view of) {
    const std::size_t slash = std::min(of.find('/'), of.size());
    const std::size_t blank = std::min(of.find(' '), of.size());
    const std::string path = "/" + std::string(of.substr(0, blank));
    const etcd::method m = etcd::find_method(path);
    const char* const type = etcd::goes_on(m) ? "bidi_stream" : etcd::answers_go_on(m) ? "server_stream" : "unary";
    std::string out = "{";
    if (blank != of.size()) out += "grpc_code=\"" + std::string(of.substr(blank + 1)) + "\",";
    const std::string_view method = slash == of.size() ? std::string_view() : of.substr(slash + 1, blank - slash - 1);
    return out + "grpc_method=\"" + std::string(method) + "\",grpc_service=\"" + std::string(of.substr(0, slash)) +
           "\",grpc_type=\"" + type + "\"}";
  }

  void process() {
    if (const auto ns = value("process.cpu_ns"))
      one("process_cpu_seconds_total", "counter", "Processor time spent.", {}, seconds_of(*ns));
    some("process_resident_memory_bytes", "Memory in use.", "process.resident_bytes");
    some("process_virtual_memory_bytes", "Memory that is mapped.", "process.virtual_bytes");
    some("process_open_fds", "Files and sockets that are open.", "process.open_files");
    some("process_max_fds", "How many may be.", "process.files_max");
    if (const auto ns = value("process.start_time_ns"); ns.value_or(0) != 0)
      one("process_start_time_seconds", "gauge", "When the process was started, since 1970.", {}, seconds_of(*ns));
  }

  [[nodiscard]] std::optional<std::uint64_t> value(std::string_view name) const {
    const auto found =
        std::find_if(m_.readings.begin(), m_.readings.end(), [&](const auto& r) { return r.name == name; });
    return found == m_.readings.end() ? std::nullopt : std::optional(found->value);
  }

  static std::string hex(node_id id) {
    std::string text = hex64(id.value());
    return text.substr(std::min(text.find_first_not_of('0'), text.size() - 1)); // as etcd writes numbers
  }

  static std::string seconds_of(std::uint64_t ns) {
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", static_cast<double>(ns) / 1e9);
    return text;
  }

  void begin(std::string_view name, std::string_view type, std::string_view help) {
    out_ += "# HELP ";
    ((out_ += name) += ' ') += help;
    out_ += "\n# TYPE ";
    (((out_ += name) += ' ') += type) += '\n';
  }

  void one(std::string_view name, std::string_view type, std::string_view help, std::string_view labels,
           std::string_view value) {
    begin(name, type, help);
    ((((out_ += name) += labels) += ' ') += value) += '\n';
  }

  void gauge(std::string_view name, std::string_view help, std::optional<std::uint64_t> value) {
    if (value) one(name, "gauge", help, {}, std::to_string(*value));
  }
  void counter(std::string_view name, std::string_view help, std::optional<std::uint64_t> value) {
    if (value) one(name, "counter", help, {}, std::to_string(*value));
  }
  /// What the system does not say is zero.
  void some(std::string_view name, std::string_view help, std::string_view reading) {
    if (const auto v = value(reading); v.value_or(0) != 0) gauge(name, help, v);
  }

  void distribution(std::string_view name, std::string_view measured, std::string_view of, std::string label,
                    doubling buckets) {
    const auto found = std::find_if(m_.distributions.begin(), m_.distributions.end(),
                                    [&](const auto& d) { return d.name == measured && d.of == of; });
    if (found == m_.distributions.end()) return;
    const metrics::histogram& h = found->values;
    const std::string series(name);
    const std::string prefix = label.empty() ? label : label + ",";
    const auto bucket = [&](const std::string& le, std::uint64_t n) {
      out_ += series + "_bucket{" + prefix + "le=\"" + le + "\"} " + std::to_string(n) + "\n";
    };
    for (int i = 0; i < buckets.count; ++i) {
      const std::uint64_t bound = buckets.first_ns << i;
      bucket(seconds_of(bound), h.count_up_to(bound));
    }
    bucket("+Inf", h.count());
    const std::string labels = label.empty() ? label : "{" + label + "}";
    out_ += series + "_sum" + labels + " " + seconds_of(h.sum()) + "\n";
    out_ += series + "_count" + labels + " " + std::to_string(h.count()) + "\n";
  }

  const client::metrics_reply& m_;
  std::string out_;
};

} // namespace

std::string process_metrics_text(const client::metrics_reply& m) {
  return page(m).take_process();
}

std::string etcd_metrics_text(const client::metrics_reply& m, std::string_view version) {
  return page(m).take(version);
}

} // namespace quorumd::clients
