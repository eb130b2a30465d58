#include "tests/support/sample.hpp"

#include "wire/chunk_packing.hpp"

#include <algorithm>

namespace quorumd::testing {

std::string sampler::text(std::size_t max) {
  std::string t(below(max + 1), ' ');
  for (char& c : t) c = static_cast<char>('a' + below(26));
  return t;
}

std::string_view sampler::bytes(std::size_t max) {
  std::string t(below(max + 1), ' ');
  for (char& c : t) c = static_cast<char>(below(256));
  return kept_.emplace_back(std::move(t));
}

// --- peers ---

std::vector<entry> sampler::entries(group_id group, term from, term to, log_index after) {
  std::vector<entry> list(below(6));
  term t = from;
  for (entry& e : list) {
    after = after.next();
    if (t < to && coin()) t = t + below(to - t) + 1;
    if (!t) t = term(1);
    const std::string_view payload = bytes(below(5) == 0 ? 3000 : 40);
    e = entry::make(group, t, after, static_cast<entry_kind>(below(3)), std::as_bytes(std::span(payload)));
  }
  return list;
}

std::vector<node_id> sampler::members() {
  std::vector<node_id> ids;
  std::uint64_t id = 0;
  for (std::size_t n = below(6); n > 0; --n) ids.emplace_back(id += 1 + below(1000));
  return ids;
}

snapshot_mark sampler::mark() {
  return {.index = log_index(number()),
          .term = term(number()),
          .members = {.voters = members(), .outgoing = members(), .learners = members()}};
}

raft::message sampler::raft_message_of(group_id group) {
  const term t(1 + below(1000000));
  const raft::read_context context{.boot = boot_id(random_()), .sequence = random_()};
  switch (below(10)) {
  case 0:
    return raft::vote_request{.term = t,
                              .last_index = log_index(number()),
                              .last_term = term(number()),
                              .pre_vote = coin(),
                              .transfer = coin()};
  case 1:
    return raft::vote_response{.term = t, .pre_vote = coin(), .granted = coin()};
  case 2: {
    raft::append_request m{.term = t,
                           .prev_index = log_index(below(1000000)),
                           .prev_term = term(below(t.value() + 1)),
                           .commit = log_index(number()),
                           .round = random_(),
                           .entries = {}};
    m.entries = entries(group, m.prev_term, t, m.prev_index);
    return m;
  }
  case 3:
    return raft::append_response{.term = t,
                                 .accepted = coin(),
                                 .match = log_index(number()),
                                 .rejected = log_index(number()),
                                 .conflict_term = term(number()),
                                 .conflict_index = log_index(number()),
                                 .round = random_(),
                                 .held_us = static_cast<std::uint32_t>(random_())};
  case 4:
    return raft::heartbeat{.term = t, .commit = log_index(number()), .round = random_(), .sent_us = random_()};
  case 5:
    return raft::heartbeat_response{
        .term = t, .round = random_(), .sent_us = random_(), .promise_us = static_cast<std::uint32_t>(random_())};
  case 6:
    return raft::install_snapshot{.term = t, .mark = mark()};
  case 7:
    return raft::timeout_now{.term = t};
  case 8:
    return raft::read_index_request{.term = t, .context = context};
  default:
    return raft::read_index_response{.term = t, .context = context, .ok = coin(), .index = log_index(number())};
  }
}

shared_bytes sampler::blob(std::size_t min, std::size_t max) {
  const std::size_t n = min + below(max - min + 1);
  chunk_arena::piece piece = arena_.allocate(n);
  for (std::size_t i = 0; i < n; ++i) piece.data[i] = static_cast<std::byte>(below(256));
  return {piece.chunk, {piece.data, n}};
}

kv::settings sampler::settings() {
  return {
      .keep_revisions = random_(), .history_bytes_max = random_(), .quota_bytes = random_(), .keep_for_ms = random_()};
}

status_row sampler::row() {
  return {.id = node_id(random_()),
          .name = text(20),
          .address = text(20),
          .version = text(8),
          .group = group_id(number()),
          .role = static_cast<raft::role>(below(4)),
          .leader = node_id(random_()),
          .term = term(number()),
          .commit = log_index(number()),
          .applied = log_index(number()),
          .revision = revision(number()),
          .keys = random_(),
          .disk_bytes = random_(),
          .lag = random_(),
          .accepting = coin(),
          .store_bytes = random_(),
          .history_bytes = random_(),
          .settings = coin() ? std::optional(settings()) : std::nullopt,
          .marks =
              std::vector<state_mark>(below(state_marks_max + 1), {log_index(number()), random_(), revision(number())}),
          .speaks = static_cast<std::uint16_t>(below(65536)),
          .witness = coin(),
          .keys_hash = random_(),
          .compacted = revision(number()),
          .corrupt = text(30),
          .error = text(30)};
}

std::vector<std::byte> sampler::blob_copy(std::size_t max) {
  const shared_bytes b = blob(0, max);
  return {b.bytes.begin(), b.bytes.end()};
}

peer_message sampler::message_of(std::size_t kind) {
  switch (kind) {
  case 0: {
    forward_request m{.id = random_(), .group = group_id(number()), .remaining = {}, .command = {}};
    m.remaining = std::chrono::milliseconds(below(UINT32_MAX));
    m.bulk = coin();
    const shared_bytes command = blob(1, 500);
    m.command = proposal(arena_, command.bytes.size());
    std::copy(command.bytes.begin(), command.bytes.end(), m.command.payload().begin());
    m.command.finish();
    return m;
  }
  case 1:
    if (coin()) return forward_reply{.id = random_(), .error = request_errc::none, .text = {}, .result = blob(1, 300)};
    return forward_reply{.id = random_(),
                         .error = static_cast<request_errc>(1 + below(request_errc_last)),
                         .text = text(50),
                         .result = {}};
  case 2: {
    snapshot_chunk m{.group = group_id(number()), .term = term(number()), .mark = mark(), .transfer = random_()};
    m.leader = node_id(random_());
    m.offset = below(1000000);
    if (coin()) return packed_chunk();
    m.bytes = blob(0, below(10) == 0 ? snapshot_chunk_bytes_max : 100);
    m.last = coin();
    m.total_bytes = m.offset + m.bytes.bytes.size() + (m.last ? 0 : 1 + below(1000));
    return m;
  }
  case 3:
    return snapshot_credit{.group = group_id(number()),
                           .transfer = random_(),
                           .offset = random_(),
                           .status = static_cast<snapshot_status>(below(3)),
                           .text = text(20)};
  case 4:
    return status_query{.id = random_(), .group = group_id(number())};
  case 5:
    return status_answer{.id = random_(), .row = encode_status(row())};
  case 6:
    return relay_request{.id = random_(),
                         .group = group_id(number()),
                         .remaining = std::chrono::milliseconds(below(UINT32_MAX)),
                         .request = blob_copy(200)};
  case 7:
    return relay_reply{.id = random_(), .reply = blob_copy(200)};
  case 8:
    return snapshot_order{.group = group_id(number()),
                          .term = term(number()),
                          .number = random_(),
                          .to = node_id(random_()),
                          .at_least = log_index(number())};
  case 9:
    return snapshot_report{.group = group_id(number()),
                           .number = random_(),
                           .status = static_cast<report_status>(below(3)),
                           .text = text(20)};
  default: {
    const group_id group(number());
    return raft_message{group, raft_message_of(group)};
  }
  }
}

snapshot_chunk sampler::packed_chunk() {
  snapshot_chunk m{.group = group_id(number()), .term = term(number()), .mark = mark(), .transfer = random_()};
  m.offset = below(1000000);
  const std::string plain(100 + below(snapshot_chunk_bytes_max - 99), static_cast<char>('a' + below(26)));
  m.bytes = *chunk_packer().pack(std::as_bytes(std::span(plain)));
  m.packed_of = plain.size();
  m.last = coin();
  m.total_bytes = m.offset + plain.size() + (m.last ? 0 : 1 + below(1000));
  return m;
}

peer_message sampler::message() {
  return message_of(below(kinds));
}

hello sampler::greeting() {
  hello h;
  h.version_min = static_cast<std::uint16_t>(below(65536));
  h.version_max = static_cast<std::uint16_t>(below(65536));
  h.cluster = cluster_id(random_());
  h.cluster_name = text(20);
  h.id = node_id(random_());
  h.name = text(10);
  h.incarnation = incarnation(random_());
  h.boot = boot_id(random_());
  h.expected = node_id(random_());
  h.client_address = text(20);
  h.software = text(10);
  h.features = random_();
  h.members_index = log_index(random_() % number_max);
  for (std::size_t n = below(6); n > 0; --n) h.members.push_back({node_id(random_()), text(10), text(20)});
  return h;
}

// --- the state machine ---

kv::put sampler::put() {
  return {.key = bytes(20),
          .value = bytes(below(5) == 0 ? 4000 : 60),
          .lease = lease_id(random_()),
          .prev_kv = coin(),
          .ignore_value = coin(),
          .ignore_lease = coin()};
}

kv::delete_range sampler::delete_range() {
  return {.key = bytes(20), .range_end = bytes(20), .prev_kv = coin()};
}

kv::range_request sampler::range() {
  return {.key = bytes(20),
          .range_end = bytes(20),
          .limit = random_(),
          .revision = revision(number()),
          .keys_only = coin(),
          .count_only = coin(),
          .target = static_cast<kv::sort_target>(below(5)),
          .order = static_cast<kv::sort_order>(below(3)),
          .min_mod_revision = revision(number()),
          .max_mod_revision = revision(number()),
          .min_create_revision = revision(number()),
          .max_create_revision = revision(number()),
          .page_bytes_max = random_(),
          .skip_count = coin()};
}

kv::compare sampler::compare() {
  return {.key = bytes(20),
          .range_end = bytes(20),
          .target = static_cast<kv::compare_target>(below(5)),
          .relation = static_cast<kv::compare_relation>(below(4)),
          .number = static_cast<std::int64_t>(random_()),
          .value = bytes(20)};
}

kv::operation sampler::operation(std::size_t depth) {
  switch (below(depth > 0 ? 4 : 3)) {
  case 0:
    return {put()};
  case 1:
    return {range()};
  case 2:
    return {delete_range()};
  default:
    return {txn(depth - 1)};
  }
}

kv::txn sampler::txn(std::size_t depth) {
  kv::txn t;
  for (std::size_t n = below(4); n > 0; --n) t.compares.push_back(compare());
  for (std::size_t n = below(4); n > 0; --n) t.success.push_back(operation(depth));
  for (std::size_t n = below(4); n > 0; --n) t.failure.push_back(operation(depth));
  return t;
}

kv::command sampler::command(std::size_t depth) {
  kv::configure c{.initial = coin()};
  switch (below(14)) {
  case 13:
    return kv::lease_question{.what = static_cast<kv::lease_question::kind>(below(3)),
                              .id = lease_id(random_()),
                              .keys = coin(),
                              .after = bytes(20)};
  case 9:
    return kv::grant_lease{.id = lease_id(random_()), .ttl_s = static_cast<std::int64_t>(random_())};
  case 10:
    return kv::revoke_lease{lease_id(random_())};
  case 11:
    return kv::expire_lease{.id = lease_id(random_()), .granted = log_index(number())};
  case 12:
    return checkpoints();
  case 0:
    return put();
  case 1:
    return delete_range();
  case 2:
    return txn(depth);
  case 3:
    return kv::compact{revision(number())};
  case 4:
    return kv::open_session{.nonce = random_(), .idle_ms_max = random_()};
  case 5:
    return kv::close_session{session_id(random_())};
  case 6:
    return kv::pass_time{random_()};
  case 7:
    return kv::raise_level{static_cast<std::uint16_t>(below(65536))};
  default:
    if (coin()) c.keep_revisions = random_();
    if (coin()) c.history_bytes_max = random_();
    if (coin()) c.quota_bytes = random_();
    if (coin()) c.keep_for_ms = random_();
    return c;
  }
}

kv::lease_record sampler::lease() {
  kv::lease_record l{.id = lease_id(random_()),
                     .ttl_s = static_cast<std::int64_t>(random_()),
                     .granted = log_index(number()),
                     .remaining_ms = {}};
  if (coin()) l.remaining_ms = random_() / 2;
  return l;
}

kv::checkpoint_leases sampler::checkpoints() {
  kv::checkpoint_leases c;
  for (std::size_t n = below(4); n > 0; --n) {
    const kv::lease_record l = lease();
    c.list.push_back({.id = l.id, .granted = l.granted, .remaining_ms = l.remaining_ms});
  }
  return c;
}

kv::session_call sampler::session_call() {
  if (coin()) return {};
  return {.session = session_id(random_() | 1), .sequence = random_(), .answered = random_()};
}

kv::key_value_view sampler::key_value() {
  return {.key = bytes(20),
          .value = bytes(50),
          .create_revision = revision(number()),
          .mod_revision = revision(number()),
          .version = random_(),
          .lease = lease_id(random_())};
}

kv::range_reply sampler::range_reply(std::size_t keys_max) {
  kv::range_reply r;
  r.revision = revision(number());
  for (std::size_t n = below(keys_max + 1); n > 0; --n) r.kvs.push_back(key_value());
  r.count = random_();
  r.more = coin();
  return r;
}

kv::txn_reply sampler::txn_reply(std::size_t depth) {
  kv::txn_reply r;
  r.succeeded = coin();
  for (std::size_t n = below(5); n > 0; --n) {
    kv::put_reply p;
    if (coin()) p.prev = key_value();
    kv::delete_range_reply d{.deleted = random_(), .prev = {}};
    for (std::size_t k = below(3); k > 0; --k) d.prev.push_back(key_value());
    switch (below(depth > 0 ? 4 : 3)) {
    case 0:
      r.responses.push_back({p});
      break;
    case 1:
      r.responses.push_back({d});
      break;
    case 2:
      r.responses.push_back({range_reply(3)});
      break;
    default:
      r.responses.push_back({txn_reply(depth - 1)});
      break;
    }
  }
  return r;
}

kv::error sampler::store_error() {
  const auto last = static_cast<std::uint64_t>(kv::errc::too_many_leases);
  return kv::error(static_cast<kv::errc>(1 + below(last)), revision(number()));
}

kv::result<kv::reply> sampler::result() {
  if (below(5) == 0) return store_error();
  kv::reply r;
  r.revision = revision(number());
  kv::put_reply p;
  if (coin()) p.prev = key_value();
  kv::delete_range_reply d{.deleted = random_(), .prev = {}};
  for (std::size_t k = below(3); k > 0; --k) d.prev.push_back(key_value());
  switch (below(9)) {
  case 8: {
    kv::lease_answer a{.id = lease_id(random_()),
                       .ttl_s = static_cast<std::int64_t>(random_()),
                       .granted_ttl_s = static_cast<std::int64_t>(random_()),
                       .keys = {},
                       .leases = {},
                       .more = coin()};
    for (std::size_t n = below(4); n > 0; --n) a.keys.push_back(bytes(20));
    for (std::size_t n = below(4); n > 0; --n) a.leases.push_back(lease_id(random_()));
    r.body = std::move(a);
    break;
  }
  case 7:
    r.body = kv::grant_lease_reply{.id = lease_id(random_()), .ttl_s = static_cast<std::int64_t>(random_())};
    break;
  case 0:
    r.body = p;
    break;
  case 1:
    r.body = d;
    break;
  case 2:
    r.body = txn_reply(3);
    break;
  case 3:
    r.body = kv::compact_reply();
    break;
  case 4:
    r.body = kv::open_session_reply{session_id(random_())};
    break;
  case 5:
    r.body = kv::done_reply();
    break;
  default:
    r.body = kv::configure_reply{settings()};
    break;
  }
  return r;
}

} // namespace quorumd::testing
