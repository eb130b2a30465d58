#include "tests/sim/checkers/history.hpp"

namespace quorumd::sim {
namespace {

const char* name(outcome o) {
  switch (o) {
  case outcome::ok:
    return "ok";
  case outcome::not_applied:
    return "not applied";
  case outcome::compacted:
    return "compacted";
  case outcome::unknown:
    return "unknown";
  }
  return "?";
}

const char* name(operation::kind k) {
  switch (k) {
  case operation::kind::write:
    return "write";
  case operation::kind::read:
    return "read";
  case operation::kind::stale_read:
    return "stale read";
  case operation::kind::compact:
    return "compact";
  case operation::kind::grant:
    return "grant";
  }
  return "?";
}

/// Values are filled up with dots, up to any length.
std::string shown(const std::string& value) {
  constexpr std::size_t most = 16;
  if (value.size() <= most) return value;
  return value.substr(0, most) + " (" + std::to_string(value.size()) + " bytes)";
}

std::string describe(const action& a) {
  const std::string range = a.end.empty() ? a.key : a.key + ".." + a.end;
  switch (a.what) {
  case action::kind::put:
    return "put " + a.key + "=" + shown(a.value) + (a.lease == 0 ? "" : " of lease " + std::to_string(a.lease));
  case action::kind::erase:
    return "delete " + range;
  case action::kind::get:
    return "get " + range + (a.revision == 0 ? "" : " at " + std::to_string(a.revision));
  case action::kind::revoke:
    return "revoke lease " + std::to_string(a.lease);
  }
  return "?";
}

} // namespace

bool operation::made_revision() const {
  if (what != kind::write || result != outcome::ok) return false;
  const std::vector<action>& actions = ran();
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].what == action::kind::put) return true;
    if (actions[i].what == action::kind::erase && i < results.size() && results[i].deleted != 0) return true;
  }
  return false;
}

std::string describe(const operation& o) {
  std::string s = "operation " + std::to_string(o.id) + " of client " + std::to_string(o.client) + " (" + name(o.what) +
                  ", " + name(o.result) + ", moments " + std::to_string(o.invoked) + " to " +
                  std::to_string(o.returned) + ", revision " + std::to_string(o.revision) + "):";
  if (o.what == operation::kind::compact) s += " compact to " + std::to_string(o.compact_to);
  if (o.what == operation::kind::grant)
    s += " lease " + std::to_string(o.lease) + " for " + std::to_string(o.ttl_s) + " s";
  if (!o.conditions.empty()) s += o.succeeded ? " if true:" : " if false:";
  for (const action& a : o.ran()) s += " " + describe(a) + ";";
  for (const action_result& r : o.results)
    for (const seen_key& k : r.kvs)
      s += " [" + k.key + "=" + shown(k.value) + " mod " + std::to_string(k.mod_revision) + " version " +
           std::to_string(k.version) + "]";
  return s;
}

} // namespace quorumd::sim
