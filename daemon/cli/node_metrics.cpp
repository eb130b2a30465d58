#include "daemon/cli/node_metrics.hpp"

#include "coro/task_group.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace quorumd::cli {
namespace {

using sights = boost::system::result<std::vector<node_sight>, client::call_error>;

std::string scaled(double value, double step, std::span<const char* const> units) {
  std::size_t unit = 0;
  while (value >= step * 0.9995 && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  char text[32];
  const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value, units[unit]);
  return text;
}

} // namespace

fleet::fleet(session& s, std::string only)
    : session_(s)
    , only_(std::move(only)) {}

fleet::~fleet() = default;

coro::task<void> fleet::stop() {
  for (auto& [address, client] : clients_) co_await client->stop();
  clients_.clear();
}

coro::task<sights> fleet::look() {
  const auto rows = co_await ask_members(&session_);
  if (rows.has_error()) co_return rows.error();

  std::vector<node_sight> all;
  for (const client::status_row& row : *rows)
    if (only_.empty() || row.name == only_) all.push_back({.row = row, .metrics = {}, .error = row.error});
  if (all.empty())
    co_return client::call_error(wire::request_errc::invalid, session_.client.endpoint(),
                                 "no member of the cluster is called " + shown(only_));
  coro::task_group asking(session_.loop);
  for (node_sight& n : all)
    if (n.error.empty()) asking.spawn(ask(&n));
  co_await asking.join();
  co_return std::move(all);
}

coro::task<void> fleet::ask(node_sight* n) {
  client::client* const client = client_of(*n);
  if (client == nullptr) {
    n->error = "its address for clients is not known";
    co_return;
  }
  client::client_body body = client::metrics_request{};
  const coro::time_point deadline = session_.deadline();
  client::call_result answer = co_await client->call(std::move(body), deadline);
  if (answer.has_error()) {
    n->error = answer.error().message();
    co_return;
  }
  const auto* m = body_of<client::metrics_reply>(answer);
  if (m != nullptr && m->node == n->row.name)
    n->metrics = *m;
  else
    n->error = "another node answered at " + n->row.address;
}

client::client* fleet::client_of(const node_sight& n) {
  if (session_.client.connected() && session_.client.node_name() == n.row.name) return &session_.client;
  const auto at = coro::parse_endpoint(n.row.address);
  if (!at || at->port == 0) return nullptr;
  auto& client = clients_[n.row.address];
  if (!client) {
    client::client_options o = session_.options;
    o.endpoints = {{*at, {}}};
    client = std::make_unique<client::client>(session_.loop, session_.network, session_.entropy, std::move(o));
  }
  return client.get();
}

metrics::histogram measured(const client::metrics_reply& now, const client::metrics_reply* earlier,
                            std::string_view name, std::string_view of) {
  const auto find = [&](const client::metrics_reply& m) -> const metrics::histogram* {
    const auto d = std::find_if(m.distributions.begin(), m.distributions.end(),
                                [&](const client::distribution& o) { return o.name == name && o.of == of; });
    return d == m.distributions.end() ? nullptr : &d->values;
  };
  const metrics::histogram* h = find(now);
  if (h == nullptr) return {};
  const metrics::histogram* before = earlier == nullptr ? nullptr : find(*earlier);
  return before == nullptr ? *h : h->since(*before);
}

std::uint64_t reading_of(const client::metrics_reply& now, std::string_view name, std::string_view of) {
  const auto r = std::find_if(now.readings.begin(), now.readings.end(),
                              [&](const client::reading& o) { return o.name == name && o.of == of; });
  return r == now.readings.end() ? 0 : r->value;
}

const client::metrics_reply* same_node(const std::vector<node_sight>& earlier, const node_sight& n) {
  const auto e = std::find_if(earlier.begin(), earlier.end(), [&](const auto& o) { return o.row.id == n.row.id; });
  if (e == earlier.end() || !e->metrics || !n.metrics || e->metrics->up > n.metrics->up) return nullptr;
  return &*e->metrics;
}

std::string short_time(double nanoseconds) {
  static constexpr std::array<const char*, 4> units{"ns", "us", "ms", "s"};
  return scaled(nanoseconds, 1000, units);
}

std::string short_number(double number) {
  static constexpr std::array<const char*, 4> units{"", "k", "M", "G"};
  return scaled(number, 1000, units);
}

std::string short_bytes(double bytes) {
  static constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes, 1024, units);
}

} // namespace quorumd::cli
