#include "daemon/cli/latency_table.hpp"

#include "daemon/cli/json.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

namespace quorumd::cli {
namespace {

constexpr std::size_t bar_width = 32;

struct line {
  std::string label;
  metrics::histogram values;
  client::metric_unit unit = client::metric_unit::nanoseconds;
  double from = 0; ///< of the bar, in the unit of the section
  double to = 0;
};

std::string amount(double value, client::metric_unit unit) {
  switch (unit) {
  case client::metric_unit::nanoseconds:
    return short_time(value);
  case client::metric_unit::bytes:
    return short_bytes(value);
  default:
    return short_number(value);
  }
}

/// The bar from `from` to `to` on a scale of so much: at least one mark where there is anything.
std::string bar(double from, double to, double scale) {
  std::string out(bar_width, ' ');
  if (to <= 0) return out;
  const auto place = [&](double v) {
    return std::min(bar_width, static_cast<std::size_t>(std::lround(v / scale * static_cast<double>(bar_width))));
  };
  const std::size_t begin = std::min(place(from), bar_width - 1);
  const std::size_t end = std::max(place(to), begin + 1);
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(begin), out.begin() + static_cast<std::ptrdiff_t>(end), '#');
  return out;
}

void append_section(std::string& out, const char* title, std::span<const line> lines, double scale) {
  char text[200];
  std::snprintf(text, sizeof text, "  %-26s %9s %8s %8s %8s %8s\n", title, "count", "p50", "p99", "max", "mean");
  out += text;
  for (const line& l : lines) {
    const auto& v = l.values;
    const auto show = [&](double x) { return v.count() == 0 ? std::string("-") : amount(x, l.unit); };
    const std::string bars = scale > 0 ? "  |" + bar(l.from, l.to, scale) + "|" : std::string();
    std::snprintf(text, sizeof text, "  %-26s %9s %8s %8s %8s %8s%s\n", l.label.c_str(),
                  short_number(static_cast<double>(v.count())).c_str(),
                  show(static_cast<double>(v.quantile(0.5))).c_str(),
                  show(static_cast<double>(v.quantile(0.99))).c_str(), show(static_cast<double>(v.max())).c_str(),
                  show(v.mean()).c_str(), bars.c_str());
    out += text;
  }
  out += '\n';
}

/// Builds the sections of one node.
class node_table {
 public:
  node_table(const node_sight& n, const client::metrics_reply* earlier)
      : now_(*n.metrics)
      , earlier_(earlier) {}

  std::string mailboxes() {
    static constexpr std::array<std::string_view, 3> times{"mailbox.wait", "mailbox.lock", "loop.lag"};
    static constexpr std::array<std::string_view, 1> counts{"mailbox.batch"};
    section("waits (bars: p99)", times);
    section("items taken at a time", counts, false);
    return std::move(out_);
  }
  std::string text() {
    puts();
    forwards();
    reads();
    machinery();
    batches();
    return std::move(out_);
  }

 private:
  metrics::histogram get(const char* name, std::string_view of = {}) const {
    return measured(now_, earlier_, name, of);
  }

  /// A stage that begins where the one before ended.
  void stage(std::vector<line>& lines, double& at, const char* label, const metrics::histogram& h) const {
    lines.push_back({.label = label, .values = h, .from = at, .to = at + h.mean()});
    at += h.mean();
  }

  void puts() {
    const metrics::histogram whole = get("put.whole");
    const metrics::histogram commit = get("put.commit");
    if (commit.count() == 0) return;
    std::vector<line> lines;
    double at = 0;
    stage(lines, at, "receive", get("client.receive"));
    stage(lines, at, "inbox", get("put.inbox"));
    stage(lines, at, "propose", get("put.propose"));
    const double proposed = at;
    stage(lines, at, "commit", commit);
    const auto part = [&](const std::string& label, const metrics::histogram& h) {
      lines.push_back({.label = "  " + label, .values = h, .from = proposed, .to = proposed + h.mean()});
    };
    part("encode", get("put.encode"));
    part("sync here", get("put.sync"));
    for (const auto& d : now_.distributions)
      if (d.name == "peer.acknowledged") part("acknowledged by " + d.of, get("peer.acknowledged", d.of));
    stage(lines, at, "apply", get("put.apply"));
    stage(lines, at, "answer", get("put.answer"));
    stage(lines, at, "reply", get("client.reply"));
    lines.push_back({.label = "whole, until answered", .values = whole, .from = 0, .to = whole.mean()});
    append_section(out_, "a put, as the leader", lines, std::max(at, whole.mean()));
  }

  void forwards() {
    const metrics::histogram forward = get("put.forward");
    if (forward.count() == 0) return;
    const metrics::histogram whole = get("put.whole");
    const std::vector<line> lines{
        {.label = "at the leader and back", .values = forward, .from = 0, .to = forward.mean()},
        {.label = "whole, until answered", .values = whole, .from = 0, .to = whole.mean()}};
    append_section(out_, "a put, sent to the leader", lines, std::max(forward.mean(), whole.mean()));
  }

  void reads() {
    const metrics::histogram whole = get("read.whole");
    if (whole.count() == 0) return;
    std::vector<line> lines;
    double at = 0;
    stage(lines, at, "inbox", get("read.inbox"));
    stage(lines, at, "round", get("read.round"));
    stage(lines, at, "apply", get("read.apply"));
    lines.push_back({.label = "whole, until answered", .values = whole, .from = 0, .to = whole.mean()});
    append_section(out_, "a read", lines, std::max(at, whole.mean()));
  }

  /// What a put waits for, beneath: bars of the p99, all on one scale.
  void machinery() {
    static constexpr std::array<std::string_view, 14> names{
        "log.queue",     "log.write",   "log.sync",       "log.prepare", "peer.queue", "peer.wire",    "peer.sync",
        "follower.hold", "apply.slice", "snapshot.slice", "group.turn",  "loop.lag",   "mailbox.wait", "mailbox.lock"};
    section("beneath (bars: p99)", names);
  }
  void batches() {
    static constexpr std::array<std::string_view, 8> names{"client.batch", "put.batch", "read.batch", "read.lease",
                                                           "apply.batch",  "log.batch", "log.bytes",  "peer.bytes"};
    section("at a time", names, false);
  }
  void section(const char* title, std::span<const std::string_view> names, bool bars = true) {
    std::vector<line> lines;
    double scale = 0;
    for (const auto& d : now_.distributions) {
      if (d.name.empty() || std::find(names.begin(), names.end(), d.name) == names.end()) continue;
      line l{.label = d.of.empty() ? d.name : d.name + " " + d.of,
             .values = measured(now_, earlier_, d.name, d.of),
             .unit = d.unit};
      if (l.values.count() == 0) continue;
      if (bars) l.to = static_cast<double>(l.values.quantile(0.99));
      scale = std::max(scale, l.to);
      lines.push_back(std::move(l));
    }
    if (!lines.empty()) append_section(out_, title, lines, scale);
  }

  const client::metrics_reply& now_;
  const client::metrics_reply* earlier_;
  std::string out_;
};

std::string span_text(std::chrono::milliseconds span) {
  char text[64];
  const auto seconds = static_cast<double>(span.count()) / 1000;
  if (seconds < 120)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  return text;
}

std::chrono::milliseconds window(const client::metrics_reply& now, const client::metrics_reply* earlier) {
  return earlier == nullptr ? now.up : now.up - earlier->up;
}

bool every_name(std::string_view) {
  return true;
}
bool of_a_mailbox(std::string_view name) {
  return name.starts_with("mailbox.") || name == "loop.lag";
}

void append_node_json(json_writer& w, const node_sight& n, const client::metrics_reply* earlier,
                      bool (*wanted)(std::string_view)) {
  w.begin_object().key("node").text(n.row.name).key("role");
  if (!n.metrics) {
    w.null().key("error").text(n.error).end_object();
    return;
  }
  w.text(client::name_of(n.row.role)).key("seconds");
  w.number(static_cast<double>(window(*n.metrics, earlier).count()) / 1000, 3).key("since_start");
  w.boolean(earlier == nullptr).key("distributions").begin_array();
  for (const auto& d : n.metrics->distributions) {
    if (!wanted(d.name)) continue;
    const metrics::histogram h = measured(*n.metrics, earlier, d.name, d.of);
    static constexpr std::array<std::string_view, 3> units{"ns", "count", "bytes"};
    w.begin_object().key("name").text(d.name).key("of").text(d.of);
    w.key("unit").text(units[static_cast<std::size_t>(d.unit)]).key("count").number(h.count());
    w.key("mean").number(h.mean(), 1).key("p50").number(h.quantile(0.5)).key("p90").number(h.quantile(0.9));
    w.key("p99").number(h.quantile(0.99)).key("p999").number(h.quantile(0.999)).key("max").number(h.max());
    w.end_object();
  }
  w.end_array().key("readings").begin_array();
  for (const auto& r : n.metrics->readings)
    if (wanted(r.name))
      w.begin_object().key("name").text(r.name).key("of").text(r.of).key("value").number(r.value).end_object();
  w.end_array().end_object();
}

} // namespace

std::string latency_table(const node_sight& n, const client::metrics_reply* earlier) {
  std::string out;
  append_escaped(out, n.row.name);
  if (!n.metrics) {
    out += ": ";
    append_escaped(out, n.error);
    return out + "\n";
  }
  const std::chrono::milliseconds span = window(*n.metrics, earlier);
  const auto per_second = [&](const char* name) {
    const auto count = static_cast<double>(measured(*n.metrics, earlier, name).count());
    return span.count() == 0 ? std::string("0") : short_number(count / (static_cast<double>(span.count()) / 1000));
  };
  out += std::string(", ") + client::name_of(n.row.role) + ", " + (earlier == nullptr ? "since its start " : "over ") +
         span_text(span) + (earlier == nullptr ? " ago" : "") + ": " + per_second("put.whole") + " puts/s, " +
         per_second("read.whole") + " reads/s\n";
  return out + node_table(n, earlier).text();
}

std::string mailbox_table(const node_sight& n, const client::metrics_reply* earlier) {
  std::string out;
  append_escaped(out, n.row.name);
  out += ", " + span_text(window(*n.metrics, earlier)) + "\n";
  return out + node_table(n, earlier).mailboxes();
}

std::string mailbox_json(const node_sight& n, const client::metrics_reply* earlier) {
  std::string out;
  json_writer w(out);
  append_node_json(w, n, earlier, of_a_mailbox);
  return out + "\n";
}

std::string latency_json(const std::vector<node_sight>& now, const std::vector<node_sight>& earlier) {
  std::string out;
  json_writer w(out);
  w.begin_array();
  for (const node_sight& n : now) append_node_json(w, n, same_node(earlier, n), every_name);
  w.end_array();
  return out + "\n";
}

} // namespace quorumd::cli
