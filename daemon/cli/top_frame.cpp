#include "daemon/cli/top_frame.hpp"

#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace quorumd::cli {
namespace {

constexpr std::size_t frame_columns = 18;
constexpr std::array<const char*, frame_columns> head{"NAME",   "ROLE", "PUTS/S", "P50",    "P99",   "READS/S",
                                                      "P50",    "P99",  "BATCH",  "SYNC99", "LAG99", "QUEUED",
                                                      "BEHIND", "CONN", "CPU",    "MEMORY", "DISK",  "KEYS"};

/// What one member did between two looks.
class course {
 public:
  course(const node_sight& n, const client::metrics_reply* earlier)
      : n_(n)
      , earlier_(earlier) {}

  [[nodiscard]] bool known() const { return n_.metrics.has_value() && earlier_ != nullptr; }
  [[nodiscard]] double seconds() const { return static_cast<double>((n_.metrics->up - earlier_->up).count()) / 1000; }
  [[nodiscard]] metrics::histogram get(const char* name) const { return measured(*n_.metrics, earlier_, name); }
  [[nodiscard]] std::string rate(const metrics::histogram& h) const {
    return seconds() <= 0 ? "-" : short_number(static_cast<double>(h.count()) / seconds());
  }
  [[nodiscard]] std::string cpu() const {
    const auto spent = static_cast<double>(reading_of(*n_.metrics, "process.cpu_ns")) -
                       static_cast<double>(reading_of(*earlier_, "process.cpu_ns"));
    char text[32];
    std::snprintf(text, sizeof text, "%.1f%%", seconds() <= 0 ? 0 : spent / (seconds() * 1e7));
    return text;
  }
  /// The worst of the loops, which have a name each.
  [[nodiscard]] metrics::histogram lag() const {
    metrics::histogram all;
    for (const auto& d : n_.metrics->distributions)
      if (d.name == "loop.lag") all.merge(measured(*n_.metrics, earlier_, d.name, d.of));
    return all;
  }

 private:
  const node_sight& n_;
  const client::metrics_reply* earlier_;
};

std::string quantile(const metrics::histogram& h, double q) {
  return h.count() == 0 ? "-" : short_time(static_cast<double>(h.quantile(q)));
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

std::array<std::string, frame_columns> row_of(const node_sight& n, const client::metrics_reply* earlier) {
  std::array<std::string, frame_columns> r;
  r.fill("-");
  r[0] = escaped(n.row.name);
  r[1] = n.row.error.empty() ? client::role_of(n.row) : "unreachable";
  if (n.row.error.empty()) {
    r[12] = short_number(static_cast<double>(n.row.lag));
    r[16] = short_bytes(static_cast<double>(n.row.disk_bytes));
    r[17] = short_number(static_cast<double>(n.row.keys));
  }
  if (!n.metrics) return r;
  std::uint64_t queued = 0;
  for (const auto* queue : {"queue.proposed", "queue.forwarded", "queue.waiting", "queue.reads"})
    queued += reading_of(*n.metrics, queue);
  r[11] = short_number(static_cast<double>(queued));
  r[13] = std::to_string(reading_of(*n.metrics, "client.connections"));
  r[15] = short_bytes(static_cast<double>(reading_of(*n.metrics, "process.resident_bytes")));
  const course c(n, earlier);
  if (!c.known()) return r;
  const metrics::histogram puts = c.get("put.whole");
  const metrics::histogram reads = c.get("read.whole");
  r[2] = c.rate(puts);
  r[3] = quantile(puts, 0.5);
  r[4] = quantile(puts, 0.99);
  r[5] = c.rate(reads);
  r[6] = quantile(reads, 0.5);
  r[7] = quantile(reads, 0.99);
  const metrics::histogram batch = c.get("put.batch");
  if (batch.count() != 0) r[8] = short_number(batch.mean());
  r[9] = quantile(c.get("log.sync"), 0.99);
  r[10] = quantile(c.lag(), 0.99);
  r[14] = c.cpu();
  return r;
}

std::string summary(const std::vector<node_sight>& now, const std::vector<node_sight>& earlier) {
  const auto leads = [](const node_sight& n) { return n.row.error.empty() && n.row.role == raft::role::leader; };
  const auto leader = std::find_if(now.begin(), now.end(), leads);
  if (leader == now.end()) return "no leader";
  std::string out = "leader " + escaped(leader->row.name) + ", term " + std::to_string(leader->row.term.value()) +
                    ", revision " + grouped(leader->row.revision.value());
  double puts = 0;
  double reads = 0;
  bool known = false;
  for (const node_sight& n : now) {
    const course c(n, same_node(earlier, n));
    if (!c.known() || c.seconds() <= 0) continue;
    known = true;
    // A put that a follower forwards is counted there as well.
    if (leads(n)) puts += static_cast<double>(c.get("put.whole").count()) / c.seconds();
    reads += static_cast<double>(c.get("read.whole").count()) / c.seconds();
  }
  if (known) out += "; " + short_number(puts) + " puts/s, " + short_number(reads) + " reads/s";
  return out;
}

} // namespace

std::vector<std::string> top_frame(const std::vector<node_sight>& now, const std::vector<node_sight>& earlier) {
  std::vector<std::array<std::string, frame_columns>> rows;
  auto& titles = rows.emplace_back();
  std::copy(head.begin(), head.end(), titles.begin());
  for (const node_sight& n : now) rows.push_back(row_of(n, same_node(earlier, n)));
  std::array<std::size_t, frame_columns> widths{};
  for (const auto& r : rows)
    for (std::size_t i = 0; i < frame_columns; ++i) widths[i] = std::max(widths[i], r[i].size());
  const auto reached = std::count_if(now.begin(), now.end(), [](const auto& n) { return n.error.empty(); });
  std::vector<std::string> lines{std::to_string(reached) + " of " + counted(now.size(), "member") + " reached",
                                 summary(now, earlier), ""};
  for (const auto& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < frame_columns; ++i) {
      if (i != 0) line += "  ";
      const std::string gap(widths[i] - r[i].size(), ' ');
      line += i < 2 ? r[i] + gap : gap + r[i];
    }
    lines.push_back(std::move(line));
  }
  for (const node_sight& n : now)
    if (!n.error.empty()) lines.push_back(escaped(n.row.name) + ": " + escaped(n.error));
  return lines;
}

std::string cropped(const std::string& line, std::size_t width) {
  std::size_t seen = 0;
  std::size_t end = 0;
  while (end < line.size()) {
    const bool begins = (static_cast<unsigned char>(line[end]) & 0xc0) != 0x80;
    if (begins && seen++ == width) break;
    ++end;
  }
  return line.substr(0, end);
}

} // namespace quorumd::cli
