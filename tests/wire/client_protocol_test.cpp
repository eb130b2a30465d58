#include "tests/wire/sample.hpp"
#include "wire/command_codec.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::wire::test;

namespace {

void encode_any(byte_buffer& out, const client_reply& r) {
  std::visit(
      [&](const auto& body) {
        using body_type = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<body_type, kv::reply>)
          encode_reply(out, r.id, kv::result<kv::reply>(body));
        else if constexpr (std::is_same_v<body_type, kv::range_reply>)
          encode_reply(out, r.id, kv::result<kv::range_reply>(body));
        else
          encode_reply(out, r.id, body);
      },
      r.body);
}

kv::range_reply many_keys(std::size_t count, std::string_view value) {
  kv::range_reply r;
  r.kvs.assign(count, {.key = "key", .value = value, .create_revision = revision(1), .mod_revision = revision(1)});
  r.count = count;
  return r;
}

kv::txn nested(std::size_t depth) {
  kv::txn t;
  if (depth > 1) t.success.push_back({nested(depth - 1)});
  return t;
}

} // namespace

// Whatever a client asks, the server hears, field by field.
TEST_CASE("every request comes back as it was") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    sampler s(seed);
    const client_request r = s.request();
    byte_buffer out;
    encode_request(out, r);
    CHECK(frame_bytes(out.bytes()) == out.size());
    const auto heard = decode_request(content(out));
    REQUIRE(heard.has_value());
    CHECK(dump(*heard) == dump(r));
    CHECK(request_id(content(out)) == r.id);
  }
}

// Whatever the server answers, the client hears, field by field.
TEST_CASE("every reply comes back as it was") {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    sampler s(seed);
    const client_reply r = s.reply();
    byte_buffer out;
    encode_any(out, r);
    const auto heard = decode_reply(content(out));
    REQUIRE(heard.has_value());
    CHECK(dump(*heard) == dump(r));
  }
}

// A command goes into a log entry's payload and out again; so does what it did, directly or through another node.
TEST_CASE("commands and results come back as they were") {
  chunk_arena arena;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    sampler s(seed);
    const kv::command c = s.command(txn_depth_max - 1);
    const proposal p = encode_command(arena, c);
    const auto command = decode_command(p.payload());
    REQUIRE(command.has_value());
    CHECK(dump(*command) == dump(c));

    const kv::result<kv::reply> r = s.result();
    const shared_bytes bytes = encode_result(arena, r);
    const auto result = decode_result(bytes.bytes);
    REQUIRE(result.has_value());
    CHECK(dump(*result) == dump(r));

    byte_buffer direct;
    encode_reply(direct, 9, r);
    byte_buffer forwarded;
    REQUIRE(encode_reply(forwarded, 9, bytes.bytes).has_value());
    CHECK(dump(*decode_reply(content(forwarded))) == dump(*decode_reply(content(direct))));
  }
}

// A range stops at 1 MiB and says that there is more; its first item is there however large.
TEST_CASE("a range's reply is bounded") {
  byte_buffer out;
  const std::string value(1000, 'v');
  encode_reply(out, 1, kv::result<kv::range_reply>(many_keys(5000, value)));
  CHECK(out.size() <= reply_bytes_max + 1024);
  CHECK(out.size() > reply_bytes_max - 2048);
  auto heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  const auto& cut = std::get<kv::range_reply>(heard->body);
  CHECK(cut.more);
  CHECK(cut.count == 5000);
  CHECK(cut.kvs.size() < 5000);

  out.clear();
  encode_reply(out, 1, kv::result<kv::range_reply>(many_keys(100, value)));
  heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  CHECK_FALSE(std::get<kv::range_reply>(heard->body).more);
  CHECK(std::get<kv::range_reply>(heard->body).kvs.size() == 100);

  out.clear();
  const std::string large(kv::request_bytes_max, 'v');
  encode_reply(out, 1, kv::result<kv::range_reply>(many_keys(2, large)));
  CHECK(out.size() <= client_reply_frame_max);
  heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  REQUIRE(std::get<kv::range_reply>(heard->body).kvs.size() == 1);
  CHECK(std::get<kv::range_reply>(heard->body).kvs[0].value == large);
  CHECK(std::get<kv::range_reply>(heard->body).more);
}

// The lists of a transaction's reply share one bound, so that the largest transaction still fits a frame.
TEST_CASE("a transaction's reply is bounded as a whole") {
  const std::string value(kv::request_bytes_max / 2, 'v');
  kv::txn_reply t;
  for (std::size_t i = 0; i < kv::operations_max; ++i) {
    kv::put_reply p;
    p.prev = many_keys(1, value).kvs[0];
    t.responses.push_back({p});
    t.responses.back().what = i % 2 == 0 ? kv::operation_reply{many_keys(3, value)}.what : t.responses.back().what;
  }
  chunk_arena arena;
  const kv::result<kv::reply> r = kv::reply{.revision = revision(3), .body = t};
  const shared_bytes bytes = encode_result(arena, r);
  CHECK(bytes.bytes.size() <= reply_bytes_max + kv::request_bytes_max);
  byte_buffer out;
  REQUIRE(encode_reply(out, 1, bytes.bytes).has_value());
  CHECK(out.size() <= client_reply_frame_max);
  const auto heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  const auto& back = std::get<kv::txn_reply>(std::get<kv::reply>(heard->body).body);
  CHECK(back.responses.size() == kv::operations_max);
  CHECK(std::get<kv::range_reply>(back.responses[0].what).kvs.size() == 1);
  CHECK(std::get<kv::range_reply>(back.responses[2].what).kvs.empty());
  CHECK(std::get<kv::range_reply>(back.responses[2].what).more);
}

// The largest command that validate() takes fits a request's frame; a transaction beyond a list's bound does not pass.
TEST_CASE("requests are bounded") {
  const std::string value(kv::request_bytes_max - 3, 'v');
  byte_buffer out;
  encode_request(out, 1, std::chrono::milliseconds(5), kv::command(kv::put{.key = "key", .value = value}));
  CHECK(out.size() <= client_request_frame_max);
  CHECK(decode_request(content(out)).has_value());

  kv::txn t;
  const std::string part(kv::request_bytes_max / kv::operations_max - 4, 'v');
  for (std::size_t i = 0; i < kv::operations_max; ++i) {
    t.compares.push_back({.key = "k"});
    t.success.push_back({kv::put{.key = "k", .value = part}});
    t.failure.push_back({kv::range_request{.key = "k"}});
  }
  out.clear();
  encode_request(out, 1, std::chrono::milliseconds(5), kv::command(t));
  CHECK(out.size() <= client_request_frame_max);
  CHECK(decode_request(content(out)).has_value());

  t.success.push_back({kv::put{.key = "k", .value = "v"}});
  out.clear();
  encode_request(out, 1, std::chrono::milliseconds(5), kv::command(t));
  CHECK(decode_request(content(out)).error().code() == codec_errc::count);
  CHECK(request_id(content(out)) == 1);
}

// Transactions nest down to their bound; a message that goes further is refused, whoever made it.
TEST_CASE("nesting is bounded") {
  chunk_arena arena;
  const proposal deepest = encode_command(arena, nested(txn_depth_max));
  CHECK(decode_command(deepest.payload()).has_value());
  // A pointer that leads back to its own struct nests for ever: the transaction's list of operations is made to hold
  // the transaction. The traversal and nesting limits end it.
  const proposal two = encode_command(arena, nested(2));
  exact_bytes looped(two.payload());
  const auto words = looped.bytes();
  for (std::size_t at = 0; at + 8 <= words.size(); at += 8) {
    exact_bytes tampered(words);
    const std::int64_t back = -static_cast<std::int64_t>(at / 8) * 4; // an offset of that many words, backwards
    std::uint32_t lower = static_cast<std::uint32_t>(back) & ~3U;
    std::memcpy(tampered.bytes().data() + at, &lower, 4);
    (void)decode_command(tampered.bytes()); // refused or read: it ends
  }
}

// An answer that is an error says which, whether it may be retried, and where the leader is.
TEST_CASE("errors tell not applied from unknown") {
  CHECK(certainly_not_applied(request_errc::not_applied));
  CHECK(certainly_not_applied(request_errc::overloaded));
  CHECK_FALSE(certainly_not_applied(request_errc::unknown));
  CHECK(worth_retrying(request_errc::not_leader));
  CHECK_FALSE(worth_retrying(request_errc::unknown));
  CHECK_FALSE(worth_retrying(request_errc::store));
  byte_buffer out;
  encode_reply(
      out, 3,
      client_error{.code = request_errc::not_leader, .text = "ask n2", .leader = "127.0.0.1:2379", .store = {}});
  const auto heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  const auto& e = std::get<client_error>(heard->body);
  CHECK(e.code == request_errc::not_leader);
  CHECK(e.leader == "127.0.0.1:2379");
}

// A node that has just started names everything, and has measured nothing: most of the message are names.
TEST_CASE("metrics of nothing") {
  metrics_reply m{.node = "n", .up = {}, .distributions = {}, .readings = {}};
  m.distributions.assign(70, {.name = "d", .of = "", .unit = metric_unit::count, .values = {}});
  m.readings.assign(70, {.name = "r", .of = "", .value = 1});
  byte_buffer out;
  encode_reply(out, 9, m);
  const auto heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  CHECK(std::get<metrics_reply>(heard->body).distributions.size() == 70);
}

// A node that measures more things than a reply may name leaves the rest out, and the largest reply is one frame that
// the client takes.
TEST_CASE("metrics are bounded") {
  metrics_reply m{.node = std::string(1000, 'n'), .up = {}, .distributions = {}, .readings = {}};
  distribution d{.name = std::string(1000, 'd'), .of = "x", .unit = metric_unit::bytes, .values = {}};
  d.values.record(std::uint64_t{0});
  d.values.record(~std::uint64_t{0});
  m.distributions.assign(distributions_max + 5, d);
  m.readings.assign(readings_max + 5, {.name = "r", .of = "", .value = 1});
  byte_buffer out;
  encode_reply(out, 9, m);
  CHECK(out.size() <= client_reply_frame_max);
  const auto heard = decode_reply(content(out));
  REQUIRE(heard.has_value());
  const auto& said = std::get<metrics_reply>(heard->body);
  CHECK(said.distributions.size() == distributions_max);
  CHECK(said.readings.size() == readings_max);
  CHECK(said.distributions.back().values.count() == 2);
  CHECK(said.distributions.back().name.size() == metric_name_max);
}
