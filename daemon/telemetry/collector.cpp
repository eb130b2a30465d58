#include "daemon/telemetry/collector.hpp"

#include "daemon/telemetry/report.hpp"

#include <utility>

namespace quorumd::telemetry {
namespace {
/// Each holds some hundred kilobytes for the moment that it takes.
constexpr int under_way_max = 4;
} // namespace

struct collector::gathering {
  coro::loop& back;
  receiver done;
  raw_report raw{};
};

collector::collector(node::node& n, const clients::client_port& port, std::vector<coro::loop*> loops,
                     const coro::clock& c)
    : node_(n)
    , port_(port)
    , loops_(std::move(loops))
    , clock_(c)
    , begun_(c.now()) {}

bool collector::report(coro::loop& back, receiver done) {
  if (under_way_.fetch_add(1) >= under_way_max) {
    under_way_.fetch_sub(1);
    return false;
  }
  visit(std::make_shared<gathering>(back, std::move(done)), 0);
  return true;
}

/// On each loop in turn, then back.
void collector::visit(const std::shared_ptr<gathering>& g, std::size_t next) {
  if (next < loops_.size()) {
    loops_[next]->post([this, g, next] {
      look_at_loop(*g, *loops_[next]);
      visit(g, next + 1);
    });
    return;
  }
  g->back.post([this, g] {
    raw_report& r = g->raw;
    r.log = node_.log().metrics();
    r.log_stats = node_.log().stats();
    r.connections = port_.connections();
    r.requests = port_.requests();
    wire::local_identity self = node_.self();
    self.members = node_.members();
    client::metrics_reply named_report = named(r, self);
    named_report.up = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - begun_);
    under_way_.fetch_sub(1);
    g->done(named_report);
  });
}

void collector::look_at_loop(gathering& g, coro::loop& l) {
  raw_report& r = g.raw;
  r.lags.emplace_back(l.name(), l.timers().lag());
  port_.add_to(r.sessions);
  if (&l == &node_.group_loop()) {
    node::group& group = node_.the_group();
    r.group = group.metrics();
    r.depths = group.depths();
    r.row = group.status().own_row();
    r.watches = group.state().watches().size();
    r.leases = group.state().store().leases().size();
    r.full = group.is_full();
    r.corrupt = !group.corrupt().empty();
    r.nearly_full = group.is_nearly_full();
    group.add_to(r.mailboxes);
  }
  if (&l == &node_.network_loop()) r.peers = node_.transport().counters();
}

} // namespace quorumd::telemetry
