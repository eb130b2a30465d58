#include "daemon/client/protocol.hpp"

#include "daemon/client/members_schema.hpp"
#include "daemon/client/metrics_schema.hpp"
#include "daemon/client/schema/client.capnp.h"
#include "daemon/client/status_schema.hpp"
#include "daemon/client/watch_schema.hpp"
#include "daemon/kv/codec/schema.hpp"

namespace quorumd::client {

using namespace detail;

static_assert(frame_header_bytes + root_words<schema::Reply> * word_bytes + kv::encoded_result_max <=
              client_reply_frame_max);

namespace {

template <class Fill>
void append_reply(byte_buffer& out, std::uint64_t id, std::size_t words_behind_root, Fill fill_body) {
  const std::size_t before = out.size();
  append_frame<schema::Reply>(out, root_words<schema::Reply> + words_behind_root, [&](schema::Reply::Builder to) {
    to.setId(id);
    fill_body(to);
  });
  QUORUMD_INVARIANT(out.size() - before <= client_reply_frame_max, "a reply is within its frame");
}

/// More members than any cluster has.
constexpr std::size_t rows_max = 1024;

client_error read_error(schema::Error::Reader from) {
  client_error e;
  const std::uint8_t code = from.getCode();
  require(code != 0 && code <= request_errc_last, codec_errc::unknown_kind, "an error is of an unknown kind");
  e.code = static_cast<request_errc>(code);
  e.text = text(from.getText());
  e.leader = text(from.getLeader());
  if (e.code == request_errc::store) e.store = read(from.getStore());
  return e;
}

hello_reply read_hello(schema::HelloReply::Reader from) {
  return {.version = from.getVersion(),
          .software = text(from.getSoftware()),
          .node_name = text(from.getNodeName()),
          .cluster_name = text(from.getClusterName())};
}

status_reply read_status(capnp::List<schema::StatusRow>::Reader from) {
  require(from.size() <= rows_max, codec_errc::count, "a status has more rows than a cluster has members");
  status_reply s;
  s.rows.reserve(from.size());
  for (const schema::StatusRow::Reader row : from) s.rows.push_back(read(row));
  return s;
}

client_error store_error(const kv::error& e) {
  client_error out;
  out.code = request_errc::store;
  out.store = e;
  return out;
}

} // namespace

void encode_reply(byte_buffer& out, std::uint64_t id, const client_error& e) {
  const std::size_t words = struct_words<schema::Error> + text_words(e.text.size()) + text_words(e.leader.size()) +
                            struct_words<kv::schema::StoreError>;
  append_reply(out, id, words, [&](schema::Reply::Builder to) {
    schema::Error::Builder error = to.initError();
    error.setCode(static_cast<std::uint8_t>(e.code));
    copy_text(e.text, [&](unsigned n) { return error.initText(n); });
    copy_text(e.leader, [&](unsigned n) { return error.initLeader(n); });
    if (e.code == request_errc::store) fill(error.initStore(), e.store);
  });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const hello_reply& h) {
  const std::size_t words = struct_words<schema::HelloReply> + text_words(h.software.size()) +
                            text_words(h.node_name.size()) + text_words(h.cluster_name.size());
  append_reply(out, id, words, [&](schema::Reply::Builder to) {
    schema::HelloReply::Builder hello = to.initHello();
    hello.setVersion(h.version);
    copy_text(h.software, [&](unsigned n) { return hello.initSoftware(n); });
    copy_text(h.node_name, [&](unsigned n) { return hello.initNodeName(n); });
    copy_text(h.cluster_name, [&](unsigned n) { return hello.initClusterName(n); });
  });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const kv::result<kv::reply>& r) {
  if (!r) {
    encode_reply(out, id, store_error(r.error()));
    return;
  }
  append_reply(out, id, struct_words<kv::schema::Outcome> + words_behind(r),
               [&](schema::Reply::Builder to) { fill(to.initOutcome(), r); });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const kv::result<kv::range_reply>& r) {
  if (!r) {
    encode_reply(out, id, store_error(r.error()));
    return;
  }
  append_reply(out, id, struct_words<kv::schema::RangeReply> + words_behind(*r),
               [&](schema::Reply::Builder to) { fill(to.initRange(), *r); });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const status_reply& s) {
  std::size_t words = list_words<schema::StatusRow>(s.rows.size());
  for (const status_row& row : s.rows) words += words_behind(row);
  append_reply(out, id, words, [&](schema::Reply::Builder to) {
    auto rows = to.initStatus(static_cast<unsigned>(s.rows.size()));
    for (unsigned i = 0; i < rows.size(); ++i) fill(rows[i], s.rows[i]);
  });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const health_reply& h) {
  append_reply(out, id, struct_words<schema::HealthReply> + text_words(h.reason.size()),
               [&](schema::Reply::Builder to) {
                 schema::HealthReply::Builder health = to.initHealth();
                 health.setServing(h.serving);
                 copy_text(h.reason, [&](unsigned n) { return health.initReason(n); });
               });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const metrics_reply& m) {
  append_reply(out, id, struct_words<schema::MetricsReply> + words_behind(m),
               [&](schema::Reply::Builder to) { fill(to.initMetrics(), m); });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const profile_reply& p) {
  QUORUMD_INVARIANT(p.bytes.size() <= profile_bytes_max, "a profile fits into a reply");
  const std::size_t words = struct_words<schema::ProfileReply> + text_words(p.note.size()) + data_words(p.bytes.size());
  append_reply(out, id, words, [&](schema::Reply::Builder to) {
    schema::ProfileReply::Builder profile = to.initProfile();
    copy_text(p.note, [&](unsigned n) { return profile.initNote(n); });
    profile.setBytes(data(p.bytes));
  });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const members_reply& m) {
  append_reply(out, id, struct_words<schema::MembersReply> + words_behind(m),
               [&](schema::Reply::Builder to) { fill(to.initMembers(), m); });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const snapshot_reply& s) {
  QUORUMD_INVARIANT(s.bytes.size() <= snapshot_piece_max, "a piece of a snapshot fits into a reply");
  const std::size_t words =
      struct_words<schema::SnapshotReply> + text_words(s.note.size()) + data_words(s.bytes.size());
  append_reply(out, id, words, [&](schema::Reply::Builder to) {
    schema::SnapshotReply::Builder snapshot = to.initSnapshot();
    snapshot.setHandle(s.handle);
    snapshot.setIndex(s.index.value());
    snapshot.setTotal(s.total);
    snapshot.setBytes(data(s.bytes));
    copy_text(s.note, [&](unsigned n) { return snapshot.initNote(n); });
  });
}

void encode_reply(byte_buffer& out, std::uint64_t id, kv::change_place next, std::span<const kv::event> events) {
  append_reply(out, id, struct_words<schema::WatchReply> + words_behind(events),
               [&](schema::Reply::Builder to) { fill(to.initWatch(), next, events); });
}

void encode_reply(byte_buffer& out, std::uint64_t id, const watch_reply& w) {
  encode_reply(out, id, w.next, w.events);
}

decoded<void> encode_reply(byte_buffer& out, std::uint64_t id, std::span<const std::byte> encoded_result) {
  const decoded<void> done =
      decode_segment<kv::schema::Outcome>(encoded_result, command_nesting_max, [&](kv::schema::Outcome::Reader from) {
        if (from.which() == kv::schema::Outcome::ERROR) {
          encode_reply(out, id, store_error(read(from.getError())));
          return;
        }
        // Copied whole. The sum covers the outermost struct in this version's size, should the encoder's have been
        // smaller.
        const std::size_t words = from.totalSize().wordCount + struct_words<kv::schema::Outcome>;
        require(frame_header_bytes + (root_words<schema::Reply> + words) * word_bytes <= client_reply_frame_max,
                codec_errc::length, "a result is too long");
        append_reply(out, id, words, [&](schema::Reply::Builder to) { to.setOutcome(from); });
      });
  return done;
}

decoded<client_reply> decode_reply(std::span<const std::byte> frame) {
  return decode_segment<schema::Reply>(frame, command_nesting_max, [](schema::Reply::Reader from) {
    client_reply r;
    r.id = from.getId();
    switch (from.which()) {
    case schema::Reply::ERROR:
      r.body = read_error(from.getError());
      return r;
    case schema::Reply::HELLO:
      r.body = read_hello(from.getHello());
      return r;
    case schema::Reply::OUTCOME: {
      const kv::result<kv::reply> outcome = read(from.getOutcome());
      if (outcome)
        r.body = *outcome;
      else
        r.body = store_error(outcome.error());
      return r;
    }
    case schema::Reply::RANGE:
      r.body = read(from.getRange());
      return r;
    case schema::Reply::STATUS:
      r.body = read_status(from.getStatus());
      return r;
    case schema::Reply::HEALTH: {
      const schema::HealthReply::Reader health = from.getHealth();
      r.body = health_reply{.serving = health.getServing(), .reason = text(health.getReason())};
      return r;
    }
    case schema::Reply::METRICS:
      r.body = read(from.getMetrics());
      return r;
    case schema::Reply::PROFILE: {
      const schema::ProfileReply::Reader profile = from.getProfile();
      r.body = profile_reply{.note = text(profile.getNote()), .bytes = view(profile.getBytes())};
      return r;
    }
    case schema::Reply::MEMBERS:
      r.body = read(from.getMembers());
      return r;
    case schema::Reply::SNAPSHOT: {
      const schema::SnapshotReply::Reader snapshot = from.getSnapshot();
      r.body = snapshot_reply{.handle = snapshot.getHandle(),
                              .index = log_index(snapshot.getIndex()),
                              .total = snapshot.getTotal(),
                              .bytes = view(snapshot.getBytes()),
                              .note = text(snapshot.getNote())};
      return r;
    }
    case schema::Reply::WATCH:
      r.body = read(from.getWatch());
      return r;
    }
    refuse(codec_errc::unknown_kind, "the reply is of a kind that this version does not know");
  });
}

} // namespace quorumd::client
