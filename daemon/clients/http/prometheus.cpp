#include "daemon/clients/http/prometheus.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>

namespace quorumd::clients {
namespace {

using client::metric_unit;

/// 10 us to 10 s.
constexpr std::array<std::uint64_t, 19> time_bounds{
    10'000,      25'000,        50'000,        100'000,       250'000,       500'000,     1'000'000,
    2'500'000,   5'000'000,     10'000'000,    25'000'000,    50'000'000,    100'000'000, 250'000'000,
    500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
constexpr std::array<std::uint64_t, 12> count_bounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
constexpr std::array<std::uint64_t, 10> byte_bounds{256,     1024,      4096,      16'384,     65'536,
                                                    262'144, 1'048'576, 4'194'304, 16'777'216, 67'108'864};

/// Those that only grow.
constexpr std::array<std::string_view, 13> growing{
    "log.segments_prepared", "log.segments_recycled", "log.segments_removed",
    "log.moved_bytes",       "snapshot.sent_bytes",   "snapshot.sent_wire_bytes",
    "process.cpu_ns",        "raft.leader_changes",   "client.writes_failed",
    "grpc.started",          "grpc.received",         "grpc.sent",
    "grpc.handled"};

std::string plain(std::uint64_t v) {
  return std::to_string(v);
}

std::string seconds(std::uint64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", static_cast<double>(ns) / 1e9);
  return text;
}

std::string metric_name(std::string_view name) {
  std::string out = "quorumd_";
  for (const char c : name) out += c == '.' || c == '-' ? '_' : c;
  return out;
}

std::string labels(std::string_view of, std::string_view le = {}) {
  std::string out;
  if (!of.empty()) {
    out = "of=\"";
    for (const char c : of) {
      if (c == '"' || c == '\\') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    out += '"';
  }
  if (!le.empty()) out += (out.empty() ? "le=\"" : ",le=\"") + std::string(le) + "\"";
  return out.empty() ? out : "{" + out + "}";
}

void describe(std::string& out, const std::string& name, std::string_view type, std::string_view of) {
  out += "# HELP " + name + " What quorumd calls " + std::string(of) + ".\n# TYPE " + name + " " + std::string(type) +
         "\n";
}

struct shown_as {
  std::string_view suffix;
  std::span<const std::uint64_t> bounds;
  std::string (*number)(std::uint64_t);
};

shown_as form_of(metric_unit u) {
  switch (u) {
  case metric_unit::nanoseconds:
    return {"_seconds", time_bounds, seconds};
  case metric_unit::bytes:
    return {"_size_bytes", byte_bounds, plain};
  case metric_unit::count:
    return {"_size", count_bounds, plain};
  }
  return {"", count_bounds, plain};
}

void append(std::string& out, const std::string& name, const shown_as& form, const client::distribution& d) {
  for (const std::uint64_t bound : form.bounds)
    out += name + "_bucket" + labels(d.of, form.number(bound)) + " " + plain(d.values.count_up_to(bound)) + "\n";
  out += name + "_bucket" + labels(d.of, "+Inf") + " " + plain(d.values.count()) + "\n";
  out += name + "_sum" + labels(d.of) + " " + form.number(d.values.sum()) + "\n";
  out += name + "_count" + labels(d.of) + " " + plain(d.values.count()) + "\n";
}

void append(std::string& out, const client::reading& r, bool first) {
  const bool grows = std::find(growing.begin(), growing.end(), r.name) != growing.end();
  const bool time = r.name.ends_with("_ns");
  std::string name = metric_name(time ? r.name.substr(0, r.name.size() - 3) + "_seconds" : r.name);
  if (grows) name += "_total";
  if (first) describe(out, name, grows ? "counter" : "gauge", r.name);
  out += name + labels(r.of) + " " + (time ? seconds(r.value) : plain(r.value)) + "\n";
}

} // namespace

std::string prometheus_text(const client::metrics_reply& m) {
  std::string out;
  out += "# HELP quorumd_up_seconds Since the node was started.\n# TYPE quorumd_up_seconds gauge\nquorumd_up_seconds " +
         seconds(static_cast<std::uint64_t>(m.up.count()) * 1'000'000) + "\n";
  // Those of one name stand together.
  for (std::size_t i = 0; i < m.distributions.size(); ++i) {
    const client::distribution& d = m.distributions[i];
    const auto same = [&](const client::distribution& o) { return o.name == d.name; };
    if (std::any_of(m.distributions.begin(), m.distributions.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
    const shown_as form = form_of(d.unit);
    const std::string name = metric_name(d.name) + std::string(form.suffix);
    describe(out, name, "histogram", d.name);
    for (const client::distribution& o : m.distributions)
      if (same(o)) append(out, name, form, o);
  }
  for (std::size_t i = 0; i < m.readings.size(); ++i) {
    const auto same = [&](const client::reading& o) { return o.name == m.readings[i].name; };
    if (std::any_of(m.readings.begin(), m.readings.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
    bool first = true;
    for (const client::reading& o : m.readings) {
      if (!same(o)) continue;
      append(out, o, first);
      first = false;
    }
  }
  return out;
}

} // namespace quorumd::clients
