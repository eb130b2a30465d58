#pragma once

#include "tests/cluster/moved_clock.hpp"
#include "tests/cluster/process.hpp"
#include "tests/cluster/proxy.hpp"
#include "tests/cluster/raw_client.hpp"
#include "tests/cluster/words.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The program under test: this build's, or what CLUSTER_PROGRAM names.
[[nodiscard]] std::string quorumd_program();

/// All of a file; empty if there is none.
[[nodiscard]] std::string read_file(const std::string& path);

/// What a command printed, and how it ended.
struct command_result {
  int code = -1;
  std::string output;
  std::string errors;
};

/// Where a node runs, if not with the others.
struct host {
  std::string ip;
  int network = -1; ///< a descriptor of its network namespace
};

struct cluster_options {
  std::size_t nodes = 3;        ///< that the cluster begins with
  std::size_t spares = 0;       ///< more nodes, which join by the first one when they are started
  bool proxied = false;         ///< the members reach each other through proxies
  bool lose_unsynced = false;   ///< kill() is a power cut
  std::vector<std::string> set; ///< KEY=VALUE for every node
  std::string data_root;        ///< where the data directories lie, if not with the rest
  std::optional<unsigned> files_max;
  std::optional<unsigned> file_bytes; ///< no file of a node can be larger
  std::vector<host> hosts;            ///< one a node; none: all on one address of this machine
  std::vector<std::string> groups;    ///< each node's control group, as for a launch
  bool moved_clocks = false;          ///< each node has clocks of its own; not together with `lose_unsynced`
};

/// Real daemons, on an address and in a folder of their own: of what the test is called and of this process. Everything
/// that was started ends with this object. If a test fails its folder stays and its path is printed, with the ends of
/// the logs.
class cluster {
 public:
  explicit cluster(const std::string& name, cluster_options o = {});
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;
  ~cluster();

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // --- nodes, by their number from 0 ---
  void start(std::size_t i, const std::vector<std::string>& set = {});
  void start_all();
  /// From its next start on the node runs this program.
  void run_program(std::size_t i, const std::string& program) { nodes_[i].program = program; }
  /// SIGKILL; under `lose_unsynced` what was not synced is lost, in parts if the seed is not 0.
  void kill(std::size_t i, std::uint64_t seed = 0);
  /// SIGKILL to all before any is waited for.
  void kill_all(std::uint64_t seed = 0);
  /// From its next start on, until it has died so, the node ends at that moment once it is armed (shim/journal.hpp):
  /// `synced wal/ 3`. Under `lose_unsynced`.
  void die_at(std::size_t i, const std::string& moment) { nodes_[i].moment = moment; }
  void arm(std::size_t i);
  /// It died at its moment, and what was not synced is lost, as by kill(); fails the test if it does not in time.
  void wait_death(std::size_t i, std::uint64_t seed = 0);
  /// SIGTERM; the exit code.
  int stop(std::size_t i);
  void pause(std::size_t i);
  void resume(std::size_t i);
  [[nodiscard]] process& node(std::size_t i) { return *nodes_[i].daemon; }
  [[nodiscard]] bool running(std::size_t i);
  /// From the next start on syncs make nothing durable, and say that they did.
  void lie_about_syncs(bool lie) { lie_ = lie; }

  /// Under `moved_clocks`.
  [[nodiscard]] moved_clock& clock(std::size_t i) { return *nodes_[i].clock; }

  // --- where things are ---
  [[nodiscard]] const std::string& ip() const { return ip_; }
  [[nodiscard]] const std::string& ip(std::size_t i) const {
    return options_.hosts.empty() ? ip_ : options_.hosts[i].ip;
  }
  [[nodiscard]] std::string node_name(std::size_t i) const { return "n" + std::to_string(i + 1); }
  [[nodiscard]] place client_place(std::size_t i) const { return {ip(i), port(i, 1)}; }
  [[nodiscard]] place peer_place(std::size_t i) const { return {ip(i), port(i, 2)}; }
  [[nodiscard]] std::string endpoint(std::size_t i) const;
  [[nodiscard]] std::string endpoints() const;
  [[nodiscard]] std::string socket(std::size_t i) const { return sockets_ + "/" + node_name(i) + ".sock"; }
  [[nodiscard]] std::string data(std::size_t i) const { return data_root_ + "/" + node_name(i); }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] std::string config(std::size_t i) const { return folder_ + "/" + node_name(i) + ".yaml"; }
  [[nodiscard]] std::string log(std::size_t i) const;
  [[nodiscard]] bool logged(std::size_t i, const std::string& text) const {
    return log(i).find(text) != std::string::npos;
  }
  [[nodiscard]] bool logged_within(std::size_t i, const std::string& text, milliseconds at_most) const;
  /// The words of a file in the folder.
  std::string write_file(const std::string& name, const std::string& content) const;
  /// A node's configuration file, with other members than the cluster's.
  [[nodiscard]] std::string config_text(std::size_t i, const std::vector<std::string>& member_lines,
                                        const std::string& cluster_name) const;
  [[nodiscard]] std::vector<std::string> member_lines() const;
  [[nodiscard]] const std::string& cluster_name() const { return cluster_name_; }
  [[nodiscard]] proxy& links() { return *proxy_; }

  // --- its state ---
  [[nodiscard]] std::optional<client::status_row> status(std::size_t i) const { return own_status(client_place(i)); }
  /// The running node that leads and that a majority of all nodes follows; fails the test if there is none in time.
  std::size_t wait_leader(milliseconds at_most = seconds(20), std::size_t other_than = none);
  std::size_t follower();
  void wait_healthy(std::size_t i, milliseconds at_most = seconds(20));
  void wait_all_healthy();
  void wait_keys(std::size_t i, std::uint64_t at_least);
  /// Every node's own export at one revision is equal and holds every word. Fails the test if not.
  void check_all_hold(const std::vector<word>& words);

  // --- the command line ---
  [[nodiscard]] command_result run(const std::vector<std::string>& arguments, const std::string& input = {});
  /// Another program than quorumd: its path first.
  [[nodiscard]] command_result run_other(const std::vector<std::string>& words, const std::string& input = {});
  /// Any program, to be started: its output in the cluster's folder, as NAME.out and NAME.err.
  [[nodiscard]] launch beside(const std::string& name, std::vector<std::string> words) const;
  [[nodiscard]] command_result at(std::size_t i, std::vector<std::string> arguments, const std::string& input = {});
  [[nodiscard]] command_result anywhere(std::vector<std::string> arguments, const std::string& input = {});

 private:
  friend class import_run;
  struct node_state {
    std::unique_ptr<process> daemon;
    std::string program = quorumd_program();
    std::string moment; ///< at which it dies; empty: none
    std::unique_ptr<moved_clock> clock;
    bool paused = false;
  };
  [[nodiscard]] std::uint16_t port(std::size_t i, unsigned purpose) const {
    return static_cast<std::uint16_t>(20000 + 10 * i + purpose);
  }
  [[nodiscard]] std::string side(std::size_t i) const { return data(i) + ".side"; }
  [[nodiscard]] std::string clock_file(std::size_t i) const { return folder_ + "/" + node_name(i) + ".clock"; }
  void lose(std::size_t i, std::uint64_t seed);
  void tell_of_failure() const;

  cluster_options options_;
  std::string cluster_name_;
  std::string ip_;
  std::string folder_;
  std::string data_root_;
  std::string sockets_;
  bool lie_ = false;
  unsigned commands_ = 0;
  std::vector<node_state> nodes_;
  std::unique_ptr<proxy> proxy_;
};

/// Of a command that has to succeed.
command_result done(command_result r);
/// NAME=HOST:PORT, as `quorumd member` takes it.
[[nodiscard]] std::string at_peer(cluster& c, std::size_t i);

/// `quorumd import -` in the background, fed piece by piece.
class import_run {
 public:
  explicit import_run(cluster& c, const std::vector<std::string>& more = {});

  /// Returns when the import has taken the lines, a window of which is then still on its way.
  void feed(const std::vector<word>& words, std::size_t from, std::size_t to);
  /// Nothing more comes: waits for its end and fails the test unless every line was acknowledged.
  void finish(std::size_t expected);
  [[nodiscard]] command_result end(milliseconds at_most = seconds(90));

 private:
  std::string output_;
  std::string errors_;
  process process_;
};

} // namespace quorumd::testing
