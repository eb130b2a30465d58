#include "tests/daemon/kv/text.hpp"

#include <variant>
#include <vector>

namespace quorumd::kv::test {
namespace {

std::string text(const std::vector<key_value_view>& kvs) {
  std::string out = "[";
  for (const key_value_view& kv : kvs) out += (out.size() > 1 ? ", " : "") + test::text(kv);
  return out + "]";
}

struct printer {
  std::string operator()(const put_reply& p) const {
    return p.prev ? "put was [" + test::text(*p.prev) + "]" : std::string("put");
  }
  std::string operator()(const delete_range_reply& d) const {
    return "deleted " + std::to_string(d.deleted) + " " + text(d.prev);
  }
  std::string operator()(const range_reply& r) const { return test::text(r); }
  std::string operator()(const txn_reply& t) const {
    std::string out;
    for (const operation_reply& o : t.responses) out += (out.empty() ? "" : "; ") + std::visit(*this, o.what);
    return (t.succeeded ? "yes {" : "no {") + out + "}";
  }
  std::string operator()(const compact_reply&) const { return "compacted"; }
  std::string operator()(const open_session_reply&) const { return "session"; }
  std::string operator()(const done_reply&) const { return "done"; }
  std::string operator()(const grant_lease_reply& g) const {
    return "lease " + std::to_string(g.id.value()) + " for " + std::to_string(g.ttl_s) + " s";
  }
  std::string operator()(const lease_answer&) const { return "an answer about leases"; }
  std::string operator()(const configure_reply& r) const {
    return "settings " + std::to_string(r.now.keep_revisions) + " " + std::to_string(r.now.history_bytes_max) + " " +
           std::to_string(r.now.quota_bytes) + " " + std::to_string(r.now.keep_for_ms);
  }
};

} // namespace

std::string text(const key_value_view& kv) {
  std::string out(kv.key);
  out += "=";
  out += kv.value;
  out += " c" + std::to_string(kv.create_revision.value()) + " m" + std::to_string(kv.mod_revision.value()) + " v" +
         std::to_string(kv.version);
  if (kv.lease) out += " l" + std::to_string(kv.lease.value());
  return out;
}

std::string text(const range_reply& r) {
  return "r" + std::to_string(r.revision.value()) + " " + std::to_string(r.kvs.size()) + "/" + std::to_string(r.count) +
         (r.more ? " more " : " ") + text(r.kvs);
}

std::string text(const result<range_reply>& r) {
  return r ? text(*r) : r.error().message();
}

std::string text(const result<reply>& r) {
  if (!r) return r.error().message();
  return "r" + std::to_string(r->revision.value()) + ": " + std::visit(printer{}, r->body);
}

} // namespace quorumd::kv::test
