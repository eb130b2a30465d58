#include "tests/cluster/cluster.hpp"

#include "config/identity.hpp"
#include "tests/cluster/shim/journal.hpp"
#include "tests/cluster/shim/power_cut.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <stdexcept>
#include <utility>

namespace quorumd::testing {
namespace {

/// 127.x.y.z, of the test and the process.
std::string address_of(const std::string& name) {
  std::uint64_t h = 14695981039346656037ULL ^ static_cast<std::uint64_t>(::getpid());
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  h ^= h >> 29;
  return "127." + std::to_string(1 + h % 253) + "." + std::to_string(h / 253 % 256) + "." +
         std::to_string(1 + h / 64768 % 253);
}

std::string last_lines(const std::string& text, std::size_t count) {
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= count && at != std::string::npos && at != 0; ++i) at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

/// Whether the state of each thread, which stands behind its name in parentheses, is `T`.
bool every_thread_stopped(pid_t pid) {
  const std::filesystem::directory_iterator threads("/proc/" + std::to_string(pid) + "/task");
  return std::all_of(begin(threads), end(threads), [](const std::filesystem::directory_entry& t) {
    const std::string stat = read_file(t.path() / "stat");
    const std::size_t at = stat.rfind(") ");
    return at != std::string::npos && stat.substr(at + 2, 1) == "T";
  });
}

/// What may differ between two runs of a test keeps a number that no other has.
unsigned next_number() {
  static unsigned n = 0;
  return ++n;
}

} // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string quorumd_program() {
  const char* other = std::getenv("CLUSTER_PROGRAM");
  return other == nullptr ? QUORUMD_PROGRAM : other;
}

cluster::cluster(const std::string& name, cluster_options o)
    : options_(std::move(o))
    , cluster_name_(name)
    , ip_(address_of(name))
    , folder_(std::string(QUORUMD_CLUSTER_FOLDER) + "/" + name + "." + std::to_string(::getpid()) + "." +
              std::to_string(next_number())) {
  std::filesystem::create_directories(folder_);
  data_root_ = options_.data_root.empty() ? folder_ : options_.data_root;
  char sockets[] = "/tmp/quorumd-XXXXXX"; // a socket's path must be short
  if (::mkdtemp(sockets) == nullptr) throw std::runtime_error("mkdtemp failed");
  sockets_ = sockets;
  std::filesystem::permissions(sockets_, std::filesystem::perms(0755));
  nodes_.resize(options_.nodes + options_.spares);
  for (std::size_t i = 0; i < size(); ++i)
    write_file(node_name(i) + ".yaml",
               config_text(i, i < options_.nodes ? member_lines() : std::vector<std::string>(), cluster_name_));
  if (options_.moved_clocks)
    for (std::size_t i = 0; i < size(); ++i) nodes_[i].clock = std::make_unique<moved_clock>(clock_file(i));
  if (!options_.proxied) return;
  std::vector<proxy::member> members;
  for (std::size_t i = 0; i < size(); ++i)
    members.push_back(
        {.listen = {ip_, port(i, 3)}, .target = peer_place(i), .id = config::node_id_of(cluster_name_, node_name(i))});
  proxy_ = std::make_unique<proxy>(std::move(members));
}

cluster::~cluster() {
  for (node_state& n : nodes_)
    if (n.daemon) n.daemon->kill();
  std::error_code ignored;
  std::filesystem::remove_all(sockets_, ignored);
  if (std::uncaught_exceptions() != 0)
    tell_of_failure();
  else
    std::filesystem::remove_all(folder_, ignored);
}

void cluster::tell_of_failure() const {
  std::cerr << "The cluster's folder is kept: " << folder_ << '\n';
  for (std::size_t i = 0; i < size(); ++i)
    std::cerr << "--- the end of " << node_name(i) << ".log\n" << last_lines(log(i), 12);
}

std::vector<std::string> cluster::member_lines() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < options_.nodes; ++i)
    lines.push_back(node_name(i) + ": " + ip(i) + ":" + std::to_string(port(i, options_.proxied ? 3 : 2)));
  return lines;
}

std::string cluster::config_text(std::size_t i, const std::vector<std::string>& lines,
                                 const std::string& cluster_name) const {
  std::string text =
      "node:\n  name: " + node_name(i) + "\n  data_dir: " + data(i) + "\ncluster:\n  name: " + cluster_name + "\n";
  text += lines.empty() ? "  join: " + endpoint(0) + "\n" : "  members:\n";
  for (const std::string& line : lines) text += "    " + line + "\n";
  text += "listen:\n  peer: " + ip(i) + ":" + std::to_string(port(i, 2)) + "\n  client: " + endpoint(i) +
          "\n  admin: " + socket(i) + "\n";
  if (options_.proxied) text += "advertise:\n  peer: " + ip_ + ":" + std::to_string(port(i, 3)) + "\n";
  return text;
}

std::string cluster::write_file(const std::string& name, const std::string& content) const {
  std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
  return folder_ + "/" + name;
}

std::string cluster::endpoint(std::size_t i) const {
  return ip(i) + ":" + std::to_string(port(i, 1));
}

std::string cluster::endpoints() const {
  std::string all;
  for (std::size_t i = 0; i < size(); ++i) all += (i == 0 ? "" : ",") + endpoint(i);
  return all;
}

std::string cluster::log(std::size_t i) const {
  return read_file(folder_ + "/" + node_name(i) + ".log");
}

bool cluster::logged_within(std::size_t i, const std::string& text, milliseconds at_most) const {
  return eventually([&] { return logged(i, text); }, at_most);
}

void cluster::start(std::size_t i, const std::vector<std::string>& set) {
  launch l;
  l.arguments = {nodes_[i].program, "serve", "--config", config(i)};
  for (const std::vector<std::string>* list : {&std::as_const(options_.set), &set})
    for (const std::string& s : *list) {
      l.arguments.emplace_back("--set");
      l.arguments.push_back(s);
    }
  l.output = l.errors = folder_ + "/" + node_name(i) + ".log";
  l.files_max = options_.files_max;
  l.file_bytes = options_.file_bytes;
  if (!options_.groups.empty()) l.control_group = options_.groups[i];
  if (!options_.hosts.empty()) l.network = options_.hosts[i].network;
#ifdef QUORUMD_POWER_SHIM
  if (options_.lose_unsynced) {
    std::filesystem::remove_all(side(i));
    std::filesystem::create_directories(side(i));
    l.environment = {std::string("LD_PRELOAD=") + QUORUMD_POWER_SHIM, std::string(shim::variable_data) + "=" + data(i),
                     std::string(shim::variable_side) + "=" + side(i)};
    if (lie_) l.environment.push_back(std::string(shim::variable_lie) + "=1");
    if (!nodes_[i].moment.empty()) l.environment.push_back(std::string(shim::variable_moment) + "=" + nodes_[i].moment);
  }
#endif
#ifdef QUORUMD_CLOCK_SHIM
  if (options_.moved_clocks) l.environment = moved_clock::environment(clock_file(i));
#endif
  nodes_[i].daemon = std::make_unique<process>(l);
  nodes_[i].paused = false;
}

void cluster::start_all() {
  for (std::size_t i = 0; i < size(); ++i) start(i);
}

void cluster::lose(std::size_t i, std::uint64_t seed) {
  if (!options_.lose_unsynced) return;
  const shim::loss l = shim::power_cut(side(i), seed);
  std::ofstream(folder_ + "/" + node_name(i) + ".log", std::ios::app)
      << "--- power cut: " << l.writes << " writes and " << l.names << " names were not durable\n";
}

void cluster::kill(std::size_t i, std::uint64_t seed) {
  node(i).kill();
  lose(i, seed);
}

void cluster::arm(std::size_t i) {
  std::ofstream(side(i) + "/" + shim::armed_name) << "armed\n";
}

void cluster::wait_death(std::size_t i, std::uint64_t seed) {
  const auto code = node(i).wait(seconds(30));
  REQUIRE_MESSAGE(code == 128 + SIGKILL, node_name(i) << " did not die at the moment '" << nodes_[i].moment << "'");
  nodes_[i].moment.clear();
  lose(i, seed);
}

void cluster::kill_all(std::uint64_t seed) {
  for (node_state& n : nodes_) n.daemon->signal(SIGKILL);
  for (std::size_t i = 0; i < size(); ++i) {
    node(i).kill();
    lose(i, seed);
  }
}

int cluster::stop(std::size_t i) {
  node(i).signal(SIGTERM);
  const auto code = node(i).wait(seconds(30));
  REQUIRE_MESSAGE(code.has_value(), node_name(i) << " still runs 30 s after SIGTERM");
  return *code;
}

void cluster::pause(std::size_t i) {
  node(i).signal(SIGSTOP);
  nodes_[i].paused = true;
  // The signal reaches thread after thread; a running one goes on for a moment.
  const bool stopped = eventually([&] { return every_thread_stopped(node(i).pid()); }, seconds(10));
  REQUIRE(stopped);
}

void cluster::resume(std::size_t i) {
  node(i).signal(SIGCONT);
  nodes_[i].paused = false;
}

bool cluster::running(std::size_t i) {
  return nodes_[i].daemon && !nodes_[i].paused && node(i).running();
}

std::size_t cluster::wait_leader(milliseconds at_most, std::size_t other_than) {
  std::size_t found = none;
  const auto look = [&] {
    std::vector<std::optional<client::status_row>> rows(size());
    for (std::size_t i = 0; i < size(); ++i)
      if (running(i)) rows[i] = status(i);
    for (std::size_t i = 0; i < size(); ++i) {
      if (!rows[i] || rows[i]->role != raft::role::leader || i == other_than) continue;
      const auto follows = [&](const auto& r) { return r && r->leader == rows[i]->id && r->term == rows[i]->term; };
      if (static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), follows)) > size() / 2) found = i;
    }
    return found != none;
  };
  const bool elected = eventually(look, at_most);
  REQUIRE_MESSAGE(elected, "no leader with a majority within " << at_most.count() << " ms");
  return found;
}

std::size_t cluster::follower() {
  return (wait_leader() + 1) % size();
}

void cluster::wait_healthy(std::size_t i, milliseconds at_most) {
  const auto serves = [&] {
    raw_connection c(client_place(i));
    wire::byte_buffer out;
    client::encode_request(out, 1, seconds(1), client::health_request{});
    if (!c.connected() || !c.send(out)) return false;
    const auto reply = c.receive(seconds(2));
    if (!reply) return false;
    const auto* h = std::get_if<client::health_reply>(&reply->body);
    return h != nullptr && h->serving;
  };
  const bool healthy = eventually(serves, at_most);
  REQUIRE_MESSAGE(healthy, node_name(i) << " serves no linearizable read within " << at_most.count() << " ms");
}

void cluster::wait_all_healthy() {
  for (std::size_t i = 0; i < size(); ++i) wait_healthy(i);
}

void cluster::wait_keys(std::size_t i, std::uint64_t at_least) {
  const auto there = [&] {
    const auto row = status(i);
    return row && row->keys >= at_least;
  };
  const bool arrived = eventually(there, seconds(60));
  REQUIRE_MESSAGE(arrived, node_name(i) << " has not " << at_least << " keys within a minute");
}

void cluster::check_all_hold(const std::vector<word>& words) {
  wait_all_healthy();
  const auto leader = status(wait_leader());
  REQUIRE(leader.has_value());
  const std::uint64_t r = leader->revision.value();
  std::string first;
  for (std::size_t i = 0; i < size(); ++i) {
    const bool applied = eventually(
        [&] {
          const auto row = status(i);
          return row && row->revision.value() >= r;
        },
        seconds(30));
    REQUIRE_MESSAGE(applied, node_name(i) << " has not applied revision " << r << " within 30 s");
    const command_result own = at(i, {"export", "--stale", "--revision", std::to_string(r)});
    REQUIRE_MESSAGE(own.code == 0, own.errors);
    if (i == 0) first = own.output;
    const bool equal = own.output == first;
    REQUIRE_MESSAGE(equal, node_name(i) << " exports other keys or values than " << node_name(0));
  }
  const auto lost = missing(words, first);
  REQUIRE_MESSAGE(lost.empty(), "acknowledged, and not there: " << (lost.empty() ? "" : lost.front()) << ", ...");
}

command_result cluster::run(const std::vector<std::string>& arguments, const std::string& input) {
  std::vector<std::string> words{quorumd_program()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_other(words, input);
}

command_result cluster::run_other(const std::vector<std::string>& words, const std::string& input) {
  const std::string base = folder_ + "/command." + std::to_string(++commands_);
  launch l;
  l.arguments = words;
  l.output = base + ".out";
  l.errors = base + ".err";
  l.feed = !input.empty();
  process p(l);
  if (!input.empty()) p.feed(input);
  p.end_of_feed();
  const auto code = p.wait(seconds(120));
  REQUIRE_MESSAGE(code.has_value(), words[0] << ' ' << words.at(1) << " did not end within two minutes");
  command_result r{*code, read_file(l.output), read_file(l.errors)};
  std::filesystem::remove(l.output);
  std::filesystem::remove(l.errors);
  return r;
}

launch cluster::beside(const std::string& name, std::vector<std::string> words) const {
  launch l;
  l.arguments = std::move(words);
  l.output = folder_ + "/" + name + ".out";
  l.errors = folder_ + "/" + name + ".err";
  return l;
}

command_result cluster::at(std::size_t i, std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.end(), {"--endpoint", endpoint(i)});
  return run(arguments, input);
}

command_result cluster::anywhere(std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.end(), {"--endpoint", endpoints()});
  return run(arguments, input);
}

namespace {

launch import_launch(const std::string& endpoints, const std::string& output, const std::string& errors,
                     const std::vector<std::string>& more) {
  launch l;
  // What the tests do to the nodes may take longer than an import goes on by itself without progress.
  l.arguments = {quorumd_program(), "import", "-", "--endpoint", endpoints};
  if (std::find(more.begin(), more.end(), "--timeout") == more.end())
    l.arguments.insert(l.arguments.end(), {"--timeout", "60s"});
  l.arguments.insert(l.arguments.end(), more.begin(), more.end());
  l.output = output;
  l.errors = errors;
  l.feed = true;
  return l;
}

} // namespace

command_result done(command_result r) {
  REQUIRE_MESSAGE(r.code == 0, r.output << r.errors);
  return r;
}

std::string at_peer(cluster& c, std::size_t i) {
  return c.node_name(i) + "=" + c.peer_place(i).ip + ":" + std::to_string(c.peer_place(i).port);
}

import_run::import_run(cluster& c, const std::vector<std::string>& more)
    : output_(c.folder() + "/import." + std::to_string(++c.commands_) + ".out")
    , errors_(output_ + ".err")
    , process_(import_launch(c.endpoints(), output_, errors_, more)) {}

void import_run::feed(const std::vector<word>& words, std::size_t from, std::size_t to) {
  const bool taken = process_.feed(to_lines(words, from, to));
  REQUIRE_MESSAGE(taken, "the import ended early: " << read_file(errors_));
}

command_result import_run::end(milliseconds at_most) {
  process_.end_of_feed();
  const auto code = process_.wait(at_most);
  REQUIRE_MESSAGE(code.has_value(), "the import goes on for more than " << at_most.count() << " ms");
  return {*code, read_file(output_), read_file(errors_)};
}

void import_run::finish(std::size_t expected) {
  const command_result r = end();
  REQUIRE_MESSAGE(r.code == 0, r.errors);
  REQUIRE(r.output == "acknowledged " + std::to_string(expected) + "\n");
}

} // namespace quorumd::testing
