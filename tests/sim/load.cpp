#include "tests/sim/clients.hpp"

#include <algorithm>
#include <array>

namespace quorumd::sim {

// What the clients ask.

std::string clients::draw_key() {
  return "k" + std::to_string(random_.below(plan_.load.keys));
}

action clients::draw_put() {
  std::string value = "v" + std::to_string(next_value_++);
  const std::uint64_t bytes = random_.below(plan_.load.value_bytes_max + 1);
  if (value.size() < bytes) value.resize(bytes, '.');
  return {action::kind::put, draw_key(), {}, std::move(value), 0, draw_lease()};
}

/// One that was granted, and may be revoked since; 0: none.
std::uint64_t clients::draw_lease() {
  if (granted_.empty() || random_.coin()) return 0;
  return granted_[random_.below(granted_.size())];
}

operation clients::draw_of_leases() {
  operation o;
  if (granted_.empty() || random_.below(4) != 0) {
    if (granted_.size() == 6) granted_.erase(granted_.begin()); // it is left to its time
    o.what = operation::kind::grant;
    o.lease = ++leases_asked_;
    o.ttl_s = random_.pick(std::array<std::int64_t, 4>{1, 2, 3, 60});
    return o;
  }
  o.what = operation::kind::write;
  const auto it = granted_.begin() + static_cast<std::ptrdiff_t>(random_.below(granted_.size()));
  o.then.push_back({action::kind::revoke, {}, {}, {}, 0, *it});
  if (random_.below(4) != 0) granted_.erase(it); // else others ask for it in vain
  return o;
}

action clients::draw_range(action::kind what) {
  action a{what, draw_key(), {}, {}, 0};
  switch (random_.below(4)) {
  case 0:
    a = {what, "k", "l", {}, 0};
    break;
  case 1:
    a.end = draw_key();
    break;
  default:
    break;
  }
  if (!a.end.empty() && a.end <= a.key) a.end.clear();
  return a;
}

operation clients::draw_txn() {
  operation o;
  o.what = operation::kind::write;
  condition c;
  c.key = draw_key();
  const auto seen = last_seen_.find(c.key);
  if (seen == last_seen_.end() || random_.below(4) == 0) {
    c.of = condition::target::version; // "if it does not exist"
  } else if (random_.coin()) {
    c.of = condition::target::mod_revision;
    c.number = seen->second.mod_revision;
  } else {
    c.of = condition::target::value;
    c.value = seen->second.value;
  }
  c.equal = random_.below(4) != 0;
  o.conditions.push_back(std::move(c));
  if (random_.coin()) o.then.push_back(draw_range(action::kind::get));
  o.then.push_back(draw_put());
  if (plan_.load.deletes != 0 && random_.coin()) {
    action erase{action::kind::erase, draw_key(), {}, {}, 0};
    if (erase.key != o.then.back().key) o.then.push_back(std::move(erase));
  }
  if (random_.below(3) == 0)
    o.otherwise.push_back(draw_put());
  else
    o.otherwise.push_back(draw_range(action::kind::get));
  return o;
}

operation clients::draw() {
  const load_plan& l = plan_.load;
  operation o;
  std::uint64_t at =
      random_.below(l.puts + l.deletes + l.gets + l.old_gets + l.stale_gets + l.txns + l.compacts + l.leases);
  const auto is = [&](std::uint64_t weight) {
    if (at < weight) return true;
    at -= weight;
    return false;
  };
  if (is(l.puts)) {
    o.what = operation::kind::write;
    o.then.push_back(draw_put());
  } else if (is(l.deletes)) {
    o.what = operation::kind::write;
    o.then.push_back(random_.below(8) == 0 ? draw_range(action::kind::erase)
                                           : action{action::kind::erase, draw_key(), {}, {}, 0});
  } else if (is(l.gets)) {
    o.then.push_back(draw_range(action::kind::get));
  } else if (is(l.old_gets)) {
    o.then.push_back(draw_range(action::kind::get));
    o.then.back().revision = newest_ - random_.below(std::min<std::uint64_t>(newest_, 50));
  } else if (is(l.stale_gets)) {
    o.what = operation::kind::stale_read;
    o.then.push_back(draw_range(action::kind::get));
  } else if (is(l.txns)) {
    o = draw_txn();
  } else if (is(l.leases)) {
    o = draw_of_leases();
  } else {
    o.what = operation::kind::compact;
    o.compact_to = newest_ - random_.below(std::min<std::uint64_t>(newest_, 40));
  }
  return o;
}

} // namespace quorumd::sim
