#pragma once

#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "daemon/clients/client_port.hpp"
#include "daemon/clients/reporter.hpp"
#include "daemon/node/node.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace quorumd::telemetry {

/// Gathers what the floors below measure, each on the loop that owns it, and gives it its names. Nothing runs between
/// two requests: who wants to see a course of time asks twice and compares.
///
/// The node and the port outlive every report, and the loops run what is posted to them until then.
class collector final : public clients::reporter {
 public:
  /// `loops` are all of the daemon's.
  collector(node::node& n, const clients::client_port& port, std::vector<coro::loop*> loops, const coro::clock& c);

  [[nodiscard]] bool report(coro::loop& back, receiver done) override;

 private:
  struct gathering;
  void visit(const std::shared_ptr<gathering>& g, std::size_t next);
  void look_at_loop(gathering& g, coro::loop& l);

  node::node& node_;
  const clients::client_port& port_;
  const std::vector<coro::loop*> loops_;
  const coro::clock& clock_;
  const coro::time_point begun_;
  std::atomic<int> under_way_{0};
};

} // namespace quorumd::telemetry
