#include "daemon/cli/bench.hpp"

#include "daemon/cli/json.hpp"
#include "daemon/cli/text.hpp"

#include <cstdio>

namespace quorumd::cli {
namespace {

double microseconds(std::uint64_t ns) {
  return static_cast<double>(ns) / 1000.0;
}

} // namespace

const char* name_of(bench_op op) {
  switch (op) {
  case bench_op::put:
    return "put";
  case bench_op::get:
    return "get";
  default:
    return "mixed";
  }
}

std::string bench_text(const bench_options& o, const bench_result& r) {
  char line[400];
  const auto us = [&](double q) { return microseconds(r.latency_ns.quantile(q)); };
  std::snprintf(line, sizeof line,
                "  %s operations a second, %.3f seconds\n"
                "  latency in us: p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n",
                grouped(static_cast<std::uint64_t>(r.ops_per_second())).c_str(), r.seconds, us(0.5), us(0.9), us(0.99),
                us(0.999), microseconds(r.latency_ns.max()));
  std::string out = std::string(name_of(o.op)) + ": " + counted(o.total, "operation") + " of " +
                    counted(o.value_size, "byte") + ", " + counted(o.clients, "client") + " over " +
                    counted(o.connections, "connection");
  if (o.rate != 0) out += ", open loop at " + grouped(o.rate) + "/s";
  return out + "\n" + line + "  " + counted(r.errors, "error") + "\n";
}

std::string bench_json(const bench_options& o, const bench_result& r) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("op").text(name_of(o.op)).key("clients").number(o.clients);
  w.key("connections").number(o.connections).key("total").number(o.total).key("seconds").number(r.seconds, 6);
  w.key("ops_per_second").number(r.ops_per_second(), 1).key("latency_us").begin_object();
  w.key("p50").number(microseconds(r.latency_ns.quantile(0.5)), 1);
  w.key("p90").number(microseconds(r.latency_ns.quantile(0.9)), 1);
  w.key("p99").number(microseconds(r.latency_ns.quantile(0.99)), 1);
  w.key("p999").number(microseconds(r.latency_ns.quantile(0.999)), 1);
  w.key("max").number(microseconds(r.latency_ns.max()), 1).end_object();
  w.key("errors").number(r.errors).end_object();
  return out + "\n";
}

bool bench_schedule::take(std::uint64_t now_ns, start& out) {
  if (exhausted()) return false;
  if (rate_ == 0) {
    out = {shared_++, now_ns};
    return true;
  }
  const std::uint64_t when = intended(next_);
  if (when > now_ns) return false;
  out = {next_, when};
  next_ += step_;
  return true;
}

} // namespace quorumd::cli
