#pragma once

#include "daemon/clients/observer.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/telemetry/repeat_filter.hpp"
#include "wire/handshake.hpp"
#include "wire/transport.hpp"

#include <spdlog/common.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::daemon {

/// Writes what the parts below report into the log, in words for a person. From any loop. What strangers or a lack of
/// file descriptors can make it say over and over is said once a second, with how often it was left out.
class log_observer final : public node::observer, public wire::peer_observer, public clients::observer {
 public:
  /// With the settings of this node's configuration, which the cluster's may differ from.
  log_observer(const std::vector<wire::member>& members, const kv::settings& configured);

  void role_changed(const raft::soft_state& s) override;
  void snapshot_taken(log_index index, std::uint64_t bytes) override;
  void snapshot_failed(const std::string& why) override;
  void snapshot_sending(node_id to, log_index index) override;
  void snapshot_send_ended(node_id to, log_index index, const std::string& why) override;
  void snapshot_ordered(node_id by, node_id to, log_index at_least) override;
  void snapshot_order_ended(node_id by, node_id to, const std::string& why) override;
  void snapshot_installed(log_index index) override;
  void incarnation_recorded(node_id member, incarnation i) override;
  void members_changed(const node::roster& now) override;
  void member_refused(node_id member, const std::string& why) override;
  void handing_over(node_id to, const std::string& why) override;
  void settings_changed(const kv::settings& s) override;
  void corrupt(const std::string& why) override;
  void doubt_not_noted(const std::string& why) override;
  void space_changed(bool accepting, const std::string& detail) override;
  void quota_nearly_used(bool is, std::uint64_t stored_bytes, std::uint64_t quota_bytes) override;

  void on_dial_failed(node_id id, const std::string& address, const std::string& reason) override;
  void on_handshake_refused(node_id id, const std::string& remote, const std::string& reason) override;
  void on_refused_by_peer(node_id id, const std::string& remote, const std::string& reason) override;
  void on_stream_ended(node_id id, const std::string& remote, const std::string& reason) override;
  void on_bad_frame(node_id id, const std::string& remote, const std::string& reason) override;
  void on_stream_replaced(node_id id, const std::string& remote, const std::string& reason) override;
  void on_accept_failed(const std::string& reason) override;

  void bad_client(const std::string& remote, const std::string& why) override;
  void slow_client(const std::string& remote, std::size_t queued_bytes) override;
  void denied(const std::string& who) override;
  void accept_failed(const std::string& where, const std::string& why) override;
  void too_many(const std::string& remote) override;

 private:
  /// The member's name, or that nobody said who it is.
  [[nodiscard]] std::string name(node_id id) const;

  /// Logs unless the like was logged within the last second.
  void say(spdlog::level::level_enum level, std::string_view kind, std::string_view subject, std::string line);

  mutable std::mutex mutex_; ///< loops of their own ask for names, and bring others
  std::map<node_id, std::string> names_;
  const kv::settings configured_;
  telemetry::repeat_filter repeats_;
};

} // namespace quorumd::daemon
