#pragma once

#include "daemon/node/request.hpp"

#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::node {

/// Answers requests and remembers whom to flush at the end of the turn. Belongs to the group's loop.
class sink_set {
 public:
  void wrote(const reply_to& to, const kv::result<kv::reply>& r) {
    if (touch(to)) to.sink->wrote(to, r);
  }
  void ranged(const reply_to& to, const kv::result<kv::range_reply>& r) {
    if (touch(to)) to.sink->ranged(to, r);
  }
  void failed(const reply_to& to, request_errc why, std::string_view detail = {}) {
    if (touch(to)) to.sink->failed(to, why, detail);
  }

  /// The sink has an answer that it made itself: it leaves with the others.
  void add(reply_sink& s) {
    if (std::exchange(s.touched_, true)) return;
    touched_.push_back(&s);
  }

  void flush() {
    for (reply_sink* s : touched_) {
      s->touched_ = false;
      s->flush();
    }
    touched_.clear();
  }

 private:
  /// Whether anybody waits for the answer: the node's own commands have no sink.
  bool touch(const reply_to& to) {
    if (to.sink == nullptr) return false;
    add(*to.sink);
    return true;
  }

  std::vector<reply_sink*> touched_;
};

} // namespace quorumd::node
