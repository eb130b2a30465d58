#pragma once

#include "consensus/raft/message.hpp"
#include "consensus/types/configuration.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::model {

/// Writes numbers one behind the other so that what differs is written differently, if the same things are written in
/// the same order: a small number takes one byte.
class key {
 public:
  void add(std::uint64_t n) {
    if (n < wide) {
      bytes_.push_back(static_cast<char>(n));
      return;
    }
    bytes_.push_back(static_cast<char>(wide));
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(n >> (8 * i)));
  }
  template <class Tag>
  void add(strong_u64<Tag> n) {
    add(n.value());
  }
  void add(const std::vector<node_id>& ids) {
    add(ids.size());
    for (const node_id n : ids) add(n);
  }
  void add(const configuration& c) {
    add(c.voters);
    add(c.outgoing);
    add(c.learners);
  }
  void add(const entry& e);
  void add(const raft::message& m);

  [[nodiscard]] std::string& bytes() { return bytes_; }

 private:
  static constexpr std::uint64_t wide = 0xff;
  std::string bytes_;
};

} // namespace quorumd::model
