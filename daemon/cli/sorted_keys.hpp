#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::cli {

/// Keys in another order than the store's, from pages in the store's order: all of them, or the first so many, of which
/// no more than twice as many are held. Equal ones keep the order of keys.
class sorted_keys {
 public:
  /// `limit` 0: all.
  sorted_keys(kv::sort_target by, kv::sort_order order, std::uint64_t limit)
      : by_(by)
      , descending_(order == kv::sort_order::descend)
      , limit_(limit) {}

  void add(const kv::key_value_view& v);
  /// In their order; views into this object.
  [[nodiscard]] std::vector<kv::key_value_view> take();

 private:
  struct item {
    std::string key;
    std::string value;
    kv::key_value_view view; ///< without its key and value, which may move
    std::uint64_t place = 0;
  };
  [[nodiscard]] bool before(const item& a, const item& b) const;
  void cut();

  kv::sort_target by_;
  bool descending_;
  std::uint64_t limit_;
  std::uint64_t added_ = 0;
  std::vector<item> items_;
};

} // namespace quorumd::cli
