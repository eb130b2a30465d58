#include "daemon/kv/codec/schema.hpp"

#include <variant>
#include <vector>

namespace quorumd::kv::codec {
namespace {

/// Operations and compares in one command, however nested: far beyond what validate() takes, so that what a command
/// decodes into stays small before it is judged.
constexpr std::size_t items_max = 16 * 1024;

void require_depth(std::size_t depth) {
  require(depth <= txn_depth_max, codec_errc::depth, "transactions are nested too deeply");
}

// --- bounds ---

std::size_t behind(const put& p) {
  return data_words(p.key.size()) + data_words(p.value.size());
}
std::size_t behind(const delete_range& d) {
  return data_words(d.key.size()) + data_words(d.range_end.size());
}
std::size_t behind(const range_request& r) {
  return data_words(r.key.size()) + data_words(r.range_end.size());
}
std::size_t behind(const compare& c) {
  return data_words(c.key.size()) + data_words(c.range_end.size()) + data_words(c.value.size());
}

std::size_t behind(const txn& t, std::size_t depth);

std::size_t behind(const std::vector<operation>& list, std::size_t depth) {
  std::size_t words = list_words<schema::Operation>(list.size());
  for (const operation& o : list) {
    if (const auto* p = std::get_if<put>(&o.what)) words += struct_words<schema::Put> + behind(*p);
    if (const auto* r = std::get_if<range_request>(&o.what)) words += struct_words<schema::Range> + behind(*r);
    if (const auto* d = std::get_if<delete_range>(&o.what)) words += struct_words<schema::DeleteRange> + behind(*d);
    if (const auto* t = std::get_if<txn>(&o.what)) words += struct_words<schema::Txn> + behind(*t, depth + 1);
  }
  return words;
}

std::size_t behind(const txn& t, std::size_t depth) {
  QUORUMD_INVARIANT(depth <= txn_depth_max, "a transaction that is encoded is within the depth that is decoded");
  std::size_t words = list_words<schema::Compare>(t.compares.size());
  for (const compare& c : t.compares) words += behind(c);
  return words + behind(t.success, depth) + behind(t.failure, depth);
}

// --- building ---

void fill_put(schema::Put::Builder to, const put& p) {
  to.setKey(data(p.key));
  if (!p.value.empty()) to.setValue(data(p.value));
  to.setLease(p.lease.value());
  to.setPrevKv(p.prev_kv);
  to.setIgnoreValue(p.ignore_value);
  to.setIgnoreLease(p.ignore_lease);
}

void fill_delete(schema::DeleteRange::Builder to, const delete_range& d) {
  to.setKey(data(d.key));
  if (!d.range_end.empty()) to.setRangeEnd(data(d.range_end));
  to.setPrevKv(d.prev_kv);
}

void fill_compare(schema::Compare::Builder to, const compare& c) {
  to.setKey(data(c.key));
  if (!c.range_end.empty()) to.setRangeEnd(data(c.range_end));
  to.setTarget(static_cast<std::uint8_t>(c.target));
  to.setRelation(static_cast<std::uint8_t>(c.relation));
  to.setNumber(c.number);
  if (!c.value.empty()) to.setValue(data(c.value));
}

void fill_txn(schema::Txn::Builder to, const txn& t);

void fill_operations(capnp::List<schema::Operation>::Builder to, const std::vector<operation>& list) {
  for (unsigned i = 0; i < to.size(); ++i) {
    schema::Operation::Builder at = to[i];
    const auto& what = list[i].what;
    if (const auto* p = std::get_if<put>(&what)) fill_put(at.initPut(), *p);
    if (const auto* r = std::get_if<range_request>(&what)) fill(at.initRange(), *r);
    if (const auto* d = std::get_if<delete_range>(&what)) fill_delete(at.initDeleteRange(), *d);
    if (const auto* t = std::get_if<txn>(&what)) fill_txn(at.initTxn(), *t);
  }
}

void fill_txn(schema::Txn::Builder to, const txn& t) {
  auto compares = to.initCompares(static_cast<unsigned>(t.compares.size()));
  for (unsigned i = 0; i < compares.size(); ++i) fill_compare(compares[i], t.compares[i]);
  fill_operations(to.initSuccess(static_cast<unsigned>(t.success.size())), t.success);
  fill_operations(to.initFailure(static_cast<unsigned>(t.failure.size())), t.failure);
}

/// Which of a configure command's values are given.
enum : std::uint8_t { given_revisions = 1, given_history = 2, given_quota = 4, given_age = 8, given_all = 15 };

void fill_configure(schema::Configure::Builder to, const configure& c) {
  std::uint8_t given = 0;
  if (c.keep_revisions) given |= given_revisions;
  if (c.history_bytes_max) given |= given_history;
  if (c.quota_bytes) given |= given_quota;
  if (c.keep_for_ms) given |= given_age;
  fill(to.initValues(), settings{.keep_revisions = c.keep_revisions.value_or(0),
                                 .history_bytes_max = c.history_bytes_max.value_or(0),
                                 .quota_bytes = c.quota_bytes.value_or(0),
                                 .keep_for_ms = c.keep_for_ms.value_or(0)});
  to.setGiven(given);
  to.setInitial(c.initial);
}

// --- reading ---

configure read_configure(schema::Configure::Reader from) {
  const std::uint8_t given = from.getGiven();
  require(given <= given_all, codec_errc::unknown_kind, "a change of the settings has some that are unknown");
  const settings values = codec::read(from.getValues());
  configure c{.initial = from.getInitial()};
  if ((given & given_revisions) != 0) c.keep_revisions = values.keep_revisions;
  if ((given & given_history) != 0) c.history_bytes_max = values.history_bytes_max;
  if ((given & given_quota) != 0) c.quota_bytes = values.quota_bytes;
  if ((given & given_age) != 0) c.keep_for_ms = values.keep_for_ms;
  return c;
}

void fill_open(schema::OpenSession::Builder to, const open_session& o) {
  to.setNonce(o.nonce);
  to.setIdleMsMax(o.idle_ms_max);
}

void fill_grant(schema::GrantLease::Builder to, const grant_lease& g) {
  to.setId(g.id.value());
  to.setTtlS(g.ttl_s);
}

void fill_expire(schema::ExpireLease::Builder to, const expire_lease& e) {
  to.setId(e.id.value());
  to.setGranted(e.granted.value());
}

void fill_checkpoints(capnp::List<schema::LeaseCheckpoint>::Builder to, const checkpoint_leases& c) {
  for (unsigned i = 0; i < to.size(); ++i) {
    to[i].setId(c.list[i].id.value());
    to[i].setGranted(c.list[i].granted.value());
    to[i].setRemainingMs(c.list[i].remaining_ms.value_or(all_remains));
  }
}

checkpoint_leases read_checkpoints(capnp::List<schema::LeaseCheckpoint>::Reader from) {
  require(from.size() <= lease_checkpoints_max, codec_errc::count, "a command has more checkpoints than allowed");
  checkpoint_leases c;
  c.list.reserve(from.size());
  for (const schema::LeaseCheckpoint::Reader one : from)
    c.list.push_back({.id = lease_id(one.getId()),
                      .granted = number<log_index>(one.getGranted()),
                      .remaining_ms = lease_remaining(one.getRemainingMs())});
  return c;
}

void fill_question(schema::LeaseQuestion::Builder to, const lease_question& q) {
  to.setWhat(static_cast<std::uint8_t>(q.what));
  to.setId(q.id.value());
  to.setKeys(q.keys);
  if (!q.after.empty()) to.setAfter(data(q.after));
}

void fill_context(schema::Context::Builder to, const session_call& c) {
  to.setSession(c.session.value());
  to.setSequence(c.sequence);
  to.setAnswered(c.answered);
}

session_call read_context(schema::Context::Reader from) {
  require(!from.hasPrincipal() && from.getTimeMs() == 0, codec_errc::unknown_kind,
          "a command has a context, which this version cannot honour");
  return {.session = session_id(from.getSession()), .sequence = from.getSequence(), .answered = from.getAnswered()};
}

put read_put(schema::Put::Reader from) {
  return {.key = view(from.getKey()),
          .value = view(from.getValue()),
          .lease = lease_id(from.getLease()),
          .prev_kv = from.getPrevKv(),
          .ignore_value = from.getIgnoreValue(),
          .ignore_lease = from.getIgnoreLease()};
}

delete_range read_delete(schema::DeleteRange::Reader from) {
  return {.key = view(from.getKey()), .range_end = view(from.getRangeEnd()), .prev_kv = from.getPrevKv()};
}

compare read_compare(schema::Compare::Reader from) {
  return {.key = view(from.getKey()),
          .range_end = view(from.getRangeEnd()),
          .target = enumerator(from.getTarget(), compare_target::lease),
          .relation = enumerator(from.getRelation(), compare_relation::not_equal),
          .number = from.getNumber(),
          .value = view(from.getValue())};
}

class txn_reader {
 public:
  txn read(schema::Txn::Reader from, std::size_t depth) {
    require_depth(depth);
    txn t;
    const auto compares = from.getCompares();
    take(compares.size());
    t.compares.reserve(compares.size());
    for (const schema::Compare::Reader c : compares) t.compares.push_back(read_compare(c));
    operations(from.getSuccess(), depth, t.success);
    operations(from.getFailure(), depth, t.failure);
    return t;
  }

 private:
  void take(std::size_t count) {
    require(count <= operations_max && count <= items_left_, codec_errc::count,
            "a transaction has more operations or compares than allowed");
    items_left_ -= count;
  }

  void operations(capnp::List<schema::Operation>::Reader from, std::size_t depth, std::vector<operation>& to) {
    take(from.size());
    to.reserve(from.size());
    for (const schema::Operation::Reader o : from) {
      switch (o.which()) {
      case schema::Operation::PUT:
        to.push_back({read_put(o.getPut())});
        continue;
      case schema::Operation::RANGE:
        to.push_back({codec::read(o.getRange())});
        continue;
      case schema::Operation::DELETE_RANGE:
        to.push_back({read_delete(o.getDeleteRange())});
        continue;
      case schema::Operation::TXN:
        to.push_back({read(o.getTxn(), depth + 1)});
        continue;
      }
      refuse(codec_errc::unknown_kind, "an operation of a transaction is of an unknown kind");
    }
  }

  std::size_t items_left_ = items_max;
};

command read_command(schema::Command::Reader from) {
  switch (from.which()) {
  case schema::Command::PUT:
    return read_put(from.getPut());
  case schema::Command::DELETE_RANGE:
    return read_delete(from.getDeleteRange());
  case schema::Command::TXN:
    return txn_reader().read(from.getTxn(), 1);
  case schema::Command::COMPACT:
    return compact{number<revision>(from.getCompact())};
  case schema::Command::CONFIGURE:
    return read_configure(from.getConfigure());
  case schema::Command::OPEN_SESSION:
    return open_session{.nonce = from.getOpenSession().getNonce(), .idle_ms_max = from.getOpenSession().getIdleMsMax()};
  case schema::Command::CLOSE_SESSION:
    return close_session{session_id(from.getCloseSession())};
  case schema::Command::PASS_TIME:
    return pass_time{from.getPassTime()};
  case schema::Command::RAISE_LEVEL:
    return raise_level{from.getRaiseLevel()};
  case schema::Command::GRANT_LEASE:
    return grant_lease{.id = lease_id(from.getGrantLease().getId()), .ttl_s = from.getGrantLease().getTtlS()};
  case schema::Command::REVOKE_LEASE:
    return revoke_lease{lease_id(from.getRevokeLease())};
  case schema::Command::EXPIRE_LEASE:
    return expire_lease{.id = lease_id(from.getExpireLease().getId()),
                        .granted = number<log_index>(from.getExpireLease().getGranted())};
  case schema::Command::CHECKPOINT_LEASES:
    return read_checkpoints(from.getCheckpointLeases());
  case schema::Command::LEASE_QUESTION: {
    const schema::LeaseQuestion::Reader q = from.getLeaseQuestion();
    return lease_question{.what = enumerator(q.getWhat(), lease_question::kind::list),
                          .id = lease_id(q.getId()),
                          .keys = q.getKeys(),
                          .after = view(q.getAfter())};
  }
  }
  refuse(codec_errc::unknown_kind, "a command is of an unknown kind");
}

} // namespace

void fill(schema::Settings::Builder to, const settings& s) {
  to.setKeepRevisions(s.keep_revisions);
  to.setHistoryBytesMax(s.history_bytes_max);
  to.setQuotaBytes(s.quota_bytes);
  to.setKeepForMs(s.keep_for_ms);
}

settings read(schema::Settings::Reader from) {
  return {.keep_revisions = from.getKeepRevisions(),
          .history_bytes_max = from.getHistoryBytesMax(),
          .quota_bytes = from.getQuotaBytes(),
          .keep_for_ms = from.getKeepForMs()};
}

std::size_t words_behind(const range_request& r) {
  return behind(r);
}

void fill(schema::Range::Builder to, const range_request& r) {
  to.setKey(data(r.key));
  if (!r.range_end.empty()) to.setRangeEnd(data(r.range_end));
  to.setLimit(r.limit);
  to.setRevision(r.revision.value());
  to.setKeysOnly(r.keys_only);
  to.setCountOnly(r.count_only);
  to.setSkipCount(r.skip_count);
  to.setTarget(static_cast<std::uint8_t>(r.target));
  to.setOrder(static_cast<std::uint8_t>(r.order));
  to.setMinModRevision(r.min_mod_revision.value());
  to.setMaxModRevision(r.max_mod_revision.value());
  to.setMinCreateRevision(r.min_create_revision.value());
  to.setMaxCreateRevision(r.max_create_revision.value());
  to.setPageBytesMax(r.page_bytes_max);
}

range_request read(schema::Range::Reader from) {
  return {.key = view(from.getKey()),
          .range_end = view(from.getRangeEnd()),
          .limit = from.getLimit(),
          .revision = number<revision>(from.getRevision()),
          .keys_only = from.getKeysOnly(),
          .count_only = from.getCountOnly(),
          .target = enumerator(from.getTarget(), sort_target::value),
          .order = enumerator(from.getOrder(), sort_order::descend),
          .min_mod_revision = number<revision>(from.getMinModRevision()),
          .max_mod_revision = number<revision>(from.getMaxModRevision()),
          .min_create_revision = number<revision>(from.getMinCreateRevision()),
          .max_create_revision = number<revision>(from.getMaxCreateRevision()),
          .page_bytes_max = from.getPageBytesMax(),
          .skip_count = from.getSkipCount()};
}

std::size_t words_behind(const command& c, const session_call& call) {
  const std::size_t context = call ? struct_words<schema::Context> : 0;
  if (const auto* p = std::get_if<put>(&c)) return context + struct_words<schema::Put> + behind(*p);
  if (const auto* d = std::get_if<delete_range>(&c)) return context + struct_words<schema::DeleteRange> + behind(*d);
  if (const auto* t = std::get_if<txn>(&c)) return context + struct_words<schema::Txn> + behind(*t, 1);
  if (std::holds_alternative<configure>(c))
    return context + struct_words<schema::Configure> + struct_words<schema::Settings>;
  if (std::holds_alternative<open_session>(c)) return context + struct_words<schema::OpenSession>;
  if (std::holds_alternative<grant_lease>(c)) return context + struct_words<schema::GrantLease>;
  if (std::holds_alternative<expire_lease>(c)) return context + struct_words<schema::ExpireLease>;
  if (const auto* l = std::get_if<checkpoint_leases>(&c))
    return context + list_words<schema::LeaseCheckpoint>(l->list.size());
  if (const auto* q = std::get_if<lease_question>(&c))
    return context + struct_words<schema::LeaseQuestion> + data_words(q->after.size());
  return context;
}

void fill(schema::Command::Builder to, const command& c, const session_call& call) {
  if (const auto* p = std::get_if<put>(&c)) fill_put(to.initPut(), *p);
  if (const auto* d = std::get_if<delete_range>(&c)) fill_delete(to.initDeleteRange(), *d);
  if (const auto* t = std::get_if<txn>(&c)) fill_txn(to.initTxn(), *t);
  if (const auto* k = std::get_if<compact>(&c)) to.setCompact(k->revision.value());
  if (const auto* s = std::get_if<configure>(&c)) fill_configure(to.initConfigure(), *s);
  if (const auto* o = std::get_if<open_session>(&c)) fill_open(to.initOpenSession(), *o);
  if (const auto* e = std::get_if<close_session>(&c)) to.setCloseSession(e->session.value());
  if (const auto* t = std::get_if<pass_time>(&c)) to.setPassTime(t->ms);
  if (const auto* r = std::get_if<raise_level>(&c)) to.setRaiseLevel(r->level);
  if (const auto* g = std::get_if<grant_lease>(&c)) fill_grant(to.initGrantLease(), *g);
  if (const auto* r = std::get_if<revoke_lease>(&c)) to.setRevokeLease(r->id.value());
  if (const auto* e = std::get_if<expire_lease>(&c)) fill_expire(to.initExpireLease(), *e);
  if (const auto* l = std::get_if<checkpoint_leases>(&c))
    fill_checkpoints(to.initCheckpointLeases(static_cast<unsigned>(l->list.size())), *l);
  if (const auto* q = std::get_if<lease_question>(&c)) fill_question(to.initLeaseQuestion(), *q);
  if (call) fill_context(to.initContext(), call);
}

logged_command read(schema::Command::Reader from) {
  logged_command c{read_command(from), {}};
  if (from.hasContext()) c.call = read_context(from.getContext());
  return c;
}

} // namespace quorumd::kv::codec
