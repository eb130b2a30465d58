#include "tests/sim/overrides.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <span>
#include <vector>

namespace quorumd::sim {
namespace {

constexpr std::uint64_t number_max = 1'000'000; // of faults in a list, or milliseconds

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n > number_max) return std::nullopt;
  return n;
}

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> all;
  for (;;) {
    const std::size_t comma = list.find(',');
    all.push_back(list.substr(0, comma));
    if (comma == std::string_view::npos) return all;
    list.remove_prefix(comma + 1);
  }
}

std::string join(std::span<const std::string_view> names) {
  std::string s;
  for (const std::string_view n : names) s += (s.empty() ? "" : ", ") + std::string(n);
  return s;
}

std::string take_numbers(std::string_view list, std::set<std::uint64_t>& into) {
  for (const std::string_view one : split(list)) {
    const std::size_t dash = one.find('-');
    const auto from = number(one.substr(0, dash));
    const auto to = dash == std::string_view::npos ? from : number(one.substr(dash + 1));
    if (!from || !to || *from == 0 || *from > *to) return quoted(one) + " is no number of a fault, and no range as 3-7";
    for (std::uint64_t n = *from; n <= *to; ++n) into.insert(n);
  }
  return {};
}

std::string take_names(std::string_view list, std::span<const std::string_view> known,
                       const std::function<void(std::size_t)>& taken) {
  for (const std::string_view one : split(list)) {
    const auto at = std::find(known.begin(), known.end(), one);
    if (at == known.end()) return quoted(one) + " is none of: " + join(known);
    taken(static_cast<std::size_t>(at - known.begin()));
  }
  return {};
}

/// Which things a run can be without: the kinds of faults, then the others.
std::vector<std::string_view> all_things() {
  std::vector<std::string_view> all(fault_names.begin(), fault_names.end());
  all.insert(all.end(), other_things.begin(), other_things.end());
  return all;
}

std::string take_between(std::string_view value, std::uint64_t low, std::uint64_t high,
                         std::optional<std::uint64_t>& into) {
  const auto n = number(value);
  if (!n || *n < low || *n > high)
    return quoted(value) + " is no number from " + std::to_string(low) + " to " + std::to_string(high);
  into = n;
  return {};
}

void make_plain(plan& p, std::string_view part) {
  const plan usual;
  if (part == "costs") {
    p.step_cost = usual.step_cost;
    p.visit_cost = usual.visit_cost;
  } else if (part == "network") {
    const std::size_t line = p.network.bytes_a_second;
    p.network = usual.network;
    p.network.bytes_a_second = line;
  } else if (part == "lines") {
    p.network.bytes_a_second = usual.network.bytes_a_second;
  } else if (part == "workers") {
    p.log_worker = usual.log_worker;
    p.prepare_worker = usual.prepare_worker;
    p.snapshot_worker = usual.snapshot_worker;
  } else if (part == "log") {
    const storage::mutant mutant = p.wal.mutant;
    p.wal = usual.wal;
    p.wal.mutant = mutant;
    p.wal.segment_bytes = std::size_t{1} << 20; // the disks are in memory
    p.wal.reserve_bytes = 65536;
  } else if (part == "consensus") {
    const raft::mutant mutant = p.group.raft.mutant;
    p.group.raft = usual.group.raft;
    p.group.raft.mutant = mutant;
  } else if (part == "node") {
    node::group_options o = usual.group;
    o.raft = p.group.raft;
    o.bugs = p.group.bugs;
    o.snapshots = p.group.snapshots;
    o.transfers = p.group.transfers;
    o.leases = p.group.leases;
    p.group = o;
  } else if (part == "snapshots") {
    const std::uint64_t every = p.group.snapshots.every_entries; // else there are none in so short a log
    p.group.snapshots = usual.group.snapshots;
    p.group.snapshots.every_entries = every;
    p.group.transfers = usual.group.transfers;
  } else if (part == "streams") {
    const bool bulk_first = p.transport.bulk_first;
    p.transport = usual.transport;
    p.transport.bulk_first = bulk_first;
  }
}

} // namespace

std::string quoted(std::string_view typed) {
  return "'" + std::string(typed) + "'";
}

bool overrides::any() const {
  return !without.kinds.empty() || !without.numbers.empty() || !without_others.empty() || !plain.empty() || clients ||
         nodes || trouble;
}

void overrides::apply(plan& p) const {
  for (const std::string_view part : plain) make_plain(p, part);
  if (without.kinds.contains(fault_kind::change)) p.spares = 0;
  if (without_others.contains("flips")) p.flips_a_start = 0;
  if (without_others.contains("leases")) p.load.leases = 0;
  if (without_others.contains("watches")) p.load.watchers = 0;
  if (clients) p.load.clients = *clients;
  p.load.session_clients = without_others.contains("sessions") ? 0 : std::min(p.load.session_clients, p.load.clients);
  if (nodes) p.nodes = *nodes;
  if (trouble) p.trouble = *trouble;
}

std::string overrides::text() const {
  std::string s;
  std::vector<std::string_view> names(without_others.begin(), without_others.end());
  for (const fault_kind k : without.kinds) names.push_back(name_of(k));
  const auto list = [&s](const char* option, const std::vector<std::string_view>& of) {
    for (std::size_t i = 0; i < of.size(); ++i) s += (i == 0 ? std::string(option) : ",") + std::string(of[i]);
  };
  list(" --without ", names);
  list(" --plain ", {plain.begin(), plain.end()});
  if (nodes) s += " --nodes " + std::to_string(*nodes);
  if (clients) s += " --clients " + std::to_string(*clients);
  if (trouble) s += " --trouble-ms " + std::to_string(trouble->count());
  if (!without.numbers.empty()) s += " --skip " + text_of(without.numbers);
  return s;
}

std::optional<std::string> overrides::take(std::string_view option, std::string_view value) {
  if (option == "without")
    return take_names(value, all_things(), [this](std::size_t i) {
      if (i < fault_names.size())
        without.kinds.insert(static_cast<fault_kind>(i));
      else
        without_others.insert(other_things[i - fault_names.size()]);
    });
  if (option == "plain") return take_names(value, plan_parts, [this](std::size_t i) { plain.insert(plan_parts[i]); });
  if (option == "skip") return take_numbers(value, without.numbers);
  if (option == "clients") return take_between(value, 1, 64, clients);
  if (option == "nodes") return take_between(value, 1, 7, nodes);
  if (option != "trouble-ms") return std::nullopt;
  std::optional<std::uint64_t> ms;
  std::string wrong = take_between(value, 1, number_max, ms);
  if (ms) trouble = std::chrono::milliseconds(*ms);
  return wrong;
}

std::string text_of(const std::set<std::uint64_t>& numbers) {
  std::string s;
  for (auto at = numbers.begin(); at != numbers.end();) {
    const std::uint64_t first = *at;
    std::uint64_t last = first;
    for (++at; at != numbers.end() && *at == last + 1; ++at) ++last;
    s += (s.empty() ? "" : ",") + std::to_string(first);
    if (last != first) s += "-" + std::to_string(last);
  }
  return s;
}

} // namespace quorumd::sim
