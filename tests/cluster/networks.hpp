#pragma once

#include "tests/cluster/cluster.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::testing {

/// A network namespace for each node, and one between them, which forwards and in which the thread that made this
/// object is until the object ends: with all processes that it starts meanwhile, and they reach every node. The
/// namespaces have no names and end with those who are in them; nothing outside is touched.
class networks {
 public:
  explicit networks(std::size_t nodes);
  networks(const networks&) = delete;
  networks& operator=(const networks&) = delete;
  ~networks();

  /// False where the machine does not permit it, and the reason is printed.
  [[nodiscard]] bool made() const;
  [[nodiscard]] const std::vector<host>& hosts() const { return hosts_; }

  /// From now on what one node sends to another is lost, and neither is told.
  void drop(std::size_t from, std::size_t to);
  void cut(std::size_t one, std::size_t other);
  /// Both ways between the node and every other one.
  void isolate(std::size_t i);
  void heal();
  /// Whether a node that is healthy answers so to somebody on the other one's host.
  [[nodiscard]] bool reaches(std::size_t from, const place& to) const;

 private:
  void make(std::size_t nodes);
  void connect(std::size_t i);
  void ip(std::vector<std::string> words, std::optional<int> within = std::nullopt);

  std::string why_not_;
  int home_ = -1;
  std::vector<host> hosts_;
  std::vector<std::string> dropped_; ///< the preferences of the rules
};

} // namespace quorumd::testing
