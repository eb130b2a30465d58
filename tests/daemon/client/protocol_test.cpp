#include "daemon/kv/codec/command_codec.hpp"
#include "tests/coro/death.hpp"
#include "tests/support/sample.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::client;
using namespace quorumd::kv;
using namespace quorumd::wire;
using namespace quorumd::testing;

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
    const kv::logged_command c{s.command(txn_depth_max - 1), s.session_call()};
    const proposal p = encode_command(arena, c.what, c.call);
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

// The largest page that a store makes, of whatever items, fits a frame with all that is in it; so does the one item
// that is larger than a page.
TEST_CASE("a range's reply is as the store bounds it") {
  const auto heard = [](const kv::range_reply& r) {
    byte_buffer out;
    encode_reply(out, 1, kv::result<kv::range_reply>(r));
    CHECK(out.size() <= client_reply_frame_max);
    const auto back = decode_reply(content(out));
    REQUIRE(back.has_value());
    const auto& page = std::get<kv::range_reply>(back->body);
    CHECK(page.kvs.size() == r.kvs.size());
    CHECK_FALSE(page.more);
    return out.size();
  };
  for (const std::size_t bytes : {1, 8, 9, 1000, 100000}) {
    CAPTURE(bytes);
    const std::string value(bytes, 'v');
    const std::size_t item = 3 + bytes + kv::reply_item_bytes;
    CHECK(heard(many_keys(kv::reply_bytes_max / item, value)) <= kv::reply_bytes_max + 1024);
  }
  const std::string large(kv::request_bytes_max, 'v');
  heard(many_keys(1, large));
  // Whatever comes is encoded whole: to bound it is the store's alone.
  heard(many_keys(2, large));
}

// More operations than a transaction can have, nested as deeply as may be, one of which reads the largest value: the
// reply fits a frame whole, at the node that it was sent to and through another.
TEST_CASE("the largest transaction's reply fits a frame") {
  const std::string value(kv::request_bytes_max, 'v');
  const auto list = [](kv::operation_reply first) {
    kv::txn_reply t;
    t.responses.assign(kv::operations_max, {kv::range_reply{.revision = revision(3), .count = 7}});
    t.responses[0] = std::move(first);
    return t;
  };
  kv::txn_reply largest = list({many_keys(1, value)});
  for (std::size_t i = 1; i < kv::operations_max; ++i) largest.responses[i].what = list({kv::put_reply()});
  for (std::size_t depth = 3; depth < txn_depth_max; ++depth)
    largest = kv::txn_reply{.succeeded = true, .responses = {{largest}}};

  chunk_arena arena;
  const kv::result<kv::reply> r = kv::reply{.revision = revision(3), .body = largest};
  byte_buffer direct;
  encode_reply(direct, 1, r);
  CHECK(direct.size() <= client_reply_frame_max);
  byte_buffer forwarded;
  REQUIRE(encode_reply(forwarded, 1, encode_result(arena, r).bytes).has_value());
  CHECK(forwarded.size() <= client_reply_frame_max);
  for (const byte_buffer* out : {&direct, &forwarded}) {
    const auto heard = decode_reply(content(*out));
    REQUIRE(heard.has_value());
    CHECK(dump(*heard) == dump(client_reply{.id = 1, .body = *r}));
  }
}

// A reply that its reader would have to refuse is a broken invariant here, and none that lacks something.
TEST_CASE("a reply beyond a frame aborts") {
  const std::string value(kv::request_bytes_max, 'v');
  CHECK(coro::test::last_words([&] {
          byte_buffer out;
          encode_reply(out, 1, kv::result<kv::range_reply>(many_keys(3, value)));
        }).find("a reply is within its frame") != std::string::npos);
  kv::txn_reply t;
  t.responses.push_back({many_keys(3, value)});
  CHECK(coro::test::last_words([&] {
          chunk_arena arena;
          (void)encode_result(arena, kv::reply{.revision = revision(3), .body = t});
        }).find("a result is within its bound") != std::string::npos);
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
