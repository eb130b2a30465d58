#include "daemon/clients/etcd/responses.hpp"

#include <variant>

namespace quorumd::clients::etcd {
namespace {

/// Within a transaction it has the revision alone.
template <class Sink>
void put_revision(Sink& s, std::uint64_t revision) {
  s.message(1, [&](auto& m) { m.number(3, revision); });
}

template <class Sink>
void put_body(Sink& s, const kv::put_reply& r) {
  if (r.prev) write_version(s, 2, *r.prev);
}

template <class Sink>
void put_body(Sink& s, const kv::delete_range_reply& r) {
  s.number(2, r.deleted);
  for (const kv::key_value_view& v : r.prev) write_version(s, 3, v);
}

template <class Sink>
void put_body(Sink& s, const kv::range_reply& r) {
  for (const kv::key_value_view& v : r.kvs) write_version(s, 2, v);
  s.number(3, r.more ? 1 : 0);
  s.number(4, r.count);
}

template <class Sink>
void put_body(Sink& s, const kv::grant_lease_reply& r) {
  s.number(2, r.id.value());
  s.number(3, static_cast<std::uint64_t>(r.ttl_s));
}

template <class Sink>
void put_body(Sink& s, method what, const kv::lease_answer& a) {
  if (what == method::lease_leases) {
    for (const lease_id id : a.leases) s.message(2, [&](auto& m) { m.number(1, id.value()); });
    return;
  }
  const bool renewed = what == method::lease_keep_alive;
  s.number(2, a.id.value());
  s.number(3, static_cast<std::uint64_t>(renewed && a.ttl_s < 0 ? 0 : a.ttl_s));
  if (renewed) return;
  s.number(4, static_cast<std::uint64_t>(a.granted_ttl_s));
  for (const std::string_view key : a.keys) s.bytes(5, key);
}

/// Whether it changed anything by itself.
bool changed(const kv::operation_reply& o);

bool changed(const kv::txn_reply& t) {
  for (const kv::operation_reply& o : t.responses)
    if (changed(o)) return true;
  return false;
}

bool changed(const kv::operation_reply& o) {
  if (const auto* d = std::get_if<kv::delete_range_reply>(&o.what)) return d->deleted != 0;
  if (const auto* t = std::get_if<kv::txn_reply>(&o.what)) return changed(*t);
  return std::holds_alternative<kv::put_reply>(o.what);
}

/// `now` is the revision that operations see: one more once something was changed.
template <class Sink>
void put_responses(Sink& s, const kv::txn_reply& t, std::uint64_t after, std::uint64_t& now) {
  s.number(2, t.succeeded ? 1 : 0);
  for (const kv::operation_reply& o : t.responses) {
    s.message(3, [&](auto& op) {
      if (const auto* nested = std::get_if<kv::txn_reply>(&o.what)) {
        op.message(4, [&](auto& m) {
          m.message(1, [](auto&) {});
          put_responses(m, *nested, after, now);
        });
        return;
      }
      if (changed(o)) now = after;
      const std::uint32_t field = std::holds_alternative<kv::range_reply>(o.what) ? 1
                                  : std::holds_alternative<kv::put_reply>(o.what) ? 2
                                                                                  : 3;
      op.message(field, [&](auto& m) {
        put_revision(m, now);
        if (const auto* range = std::get_if<kv::range_reply>(&o.what)) put_body(m, *range);
        if (const auto* put = std::get_if<kv::put_reply>(&o.what)) put_body(m, *put);
        if (const auto* erased = std::get_if<kv::delete_range_reply>(&o.what)) put_body(m, *erased);
      });
    });
  }
}

} // namespace

response_header header_now(node::node& n) {
  const wire::local_identity& self = n.self();
  const node::group& g = n.the_group();
  return {.cluster = self.cluster.value(),
          .member = self.id.value(),
          .term = g.core().hard().term.value(),
          .revision = g.state().store().current().value()};
}

std::size_t response_writer::append(wire::byte_buffer& out, response_header h, const kv::range_reply& r) {
  h.revision = r.revision.value();
  return writer_.append(out, [&](auto& s) {
    write_header(s, h);
    put_body(s, r);
  });
}

std::size_t response_writer::append(wire::byte_buffer& out, response_header h, const kv::reply& r, method what) {
  h.revision = r.revision.value();
  return writer_.append(out, [&](auto& s) {
    write_header(s, h);
    if (const auto* put = std::get_if<kv::put_reply>(&r.body)) put_body(s, *put);
    if (const auto* granted = std::get_if<kv::grant_lease_reply>(&r.body)) put_body(s, *granted);
    if (const auto* lease = std::get_if<kv::lease_answer>(&r.body)) put_body(s, what, *lease);
    if (const auto* erased = std::get_if<kv::delete_range_reply>(&r.body)) put_body(s, *erased);
    if (const auto* t = std::get_if<kv::txn_reply>(&r.body)) {
      const std::uint64_t after = r.revision.value();
      std::uint64_t now = changed(*t) ? after - 1 : after;
      put_responses(s, *t, after, now);
    }
  });
}

} // namespace quorumd::clients::etcd
