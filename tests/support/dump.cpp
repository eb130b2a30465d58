#include "tests/support/sample.hpp"

#include <sstream>

namespace quorumd::testing {
namespace {

/// Writes values one behind the other, each told apart from the next.
class out {
 public:
  template <class Tag>
  out& operator<<(strong_u64<Tag> v) {
    s_ << v.value() << ' ';
    return *this;
  }
  out& operator<<(std::string_view v) {
    s_ << v.size() << ':' << v << ' ';
    return *this;
  }
  out& operator<<(const char* v) { return *this << std::string_view(v); }
  out& operator<<(std::span<const std::byte> v) {
    return *this << std::string_view(reinterpret_cast<const char*>(v.data()), v.size());
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  out& operator<<(T v) {
    s_ << +v << ' ';
    return *this;
  }
  template <class T>
    requires std::is_enum_v<T>
  out& operator<<(T v) {
    return *this << static_cast<std::uint64_t>(v);
  }
  template <class T>
  out& operator<<(const std::vector<T>& list) {
    s_ << '[';
    for (const T& item : list) *this << item;
    s_ << "] ";
    return *this;
  }
  out& operator<<(const snapshot_mark& m) {
    return *this << m.index << m.term << m.members.voters << m.members.outgoing << m.members.learners;
  }
  out& operator<<(const entry& e) { return *this << e.encoded(); }
  out& operator<<(const state_mark& m) { return *this << m.index << m.hash << m.revision; }
  out& operator<<(const kv::settings& s) {
    return *this << s.keep_revisions << s.history_bytes_max << s.quota_bytes << s.keep_for_ms;
  }
  out& operator<<(const status_row& r) {
    return *this << r.id << r.name << r.address << r.version << r.group << r.role << r.leader << r.term << r.commit
                 << r.applied << r.revision << r.keys << r.disk_bytes << r.lag << r.accepting << r.store_bytes
                 << r.history_bytes << r.settings.has_value() << r.settings.value_or(kv::settings{}) << r.marks
                 << r.speaks << r.keys_hash << r.compacted << r.corrupt << r.error;
  }
  out& operator<<(const member& m) { return *this << m.id << m.name << m.address; }

  out& operator<<(const raft::vote_request& m) {
    return *this << "vote_request" << m.term << m.last_index << m.last_term << m.pre_vote << m.transfer;
  }
  out& operator<<(const raft::vote_response& m) {
    return *this << "vote_response" << m.term << m.pre_vote << m.granted;
  }
  out& operator<<(const raft::append_request& m) {
    return *this << "append" << m.term << m.prev_index << m.prev_term << m.commit << m.round << m.entries;
  }
  out& operator<<(const raft::append_response& m) {
    return *this << "append_response" << m.term << m.accepted << m.match << m.rejected << m.conflict_term
                 << m.conflict_index << m.round << m.held_us;
  }
  out& operator<<(const raft::heartbeat& m) { return *this << "heartbeat" << m.term << m.commit << m.round; }
  out& operator<<(const raft::heartbeat_response& m) { return *this << "heartbeat_response" << m.term << m.round; }
  out& operator<<(const raft::install_snapshot& m) { return *this << "install" << m.term << m.mark; }
  out& operator<<(const raft::timeout_now& m) { return *this << "timeout_now" << m.term; }
  out& operator<<(const raft::read_index_request& m) {
    return *this << "read_index" << m.term << m.context.boot << m.context.sequence;
  }
  out& operator<<(const raft::read_index_response& m) {
    return *this << "read_index_response" << m.term << m.context.boot << m.context.sequence << m.ok << m.index;
  }
  out& operator<<(const raft_message& m) {
    *this << m.group;
    return std::visit([this](const auto& body) -> out& { return *this << body; }, m.body);
  }
  out& operator<<(const forward_request& m) {
    return *this << "forward" << m.id << m.group << m.remaining.count() << m.bulk << m.command.payload();
  }
  out& operator<<(const forward_reply& m) {
    return *this << "forward_reply" << m.id << m.error << m.text << m.result.bytes;
  }
  out& operator<<(const snapshot_chunk& m) {
    return *this << "chunk" << m.group << m.term << m.mark << m.transfer << m.offset << m.total_bytes << m.last
                 << m.packed_of << m.bytes.bytes;
  }
  out& operator<<(const snapshot_credit& m) {
    return *this << "credit" << m.group << m.transfer << m.offset << m.status << m.text;
  }
  out& operator<<(const status_query& m) { return *this << "status_query" << m.id << m.group; }
  out& operator<<(const relay_request& m) {
    return *this << "relay_request" << m.id << m.group << m.remaining.count() << std::span(m.request);
  }
  out& operator<<(const snapshot_order& m) {
    return *this << "snapshot_order" << m.group << m.term << m.number << m.to << m.at_least;
  }
  out& operator<<(const snapshot_report& m) {
    return *this << "snapshot_report" << m.group << m.number << m.status << m.text;
  }
  out& operator<<(const relay_reply& m) { return *this << "relay_reply" << m.id << std::span(m.reply); }
  out& operator<<(const status_answer& m) {
    *this << "status_answer" << m.id;
    const auto row = decode_status(m.row);
    return row ? *this << *row : *this << row.error().what();
  }

  out& operator<<(const kv::put& p) {
    return *this << "put" << p.key << p.value << p.lease << p.prev_kv << p.ignore_value << p.ignore_lease;
  }
  out& operator<<(const kv::delete_range& d) { return *this << "delete" << d.key << d.range_end << d.prev_kv; }
  out& operator<<(const kv::range_request& r) {
    return *this << "range" << r.key << r.range_end << r.limit << r.revision << r.keys_only << r.count_only << r.target
                 << r.order << r.min_mod_revision << r.max_mod_revision << r.min_create_revision
                 << r.max_create_revision << r.page_bytes_max << r.skip_count;
  }
  out& operator<<(const kv::compare& c) {
    return *this << c.key << c.range_end << c.target << c.relation << c.number << c.value;
  }
  out& operator<<(const kv::txn& t) { return *this << "txn" << t.compares << t.success << t.failure; }
  out& operator<<(const kv::operation& o) {
    return std::visit([this](const auto& what) -> out& { return *this << what; }, o.what);
  }
  out& operator<<(const kv::compact& c) { return *this << "compact" << c.revision; }
  out& operator<<(const kv::configure& c) {
    *this << "configure" << c.initial;
    for (const auto& value : {c.keep_revisions, c.history_bytes_max, c.quota_bytes, c.keep_for_ms})
      *this << value.has_value() << value.value_or(0);
    return *this;
  }

  out& operator<<(const kv::open_session& o) { return *this << "open_session" << o.nonce << o.idle_ms_max; }
  out& operator<<(const kv::close_session& c) { return *this << "close_session" << c.session; }
  out& operator<<(const kv::pass_time& t) { return *this << "pass_time" << t.ms; }
  out& operator<<(const kv::raise_level& r) { return *this << "raise_level" << r.level; }
  out& operator<<(const kv::grant_lease& g) { return *this << "grant_lease" << g.id << g.ttl_s; }
  out& operator<<(const kv::revoke_lease& r) { return *this << "revoke_lease" << r.id; }
  out& operator<<(const kv::expire_lease& e) { return *this << "expire_lease" << e.id << e.granted; }
  out& operator<<(const kv::lease_question& q) {
    return *this << "lease_question" << q.what << q.id << q.keys << q.after;
  }
  out& operator<<(const kv::lease_answer& a) {
    return *this << "lease_answer" << a.id << a.ttl_s << a.granted_ttl_s << a.keys << a.leases << a.more;
  }
  out& operator<<(const kv::lease_checkpoint& c) {
    return *this << c.id << c.granted << c.remaining_ms.has_value() << c.remaining_ms.value_or(0);
  }
  out& operator<<(const kv::checkpoint_leases& c) { return *this << "checkpoint_leases" << c.list; }
  out& operator<<(const kv::session_call& c) { return *this << c.session << c.sequence << c.answered; }

  out& operator<<(const kv::key_value_view& k) {
    return *this << k.key << k.value << k.create_revision << k.mod_revision << k.version << k.lease;
  }
  out& operator<<(const kv::put_reply& r) {
    *this << "put_reply" << r.prev.has_value();
    return r.prev ? *this << *r.prev : *this;
  }
  out& operator<<(const kv::delete_range_reply& r) { return *this << "delete_reply" << r.deleted << r.prev; }
  out& operator<<(const kv::range_reply& r) {
    return *this << "range_reply" << r.revision << r.kvs << r.count << r.more;
  }
  out& operator<<(const kv::operation_reply& o) {
    return std::visit([this](const auto& what) -> out& { return *this << what; }, o.what);
  }
  out& operator<<(const kv::txn_reply& r) { return *this << "txn_reply" << r.succeeded << r.responses; }
  out& operator<<(const kv::compact_reply&) { return *this << "compact_reply"; }
  out& operator<<(const kv::open_session_reply& r) { return *this << "open_session_reply" << r.session; }
  out& operator<<(const kv::grant_lease_reply& r) { return *this << "grant_lease_reply" << r.id << r.ttl_s; }
  out& operator<<(const kv::done_reply&) { return *this << "done_reply"; }
  out& operator<<(const kv::configure_reply& r) { return *this << "configure_reply" << r.now; }
  out& operator<<(const kv::reply& r) {
    *this << r.revision;
    return std::visit([this](const auto& body) -> out& { return *this << body; }, r.body);
  }
  out& operator<<(const kv::error& e) { return *this << "error" << e.code() << e.bound(); }

  out& operator<<(const client_hello& h) {
    return *this << "hello" << h.version_min << h.version_max << h.software << h.bulk;
  }
  out& operator<<(const kv::command& c) {
    return std::visit([this](const auto& what) -> out& { return *this << what; }, c);
  }
  out& operator<<(const range_read& r) {
    return *this << r.serializable << r.max_age.count() << r.keep.count() << r.request;
  }
  out& operator<<(const status_request& s) { return *this << "status" << s.all; }
  out& operator<<(const metrics_request&) { return *this << "metrics"; }
  out& operator<<(const profile_request& p) { return *this << "profile" << p.kind << p.length.count(); }
  out& operator<<(const snapshot_request& s) { return *this << "snapshot" << s.handle << s.offset << s.at_least; }
  out& operator<<(const watch_request& w) {
    return *this << "watch" << w.key << w.range_end << w.start.at << w.start.sub << w.no_put << w.no_delete << w.prev_kv
                 << w.wait.count();
  }
  out& operator<<(const kv::event& e) {
    *this << e.kv << e.prev.has_value();
    return e.prev ? *this << *e.prev : *this;
  }
  out& operator<<(const watch_reply& w) { return *this << "watch_reply" << w.next.at << w.next.sub << w.events; }
  out& operator<<(const health_request&) { return *this << "health"; }
  out& operator<<(const members_request&) { return *this << "members"; }
  out& operator<<(const member_spec& m) { return *this << m.name << m.address << m.new_name; }
  out& operator<<(const member_change& c) {
    return *this << "member_change" << c.action << c.members << c.force << c.promote;
  }
  out& operator<<(const leader_transfer& t) { return *this << "leader_transfer" << t.to; }
  out& operator<<(const join_request& j) { return *this << "join" << j.name << j.address; }
  out& operator<<(const client_error& e) {
    *this << "error" << e.code << e.text << e.leader;
    return e.code == request_errc::store ? *this << e.store : *this;
  }
  out& operator<<(const hello_reply& h) {
    return *this << "hello_reply" << h.version << h.software << h.node_name << h.cluster_name;
  }
  out& operator<<(const status_reply& s) { return *this << "status_reply" << s.rows; }
  out& operator<<(const distribution& d) {
    *this << d.name << d.of << d.unit << d.values.count() << d.values.sum() << d.values.max() << d.values.used().first;
    for (const std::uint64_t n : d.values.used().counts) *this << n;
    return *this;
  }
  out& operator<<(const reading& r) { return *this << r.name << r.of << r.value; }
  out& operator<<(const named_member& m) { return *this << m.id << m.name; }
  out& operator<<(const metrics_reply& m) {
    return *this << "metrics_reply" << m.node << m.up.count() << m.distributions << m.readings << m.id << m.members;
  }
  out& operator<<(const profile_reply& p) { return *this << "profile_reply" << p.note << p.bytes; }
  out& operator<<(const snapshot_reply& s) {
    return *this << "snapshot_reply" << s.handle << s.index << s.total << s.bytes << s.note;
  }
  out& operator<<(const member_row& r) {
    return *this << r.id << r.name << r.address << r.client_address << r.role << r.promotes << r.leader << r.connected
                 << r.match << r.behind << r.incarnation;
  }
  out& operator<<(const members_reply& m) {
    return *this << "members_reply" << m.cluster << m.cluster_name << m.index << m.changing << m.from_leader << m.term
                 << m.rows;
  }
  out& operator<<(const health_reply& h) { return *this << "health_reply" << h.serving << h.reason; }

  [[nodiscard]] std::string text() const { return s_.str(); }

 private:
  std::ostringstream s_;
};

template <class T>
std::string written(const T& value) {
  out o;
  o << value;
  return o.text();
}

} // namespace

std::string dump(const peer_message& m) {
  return std::visit([](const auto& body) { return written(body); }, m);
}
std::string dump(const hello& h) {
  out o;
  o << h.version_min << h.version_max << h.cluster << h.cluster_name << h.id << h.name << h.incarnation << h.boot
    << h.expected << h.client_address << h.software << h.features << h.members << h.members_index;
  return o.text();
}
std::string dump(const kv::logged_command& c) {
  return written(c.what) + written(c.call);
}
std::string dump(const kv::range_request& r) {
  return written(r);
}
std::string dump(const kv::result<kv::reply>& r) {
  return r ? written(*r) : written(r.error());
}
std::string dump(const kv::range_reply& r) {
  return written(r);
}
std::string dump(const client_request& r) {
  return std::to_string(r.id) + ' ' + std::to_string(r.limits.remaining.count()) + ' ' +
         std::to_string(r.limits.leader_wait.count()) + ' ' + written(r.call) +
         std::visit([](const auto& body) { return written(body); }, r.body);
}
std::string dump(const client_reply& r) {
  return std::to_string(r.id) + ' ' + std::visit([](const auto& body) { return written(body); }, r.body);
}
std::string dump(const status_row& r) {
  return written(r);
}

} // namespace quorumd::testing
