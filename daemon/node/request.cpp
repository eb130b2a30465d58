#include "daemon/node/request.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/codec/command_codec.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::node {
namespace {

bool may_grow(const kv::txn& t);

bool may_grow(const std::vector<kv::operation>& list) {
  return std::any_of(list.begin(), list.end(), [](const kv::operation& o) {
    if (const auto* nested = std::get_if<kv::txn>(&o.what)) return may_grow(*nested);
    return std::holds_alternative<kv::put>(o.what);
  });
}

bool may_grow(const kv::txn& t) {
  return may_grow(t.success) || may_grow(t.failure);
}

bool answers_much(const std::vector<kv::operation>& list);

struct much {
  bool operator()(const kv::put& p) const { return p.prev_kv; }
  bool operator()(const kv::delete_range& d) const { return d.prev_kv; }
  bool operator()(const kv::range_request& r) const { return !r.count_only; }
  bool operator()(const kv::txn& t) const { return answers_much(t.success) || answers_much(t.failure); }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

bool answers_much(const std::vector<kv::operation>& list) {
  return std::any_of(list.begin(), list.end(), [](const kv::operation& o) { return std::visit(much(), o.what); });
}

} // namespace

read_under_way::read_under_way(kv::store& s, const read_request& r)
    : range_(r.range) {
  if (r.transaction.empty()) {
    reading_.emplace(s, range_);
    return;
  }
  auto decoded = kv::decode_command(r.transaction);
  QUORUMD_INVARIANT(decoded && std::holds_alternative<kv::txn>(decoded->what),
                    "this node encoded the transaction itself");
  transaction_ = std::move(decoded->what);
  reading_.emplace(s, std::get<kv::txn>(transaction_));
}

bool answers_much(const kv::command& c) {
  return std::visit(much(), c);
}

bool may_grow(const kv::command& c) {
  if (const auto* t = std::get_if<kv::txn>(&c)) return may_grow(*t);
  return std::holds_alternative<kv::put>(c) || std::holds_alternative<kv::grant_lease>(c);
}

const char* describe(request_errc code) {
  switch (code) {
  case request_errc::none:
    return "no error";
  case request_errc::not_leader:
    return "this node does not lead and cannot reach the leader; nothing was changed";
  case request_errc::overloaded:
    return "too many requests are waiting; nothing was changed, try again later";
  case request_errc::not_applied:
    return "the leader changed and the request was dropped; nothing was changed, try again";
  case request_errc::unknown:
    return "the outcome was not learned within the deadline or the leader was lost: it may or may not have been "
           "applied";
  case request_errc::timeout:
    return "the deadline passed before the request was served; nothing was changed";
  case request_errc::no_quorum:
    return "no leader with a quorum behind it was found in time; nothing was changed";
  case request_errc::no_space:
    return "there is no room: only deletes and compactions are taken until there is";
  case request_errc::invalid:
    return "the request contradicts itself; nothing was changed";
  case request_errc::denied:
    return "not for these credentials";
  case request_errc::too_large:
    return "the request is beyond a limit; nothing was changed";
  case request_errc::shutting_down:
    return "this node is stopping; nothing was changed, ask another one";
  case request_errc::store:
    return "the store refused it";
  case request_errc::internal:
    return "this node cannot go on";
  case request_errc::refused:
    return "it would be unsafe or out of place now; nothing was changed";
  case request_errc::corrupt:
    return "this node's state differs from that of the other members: it serves nothing, ask another";
  }
  return "unknown error";
}

} // namespace quorumd::node
