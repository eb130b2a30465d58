#pragma once

#include "daemon/client/protocol.hpp"
#include "daemon/clients/service.hpp"
#include "daemon/node/watches.hpp"

#include <list>
#include <memory>
#include <span>
#include <string>

namespace quorumd::clients {

/// The requests of a session that wait for keys to change: each is answered once, with the first changes or after its
/// time. Belongs to the group's loop; what has been answered there may outlive the session for a moment.
class watch_waits : public std::enable_shared_from_this<watch_waits> {
 public:
  explicit watch_waits(service& asks);
  watch_waits(const watch_waits&) = delete;
  watch_waits& operator=(const watch_waits&) = delete;
  ~watch_waits();

  void begin(node::group& g, const node::reply_to& to, client::watch_request w);
  /// Some may have room again.
  void resume(node::group& g);
  /// Answers all that wait with what they know.
  void end_all();

 private:
  class wait;

  service& asks_;
  std::list<std::unique_ptr<wait>> waits_;
};

} // namespace quorumd::clients
