#pragma once

#include "coro/net.hpp"
#include "tests/sim/scheduler.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::sim {

using host_id = std::uint64_t;

/// What the network of a run is like; drawn from its seed.
struct network_options {
  coro::duration delay_least = std::chrono::microseconds(20);
  coro::duration delay_most = std::chrono::microseconds(300);
  std::uint64_t slow_per_mille = 0; ///< of the segments take up to slow_most
  coro::duration slow_most = std::chrono::milliseconds(50);
  std::size_t read_max = 65536;                ///< a read gives 1 to this many bytes
  std::size_t write_max = 65536;               ///< a write takes 1 to this many bytes
  std::size_t buffer_bytes = 262144;           ///< sent and not yet read, each way of a connection
  std::uint64_t refuse_per_mille = 0;          ///< of the dials fail
  std::uint64_t spurious_per_mille = 0;        ///< of the waits return though a try would still block
  std::uint64_t reset_on_heal_per_mille = 500; ///< of the connections that a partition held bytes of break when it ends
  std::size_t bytes_a_second = 0;              ///< from one host to another, of all their connections; 0: no limit
};

struct network_counters {
  std::uint64_t connections = 0;
  std::uint64_t refused_dials = 0;
  std::uint64_t resets = 0;
  std::uint64_t segments = 0;
  std::uint64_t held_segments = 0; ///< by a partition
  std::uint64_t bytes = 0;
};

struct connection;
class listener;

/// The network between the hosts of a run: TCP's promises and no more. Bytes of one direction arrive in order, cut
/// anywhere; a connection may be reset, half-open or held up. Holds no Asio I/O object.
class fabric {
 public:
  fabric(scheduler& s, network_options o);
  fabric(const fabric&) = delete;
  fabric& operator=(const fabric&) = delete;
  ~fabric();

  /// The network as that host sees it.
  [[nodiscard]] std::unique_ptr<coro::network> attach(host_id h);

  /// Bytes from one host to another are held from now on; acknowledgements in the other direction are not modelled, so
  /// a one-way partition lets the other way flow. A dial needs both ways.
  void block(host_id from, host_id to);
  void unblock(host_id from, host_id to);
  void unblock_all();
  [[nodiscard]] bool blocked(host_id from, host_id to) const { return blocked_.contains({from, to}); }
  /// Resets every connection between the two.
  void cut(host_id a, host_id b);

  /// The host is gone. Quietly (power): the others' connections to it are half-open until they send and it is back;
  /// else they are reset.
  void crash(host_id h, bool quietly);
  void boot(host_id h);
  [[nodiscard]] bool up(host_id h) const { return !down_.contains(h); }

  void set_options(network_options o) { options_ = o; }
  [[nodiscard]] const network_options& options() const { return options_; }
  [[nodiscard]] const network_counters& counters() const { return counters_; }

 private:
  friend struct connection;
  friend class listener;
  friend class sim_stream;
  friend class host_network;

  [[nodiscard]] coro::duration delay();
  /// When so many more bytes have left from one host to the other: behind what goes there already.
  [[nodiscard]] coro::time_point sent(host_id from, host_id to, std::size_t bytes);
  std::shared_ptr<connection> connect(host_id from, coro::loop& owner, const std::string& to, coro::endpoint address);
  [[nodiscard]] listener* listening(const std::string& at) const;

  scheduler& clock_;
  network_options options_;
  prng random_;
  network_counters counters_;
  std::set<std::pair<host_id, host_id>> blocked_;
  std::set<host_id> down_;
  std::map<std::pair<host_id, host_id>, coro::time_point> free_at_; ///< lines with a limit, by from and to
  std::map<std::string, listener*> listeners_;
  std::map<std::uint64_t, std::weak_ptr<connection>> connections_; // by number, so in the same order each time
  std::uint64_t next_connection_ = 0;
};

} // namespace quorumd::sim
