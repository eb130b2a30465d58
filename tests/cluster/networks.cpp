#include "tests/cluster/networks.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace quorumd::testing {
namespace {

constexpr const char* ip_program = "/sbin/ip";
constexpr const char* own_namespace = "/proc/thread-self/ns/net";

int own_network() {
  return ::open(own_namespace, O_RDONLY | O_CLOEXEC);
}

std::string link_to(std::size_t i) {
  return "to" + std::to_string(i);
}

std::string address(std::size_t i, const char* last) {
  return "10.77." + std::to_string(i) + "." + last;
}

} // namespace

networks::networks(std::size_t nodes) {
  try {
    make(nodes);
  } catch (const std::exception& e) {
    why_not_ = e.what();
  }
}

networks::~networks() {
  if (home_ >= 0) {
    ::setns(home_, CLONE_NEWNET);
    ::close(home_);
  }
  for (const host& h : hosts_) ::close(h.network);
}

bool networks::made() const {
  if (!why_not_.empty()) MESSAGE("skipped: network namespaces take root, CAP_SYS_ADMIN and iproute2: " << why_not_);
  return why_not_.empty();
}

void networks::make(std::size_t nodes) {
  if (::access(ip_program, X_OK) != 0) throw std::runtime_error(std::string("there is no ") + ip_program);
  home_ = own_network();
  // The nodes' first, so that this thread ends in the one between them.
  for (std::size_t i = 0; i <= nodes; ++i) {
    if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error(std::string("unshare: ") + std::strerror(errno));
    if (i < nodes) hosts_.push_back({address(i, "2"), own_network()});
  }
  std::ofstream forward("/proc/sys/net/ipv4/ip_forward");
  if (!(forward << "1" << std::flush)) throw std::runtime_error("cannot write /proc/sys/net/ipv4/ip_forward");
  ip({"link", "set", "lo", "up"});
  for (std::size_t i = 0; i < nodes; ++i) connect(i);
}

void networks::connect(std::size_t i) {
  const int there = hosts_[i].network;
  ip({"link", "add", link_to(i), "type", "veth", "peer", "name", "eth0", "netns",
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(there)});
  ip({"address", "add", address(i, "1/24"), "dev", link_to(i)});
  ip({"link", "set", link_to(i), "up"});
  ip({"link", "set", "lo", "up"}, there);
  ip({"address", "add", address(i, "2/24"), "dev", "eth0"}, there);
  ip({"link", "set", "eth0", "up"}, there);
  ip({"route", "add", "default", "via", address(i, "1")}, there);
}

void networks::ip(std::vector<std::string> words, std::optional<int> within) {
  std::filesystem::create_directories(QUORUMD_CLUSTER_FOLDER);
  const std::string said = std::string(QUORUMD_CLUSTER_FOLDER) + "/ip." + std::to_string(::getpid());
  launch l;
  l.arguments = std::move(words);
  l.arguments.insert(l.arguments.begin(), ip_program);
  l.errors = said;
  l.network = within;
  process p(l);
  const auto code = p.wait(seconds(10));
  const std::string errors = read_file(said);
  std::filesystem::remove(said);
  if (code == 0) return;
  std::string command;
  for (const std::string& w : l.arguments) command += w + " ";
  throw std::runtime_error(command + "failed: " + errors);
}

void networks::drop(std::size_t from, std::size_t to) {
  const std::string preference = std::to_string(100 + from * hosts_.size() + to);
  ip({"rule", "add", "preference", preference, "iif", link_to(from), "to", hosts_[to].ip, "blackhole"});
  dropped_.push_back(preference);
}

void networks::cut(std::size_t one, std::size_t other) {
  drop(one, other);
  drop(other, one);
}

void networks::isolate(std::size_t i) {
  for (std::size_t other = 0; other < hosts_.size(); ++other)
    if (other != i) cut(i, other);
}

void networks::heal() {
  for (const std::string& preference : dropped_) ip({"rule", "del", "preference", preference});
  dropped_.clear();
}

bool networks::reaches(std::size_t from, const place& to) const {
  launch l;
  l.arguments = {quorumd_program(), "health", "--timeout", "1s", "--endpoint", to.ip + ":" + std::to_string(to.port)};
  l.network = hosts_[from].network;
  process p(l);
  return p.wait(seconds(10)) == 0;
}

} // namespace quorumd::testing
