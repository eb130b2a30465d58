#pragma once

#include "config/address.hpp"

#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::config {

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;
inline constexpr std::uint64_t gib = 1024 * mib;

/// More members than this are refused: each costs every write a message.
inline constexpr std::size_t members_max = 15;
/// A Unix socket's path can't be longer (sun_path, less its end).
inline constexpr std::size_t socket_path_max = 107;

/// One voter: its name and where the other members dial it.
struct member {
  std::string name;
  address peer;

  friend bool operator==(const member&, const member&) = default;
};

enum class log_level : std::uint8_t { trace, debug, info, warn, error };
/// Of what is sent to other members.
enum class compression : std::uint8_t { none, zstd };
/// Of etcd.
enum class etcd_version : std::uint8_t { v3_4_23, v3_5_21 };

struct node_settings {
  std::string name; ///< of a member
  std::filesystem::path data_dir;
  friend bool operator==(const node_settings&, const node_settings&) = default;
};

struct cluster_settings {
  std::string name;
  std::vector<member> members; ///< in the file's order; names and addresses are unique; none for a node that joins
  address join = {};           ///< where clients reach a member of the cluster that this node joins
  [[nodiscard]] bool joins() const { return !join.host.empty(); }

  /// The member of that name, or nullptr.
  [[nodiscard]] const member* find(std::string_view member_name) const;
  friend bool operator==(const cluster_settings&, const cluster_settings&) = default;
};

struct listen_settings {
  address peer;
  address client;
  std::filesystem::path admin; ///< the admin Unix socket, at most socket_path_max bytes
  address metrics;             ///< for those who only look after the node; no host: there is none
  [[nodiscard]] bool has_metrics() const { return !metrics.host.empty(); }
  friend bool operator==(const listen_settings&, const listen_settings&) = default;
};

/// What others are told to dial. Filled in by parse(): where the file says nothing, `peer` is the node's address in
/// cluster.members and `client` is what is listened on.
struct advertise_settings {
  address peer;
  address client;
  friend bool operator==(const advertise_settings&, const advertise_settings&) = default;
};

/// Timers are whole multiples of the tick.
struct raft_settings {
  std::chrono::milliseconds tick{10};
  std::chrono::milliseconds heartbeat{50};
  std::chrono::milliseconds election_timeout{300}; ///< each is drawn from [this, twice this)
  std::chrono::milliseconds disk_stall{600};       ///< a leader whose disk finishes no write for longer steps down
  std::chrono::milliseconds read_lease{0}; ///< for which followers promise their leader to help no other; 0: never
  std::uint64_t append_bytes_max = 256 * kib;
  std::uint64_t inflight_appends_max = 256;
  std::uint64_t inflight_bytes_max = 8 * mib;
  std::uint64_t uncommitted_bytes_max = 64 * mib;
  std::uint64_t cache_bytes_max = 32 * mib;
  compression snapshot_compression = compression::zstd;
  friend bool operator==(const raft_settings&, const raft_settings&) = default;
};

struct storage_settings {
  std::uint64_t segment_bytes = 64 * mib;           ///< a multiple of 4 KiB
  std::uint64_t snapshot_every_bytes = 256 * mib;   ///< of log since the last snapshot; whichever comes first
  std::uint64_t snapshot_every_entries = 1'000'000; ///< applied since the last snapshot
  std::uint64_t snapshot_rate = 0;                  ///< bytes a second; 0: as fast as the disk and the log allow
  std::uint64_t trailing_entries = 10'000;          ///< kept in the log behind a snapshot
  std::uint64_t trailing_bytes = 64 * mib;          ///< likewise, on the disk
  std::uint64_t reserve_bytes = 128 * mib;          ///< of free disk, below which puts are refused
  std::uint64_t quota_bytes = 4 * gib;              ///< of the store in memory, beyond which puts are refused; 0: none
  std::chrono::milliseconds consistency_check{10'000}; ///< between two comparisons with the other members; 0: never
  friend bool operator==(const storage_settings&, const storage_settings&) = default;
};

struct history_settings {
  std::uint64_t keep_revisions = 100'000;     ///< older ones are compacted; 0: only bytes_max bounds them
  std::uint64_t bytes_max = 256 * mib;        ///< of old revisions; older ones are compacted
  std::chrono::milliseconds keep_for{0};      ///< what was superseded longer ago is compacted; 0: however old it is
  std::uint64_t pinned_bytes_max = 512 * mib; ///< of history kept for one export
  friend bool operator==(const history_settings&, const history_settings&) = default;
};

struct runtime_settings {
  std::uint64_t loops = 0; ///< 0: half the processors, at least 1 and at most 8
  friend bool operator==(const runtime_settings&, const runtime_settings&) = default;
};

struct limits_settings {
  std::uint64_t clients_max = 512; ///< connections on the client port
  std::uint64_t request_bytes_max = 1536 * kib;
  std::uint64_t inflight_requests_max = 65'536; ///< on this node, over all its clients
  std::uint64_t inflight_per_client_max = 4'096;
  std::uint64_t peer_queue_bytes_max = 64 * mib;
  std::uint64_t client_queue_bytes_max = 16 * mib;
  std::uint64_t client_queues_bytes_max = 256 * mib; ///< over all clients
  std::uint64_t watches_bytes_max = 256 * mib;       ///< of what all clients watch by etcd's API
  std::chrono::milliseconds handshake_timeout{10'000};
  friend bool operator==(const limits_settings&, const limits_settings&) = default;
};

struct requests_settings {
  std::chrono::milliseconds timeout_default{5'000}; ///< of a request that brings none
  std::chrono::milliseconds timeout_max{60'000};    ///< a longer one is cut to this
  friend bool operator==(const requests_settings&, const requests_settings&) = default;
};

/// How etcd's clients are answered.
struct etcd_settings {
  etcd_version version = etcd_version::v3_5_21;            ///< that this node answers as
  std::chrono::milliseconds watch_progress_every{600'000}; ///< to watches that ask for progress
  friend bool operator==(const etcd_settings&, const etcd_settings&) = default;
};

/// What is answered over HTTP/1.1, and what web pages may do there.
struct http_settings {
  std::vector<std::string> cors_origins;   ///< whose pages may read answers; `*`: all
  std::vector<std::string> host_whitelist; ///< by which names; none: any
  bool pprof = false;                      ///< profiles on the client port
  friend bool operator==(const http_settings&, const http_settings&) = default;
};

/// Who may use the admin socket besides root and the daemon's own user: names or numbers.
struct admin_settings {
  std::vector<std::string> users;
  std::vector<std::string> groups;
  friend bool operator==(const admin_settings&, const admin_settings&) = default;
};

struct log_settings {
  log_level level = log_level::info;
  friend bool operator==(const log_settings&, const log_settings&) = default;
};

struct shutdown_settings {
  std::chrono::milliseconds grace{10'000}; ///< from SIGTERM to exit
  friend bool operator==(const shutdown_settings&, const shutdown_settings&) = default;
};

/// A whole configuration. What load(), parse() and single_node() return was checked: every value is within its bounds
/// and fits the others. See keys.hpp for the bounds and config/quorumd.example.yaml for the file's form.
struct settings {
  node_settings node;
  cluster_settings cluster;
  listen_settings listen;
  advertise_settings advertise;
  raft_settings raft;
  storage_settings storage;
  history_settings history;
  runtime_settings runtime;
  limits_settings limits;
  requests_settings requests;
  etcd_settings etcd;
  http_settings http;
  admin_settings admin;
  log_settings log;
  shutdown_settings shutdown;

  friend bool operator==(const settings&, const settings&) = default;
};

/// One thing that is wrong, and where.
struct mistake {
  std::string source;     ///< the file's name, a variable's, or `--set KEY`
  std::size_t line = 0;   ///< from 1; 0 where there is no position
  std::size_t column = 0; ///< from 1
  std::string what;       ///< what was expected and what stands there instead

  /// `file:line:column: what`, or `--set KEY: what`.
  [[nodiscard]] std::string text() const;
  /// Its first part: `file:line:column`, or `--set KEY`.
  [[nodiscard]] std::string place() const;
  friend bool operator==(const mistake&, const mistake&) = default;
};

/// Everything that is wrong with a configuration: the file's mistakes in the order of their positions, then the
/// command line's.
class mistakes {
 public:
  mistakes() = default;
  explicit mistakes(std::vector<mistake> list)
      : list_(std::move(list)) {}

  [[nodiscard]] const std::vector<mistake>& list() const& { return list_; }
  /// By value, since result::error() gives a copy: `for (const mistake& m : r.error().list())` is sound.
  [[nodiscard]] std::vector<mistake> list() && { return std::move(list_); }
  /// One line each, every line ended.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<mistake> list_;
};
[[noreturn]] void throw_exception_from_error(const mistakes& e, const boost::source_location& where);

template <class T>
using result = boost::system::result<T, mistakes>;

/// What `--set` gave, each `KEY=VALUE`; of two for one key the later counts. A key is written with dots
/// (`raft.heartbeat=100ms`, `cluster.members.n1=host:2380`), a list with commas (`admin.users=ann,bob`).
using overrides = std::span<const std::string>;

/// `NAME=VALUE` as the process was given them. `QUORUMD_LISTEN_CLIENT` is listen.client: the section, and the key after
/// it, in capitals. It comes before the file, and `--set` before both. An empty value counts as not given; a variable
/// of this form that is no key is a mistake, but for those that Kubernetes sets for a service of this name
/// (`QUORUMD_SERVICE_…`, `QUORUMD_PORT_…`).
using environment = std::span<const std::string>;
/// Those of `environ` that begin with QUORUMD_.
[[nodiscard]] std::vector<std::string> quorumd_variables(const char* const* all);

/// Reads and checks the file. A file that cannot be read is a mistake too.
[[nodiscard]] result<settings> load(const std::filesystem::path& file, overrides set = {}, environment env = {});
/// The same for a text; `name` stands for the file in the mistakes.
[[nodiscard]] result<settings> parse(std::string_view text, const std::string& name, overrides set = {},
                                     environment env = {});
/// A cluster of one on loopback and the default ports, with its admin socket in the data directory: what
/// `serve --data-dir D` runs without a file. Its one member is this node at listen.peer, unless `set` or `env` names
/// members.
[[nodiscard]] result<settings> single_node(const std::filesystem::path& data_dir, overrides set = {},
                                           environment env = {});

/// A key's value and where it came from.
struct value_origin {
  std::string path;
  std::string value; ///< as it would be written
  std::string from;  ///< `file:line:column`, `QUORUMD_LISTEN_CLIENT`, `--set`, or `default`
};
/// Of every key, in the order of the example file.
[[nodiscard]] result<std::vector<value_origin>> explain(const std::filesystem::path& file, overrides set = {},
                                                        environment env = {});

} // namespace quorumd::config
