#include "daemon/node/reply_estimate.hpp"

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::node {
namespace {

struct estimate {
  const kv::store& store;
  std::size_t bytes = 0;

  void one(std::string_view key) {
    const auto found = store.range({.key = key});
    if (found && !found->kvs.empty()) bytes += kv::item_bytes(found->kvs.front());
  }
  void some(std::string_view key, std::string_view range_end) {
    if (range_end.empty())
      one(key);
    else
      bytes += kv::reply_bytes_max;
  }
  void all(const std::vector<kv::operation>& list) {
    for (const kv::operation& o : list) std::visit([this](const auto& body) { (*this)(body); }, o.what);
  }

  void operator()(const kv::put& p) {
    if (p.prev_kv) one(p.key);
  }
  void operator()(const kv::delete_range& d) {
    if (d.prev_kv) some(d.key, d.range_end);
  }
  void operator()(const kv::range_request& r) {
    if (!r.count_only) some(r.key, r.range_end);
  }
  void operator()(const kv::txn& t) { // one of the two runs
    estimate success{store};
    estimate failure{store};
    success.all(t.success);
    failure.all(t.failure);
    bytes += std::max(success.bytes, failure.bytes);
  }
  template <class Other> // has nothing of the store in its answer
  void operator()(const Other&) {}
};

} // namespace

std::size_t estimate_reply(const kv::store& s, const kv::command& c) {
  estimate e{s};
  std::visit([&](const auto& body) { e(body); }, c);
  return std::min(e.bytes, std::max(kv::reply_bytes_max, kv::request_bytes_max));
}

} // namespace quorumd::node
