#include "daemon/kv/codec/schema.hpp"

#include <algorithm>
#include <optional>
#include <variant>
#include <vector>

namespace quorumd::kv::codec {

std::size_t item_words(const key_value_view& k) {
  return struct_words<schema::KeyValue> + data_words(k.key.size()) + data_words(k.value.size());
}

void fill_item(schema::KeyValue::Builder to, const key_value_view& k) {
  to.setKey(data(k.key));
  if (!k.value.empty()) to.setValue(data(k.value));
  to.setCreateRevision(k.create_revision.value());
  to.setModRevision(k.mod_revision.value());
  to.setVersion(k.version);
  to.setLease(k.lease.value());
}

key_value_view read_item(schema::KeyValue::Reader from) {
  return {.key = view(from.getKey()),
          .value = view(from.getValue()),
          .create_revision = number<revision>(from.getCreateRevision()),
          .mod_revision = number<revision>(from.getModRevision()),
          .version = from.getVersion(),
          .lease = lease_id(from.getLease())};
}

namespace {

using kv_list = std::vector<key_value_view>;

std::size_t items_words(const kv_list& list) {
  std::size_t words = list.empty() ? 0 : 1;
  for (const key_value_view& k : list) words += item_words(k);
  return words;
}

void fill_items(capnp::List<schema::KeyValue>::Builder to, const kv_list& list) {
  for (unsigned i = 0; i < to.size(); ++i) fill_item(to[i], list[i]);
}

/// More than a whole reply of the smallest items can hold.
constexpr std::size_t reply_items_max = encoded_result_max / word_bytes / struct_words<schema::KeyValue>;

void read_items(capnp::List<schema::KeyValue>::Reader from, kv_list& to) {
  require(from.size() <= reply_items_max, codec_errc::count, "a reply has more keys than fit it");
  to.reserve(from.size());
  for (const schema::KeyValue::Reader k : from) to.push_back(read_item(k));
}

// --- the four kinds of reply: measure, build, read ---

std::size_t behind(const put_reply& r) {
  return r.prev ? item_words(*r.prev) : 0;
}
void fill_put(schema::PutReply::Builder to, const put_reply& r) {
  if (r.prev) fill_item(to.initPrev(), *r.prev);
}
put_reply read_put(schema::PutReply::Reader from) {
  put_reply r;
  if (from.hasPrev()) r.prev = read_item(from.getPrev());
  return r;
}

std::size_t behind(const delete_range_reply& r) {
  return items_words(r.prev);
}
void fill_delete(schema::DeleteRangeReply::Builder to, const delete_range_reply& r) {
  to.setDeleted(r.deleted);
  if (!r.prev.empty()) fill_items(to.initPrev(static_cast<unsigned>(r.prev.size())), r.prev);
}
delete_range_reply read_delete(schema::DeleteRangeReply::Reader from) {
  delete_range_reply r;
  r.deleted = from.getDeleted();
  read_items(from.getPrev(), r.prev);
  return r;
}

std::size_t behind(const txn_reply& r) {
  std::size_t words = list_words<schema::OperationReply>(r.responses.size());
  for (const operation_reply& o : r.responses) {
    if (const auto* p = std::get_if<put_reply>(&o.what)) words += struct_words<schema::PutReply> + behind(*p);
    if (const auto* g = std::get_if<range_reply>(&o.what)) words += struct_words<schema::RangeReply> + words_behind(*g);
    if (const auto* d = std::get_if<delete_range_reply>(&o.what))
      words += struct_words<schema::DeleteRangeReply> + behind(*d);
    if (const auto* t = std::get_if<txn_reply>(&o.what)) words += struct_words<schema::TxnReply> + behind(*t);
  }
  return words;
}

void fill_txn(schema::TxnReply::Builder to, const txn_reply& r) {
  to.setSucceeded(r.succeeded);
  auto list = to.initResponses(static_cast<unsigned>(r.responses.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    schema::OperationReply::Builder at = list[i];
    const auto& what = r.responses[i].what;
    if (const auto* p = std::get_if<put_reply>(&what)) fill_put(at.initPut(), *p);
    if (const auto* g = std::get_if<range_reply>(&what)) fill(at.initRange(), *g);
    if (const auto* d = std::get_if<delete_range_reply>(&what)) fill_delete(at.initDeleteRange(), *d);
    if (const auto* t = std::get_if<txn_reply>(&what)) fill_txn(at.initTxn(), *t);
  }
}

txn_reply read_txn(schema::TxnReply::Reader from, std::size_t depth) {
  require(depth <= txn_depth_max, codec_errc::depth, "a reply's transactions are nested too deeply");
  txn_reply r;
  r.succeeded = from.getSucceeded();
  const auto list = from.getResponses();
  require(list.size() <= operations_max, codec_errc::count, "a reply has more operations than a transaction");
  r.responses.reserve(list.size());
  for (const schema::OperationReply::Reader o : list) {
    switch (o.which()) {
    case schema::OperationReply::PUT:
      r.responses.push_back({read_put(o.getPut())});
      continue;
    case schema::OperationReply::RANGE:
      r.responses.push_back({read(o.getRange())});
      continue;
    case schema::OperationReply::DELETE_RANGE:
      r.responses.push_back({read_delete(o.getDeleteRange())});
      continue;
    case schema::OperationReply::TXN:
      r.responses.push_back({read_txn(o.getTxn(), depth + 1)});
      continue;
    }
    refuse(codec_errc::unknown_kind, "a reply's operation is of an unknown kind");
  }
  return r;
}

std::size_t behind(const lease_answer& a) {
  std::size_t words = a.keys.size() + a.leases.size(); // a pointer each, and a number
  for (const std::string_view key : a.keys) words += data_words(key.size());
  return words;
}

void fill_lease(schema::LeaseAnswer::Builder to, const lease_answer& a) {
  to.setId(a.id.value());
  to.setTtlS(a.ttl_s);
  to.setGrantedTtlS(a.granted_ttl_s);
  to.setMore(a.more);
  if (!a.keys.empty()) {
    auto keys = to.initKeys(static_cast<unsigned>(a.keys.size()));
    for (unsigned i = 0; i < keys.size(); ++i) keys.set(i, data(a.keys[i]));
  }
  if (!a.leases.empty()) {
    auto leases = to.initLeases(static_cast<unsigned>(a.leases.size()));
    for (unsigned i = 0; i < leases.size(); ++i) leases.set(i, a.leases[i].value());
  }
}

lease_answer read_lease(schema::LeaseAnswer::Reader from) {
  lease_answer a{.id = lease_id(from.getId()),
                 .ttl_s = from.getTtlS(),
                 .granted_ttl_s = from.getGrantedTtlS(),
                 .keys = {},
                 .leases = {},
                 .more = from.getMore()};
  const bool fits = from.getKeys().size() <= reply_items_max && from.getLeases().size() <= encoded_result_max / 8;
  require(fits, codec_errc::count, "an answer has more keys or leases than fit it");
  a.keys.reserve(from.getKeys().size());
  for (const capnp::Data::Reader key : from.getKeys()) a.keys.push_back(view(key));
  a.leases.reserve(from.getLeases().size());
  for (const std::uint64_t id : from.getLeases()) a.leases.push_back(lease_id(id));
  return a;
}

void fill_grant(schema::GrantLeaseReply::Builder to, const grant_lease_reply& r) {
  to.setId(r.id.value());
  to.setTtlS(r.ttl_s);
}

} // namespace

std::size_t words_behind(const range_reply& r) {
  return items_words(r.kvs);
}

void fill(schema::RangeReply::Builder to, const range_reply& r) {
  to.setRevision(r.revision.value());
  to.setCount(r.count);
  to.setMore(r.more);
  if (!r.kvs.empty()) fill_items(to.initKvs(static_cast<unsigned>(r.kvs.size())), r.kvs);
}

range_reply read(schema::RangeReply::Reader from) {
  range_reply r;
  r.revision = number<revision>(from.getRevision());
  r.count = from.getCount();
  r.more = from.getMore();
  read_items(from.getKvs(), r.kvs);
  return r;
}

error read(schema::StoreError::Reader from) {
  const errc last = errc::too_many_leases;
  const std::uint8_t code = from.getCode();
  require(code != 0 && code <= static_cast<std::uint8_t>(last), codec_errc::unknown_kind, "a store's error is unknown");
  return error(static_cast<errc>(code), number<revision>(from.getBound()));
}

void fill(schema::StoreError::Builder to, const error& e) {
  to.setCode(static_cast<std::uint8_t>(e.code()));
  to.setBound(e.bound().value());
}

std::size_t words_behind(const result<reply>& r) {
  if (!r) return struct_words<schema::StoreError>;
  const auto& body = (*r).body;
  if (const auto* p = std::get_if<put_reply>(&body)) return struct_words<schema::PutReply> + behind(*p);
  if (const auto* d = std::get_if<delete_range_reply>(&body))
    return struct_words<schema::DeleteRangeReply> + behind(*d);
  if (const auto* t = std::get_if<txn_reply>(&body)) return struct_words<schema::TxnReply> + behind(*t);
  if (std::holds_alternative<configure_reply>(body)) return struct_words<schema::Settings>;
  if (std::holds_alternative<grant_lease_reply>(body)) return struct_words<schema::GrantLeaseReply>;
  if (const auto* l = std::get_if<lease_answer>(&body)) return struct_words<schema::LeaseAnswer> + behind(*l);
  return 0;
}

void fill(schema::Outcome::Builder to, const result<reply>& r) {
  if (!r) {
    fill(to.initError(), r.error());
    return;
  }
  const reply& reply = *r;
  to.setRevision(reply.revision.value());
  if (const auto* p = std::get_if<put_reply>(&reply.body)) fill_put(to.initPut(), *p);
  if (const auto* d = std::get_if<delete_range_reply>(&reply.body)) fill_delete(to.initDeleteRange(), *d);
  if (const auto* t = std::get_if<txn_reply>(&reply.body)) fill_txn(to.initTxn(), *t);
  if (std::holds_alternative<compact_reply>(reply.body)) to.setCompact();
  if (const auto* c = std::get_if<configure_reply>(&reply.body)) fill(to.initConfigure(), c->now);
  if (const auto* s = std::get_if<open_session_reply>(&reply.body)) to.setOpenSession(s->session.value());
  if (std::holds_alternative<done_reply>(reply.body)) to.setDone();
  if (const auto* g = std::get_if<grant_lease_reply>(&reply.body)) fill_grant(to.initGrantLease(), *g);
  if (const auto* l = std::get_if<lease_answer>(&reply.body)) fill_lease(to.initLease(), *l);
}

result<reply> read(schema::Outcome::Reader from) {
  reply r;
  r.revision = number<revision>(from.getRevision());
  switch (from.which()) {
  case schema::Outcome::PUT:
    r.body = read_put(from.getPut());
    return r;
  case schema::Outcome::DELETE_RANGE:
    r.body = read_delete(from.getDeleteRange());
    return r;
  case schema::Outcome::TXN:
    r.body = read_txn(from.getTxn(), 1);
    return r;
  case schema::Outcome::COMPACT:
    r.body = compact_reply();
    return r;
  case schema::Outcome::CONFIGURE:
    r.body = configure_reply{read(from.getConfigure())};
    return r;
  case schema::Outcome::OPEN_SESSION:
    r.body = open_session_reply{session_id(from.getOpenSession())};
    return r;
  case schema::Outcome::DONE:
    r.body = done_reply();
    return r;
  case schema::Outcome::GRANT_LEASE:
    r.body = grant_lease_reply{.id = lease_id(from.getGrantLease().getId()), .ttl_s = from.getGrantLease().getTtlS()};
    return r;
  case schema::Outcome::LEASE:
    r.body = read_lease(from.getLease());
    return r;
  case schema::Outcome::ERROR:
    return read(from.getError());
  }
  refuse(codec_errc::unknown_kind, "a result is of an unknown kind");
}

} // namespace quorumd::kv::codec
