#include "daemon/clients/etcd/json.hpp"

#include "daemon/clients/etcd/grpc_text.hpp"
#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
using namespace quorumd::clients::etcd;
namespace pb = etcdserverpb;

// etcd's API in JSON over HTTP/1.1, on the client port of a real node.
namespace {

std::string post(std::string_view path, std::string_view body, std::string_view more = {}) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// One connection; what it is answered.
class json_client {
 public:
  explicit json_client(const node_rig& rig)
      : to_(at(rig)) {
    REQUIRE(to_.connected());
  }

  /// The body of the answer, which has that status.
  std::string ask(unsigned status, std::string_view path, std::string_view body) {
    const std::size_t before = said_.size();
    REQUIRE(to_.send(post(path, body)));
    REQUIRE(to_.says("\r\n\r\n", said_, before));
    const std::size_t head = said_.find("\r\n\r\n", before) + 4;
    CHECK_MESSAGE(said_.substr(before, 12) == "HTTP/1.1 " + std::to_string(status), said_.substr(before));
    const std::size_t length = std::stoul(said_.substr(said_.find("Content-Length: ", before) + 16));
    while (said_.size() < head + length) REQUIRE(to_.says("}", said_, std::max(head, said_.size())));
    return said_.substr(head, length);
  }
  raw_connection& wire() { return to_; }

 private:
  raw_connection to_;
  std::string said_;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

node_rig::options impatient(std::size_t loops) {
  return {.loops = loops, .clients = {.session = {.handshake_timeout = std::chrono::milliseconds(500)}}};
}

/// The messages that it makes of pieces of the text.
std::vector<std::string> messages_of(method what, std::string_view text, std::size_t piece) {
  json_call call(what);
  std::string made;
  for (std::size_t i = 0; i < text.size(); i += piece)
    REQUIRE(call.take(std::as_bytes(std::span(text.substr(i, piece))), made));
  REQUIRE(call.finish(made));
  std::vector<std::string> all;
  for (std::string_view rest = made; !rest.empty();) {
    REQUIRE(rest.size() >= prefix_bytes);
    const std::size_t length = message_length(rest);
    all.emplace_back(rest.substr(prefix_bytes, length));
    rest.remove_prefix(prefix_bytes + length);
  }
  return all;
}

std::string complaint_about(method what, std::string_view text) {
  json_call call(what);
  std::string made;
  if (!call.take(std::as_bytes(std::span(text)), made) || !call.finish(made)) return call.wrong();
  return {};
}

} // namespace

TEST_CASE("json: objects become messages, however their bytes fall") {
  const std::string_view put =
      R"( {"key":"Zm9v", "value":"YmFyIn17","lease":"12345678901234567","unknown":{"a":["}"]},"prevKv":true} trailing)";
  for (const std::size_t piece : {1U, 7U, 1000U}) {
    const auto one = messages_of(method::put, put, piece);
    REQUIRE(one.size() == 1);
    pb::PutRequest r;
    REQUIRE(r.ParseFromString(one[0]));
    CHECK(r.key() == "foo");
    CHECK(r.value() == "bar\"}{");
    CHECK(r.lease() == 12345678901234567);
    CHECK(r.prev_kv());
    const auto many = messages_of(
        method::watch, R"({"create_request":{"key":"YQ==","filters":["NOPUT"]}}{"cancel_request":{"watch_id":"3"}} )",
        piece);
    REQUIRE(many.size() == 2);
    pb::WatchRequest w;
    REQUIRE(w.ParseFromString(many[0]));
    CHECK(w.create_request().key() == "a");
    CHECK(w.create_request().filters(0) == pb::WatchCreateRequest::NOPUT);
    REQUIRE(w.ParseFromString(many[1]));
    CHECK(w.cancel_request().watch_id() == 3);
  }
  CHECK(messages_of(method::range, "", 1) == std::vector<std::string>{""}); // an empty body is an empty object
  CHECK(messages_of(method::watch, "", 1).empty());
}

TEST_CASE("json: what is none") {
  for (const std::string_view text : {"[]", "1", "{", R"({"key":)", R"({"key":"%"})", R"({"key":"a", })", "{]", "}",
                                      R"({"key":7})", R"({"limit":"x"})", "\"{}\""}) {
    CAPTURE(text);
    CHECK_FALSE(complaint_about(method::range, text).empty());
  }
  CHECK_FALSE(complaint_about(method::range, std::string(100'000, '{')).empty());
  // However deep, it costs no more than its bytes.
  for (const std::string_view name : {"success", "unknown"})
    for (const std::string_view pair : {"[]", "{}"}) {
      std::string deep = "{\"" + std::string(name) + "\":";
      for (int i = 0; i < 300'000; ++i) deep += pair[0] == '{' ? "{\"a\":" : "[";
      deep += "1" + std::string(300'000, pair[1]) + "}";
      static_cast<void>(complaint_about(method::txn, deep));
    }
}

TEST_CASE("json: a key's life") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    json_client c(rig);
    const std::string put = c.ask(200, "/v3/kv/put", R"({"key":"Zm9v","value":"YmFy"})");
    CHECK(has(put, R"("revision":"2")"));
    CHECK(has(
        c.ask(200, "/v3beta/kv/range", R"({"key":"Zm9v"})"),
        R"("kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy"}],"count":"1")"));
    CHECK(has(c.ask(200, "/v3alpha/kv/txn",
                    R"({"compare":[{"target":"VALUE","key":"Zm9v","value":"YmFy"}],)"
                    R"("success":[{"request_put":{"key":"Zm9v","value":"eA=="}}],)"
                    R"("failure":[{"requestRange":{"key":"Zm9v"}}]})"),
              R"("succeeded":true,"responses":[{"response_put":{"header":{"revision":"3"}}}])"));
    CHECK(has(c.ask(200, "/v3/kv/deleterange", R"({"key":"Zm9v","prev_kv":true})"), R"("deleted":"1","prev_kvs":[{)"));
    CHECK(has(c.ask(200, "/v3/maintenance/status", ""), R"("version":"3.5.21")"));
    CHECK(has(c.ask(400, "/v3/maintenance/downgrade", R"({"action":"CANCEL"})"), R"("code":9)"));
    CHECK(has(c.ask(400, "/v3/maintenance/downgrade", R"({"action":"ENABLE","version":"3.4"})"),
              R"("message":"etcdserver: invalid downgrade target version")"));
    CHECK(has(c.ask(200, "/v3/cluster/member/list", "{}"), R"("members":[{)"));
    CHECK(has(c.ask(200, "/v3/lease/grant", R"({"TTL":60,"ID":7})"), R"("ID":"7","TTL":"60")"));
    CHECK(has(c.ask(200, "/v3/kv/lease/timetolive", R"({"ID":"7"})"), R"("grantedTTL":"60")"));
    CHECK(has(c.ask(200, "/v3/lease/leases", ""), R"("leases":[{"ID":"7"}])"));
    CHECK(has(c.ask(200, "/v3/kv/lease/revoke", R"({"ID":7})"), R"("header":{)"));

    CHECK(c.ask(400, "/v3/kv/range", R"({})") ==
          R"({"error":"etcdserver: key is not provided","message":"etcdserver: key is not provided","code":3})");
    CHECK(has(c.ask(400, "/v3/kv/range", R"({"key":"YQ==","revision":100})"), R"("code":11})"));
    CHECK(has(c.ask(404, "/v3/lease/revoke", R"({"ID":99})"), R"("code":5})"));
    CHECK(has(c.ask(400, "/v3/kv/range", R"({"key":1})"), R"("code":3})"));
    CHECK(has(c.ask(404, "/v3/kv/range/", "{}"), R"("code":5})"));
    CHECK(has(c.ask(404, "/v3/nothing", "{}"), R"("code":5})"));
    REQUIRE(c.wire().send("GET /v3/kv/range HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    std::string last;
    CHECK(c.wire().closed_within(10s, &last));
    CHECK(last.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
  }
}

TEST_CASE("json: many requests at once, and large ones") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
  raw_connection c(at(rig));
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += post("/v3/kv/put", R"({"key":"a2V5","value":"dg=="})") + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
  REQUIRE(c.send(all + "GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  std::string said;
  CHECK(c.closed_within(20s, &said));
  CHECK(has(said, R"("revision":"51")"));
  std::size_t answers = 0;
  for (std::size_t i = said.find("HTTP/1.1 200 "); i != std::string::npos; i = said.find("HTTP/1.1 200 ", i + 1))
    ++answers;
  CHECK(answers == 101);

  // Values of 600 KiB in all, in chunks, after the node's leave to send them.
  const std::string value(800'000, 'A');
  const std::string body = R"({"key":"YmlnZw==","value":")" + value + "\"}";
  raw_connection large(at(rig));
  REQUIRE(large.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"));
  std::string heard;
  REQUIRE(large.says("HTTP/1.1 100 Continue\r\n\r\n", heard));
  std::array<char, 16> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", body.size());
  REQUIRE(large.send(std::string(size.data()) + body + "\r\n0\r\n\r\n"));
  CHECK(large.closed_within(10s, &heard));
  CHECK(has(heard, R"("revision":"52")"));
  json_client again(rig);
  CHECK(has(again.ask(200, "/v3/kv/range", R"({"key":"YmlnZw=="})"), R"("value":"AAAA)"));

  const std::string huge = R"({"key":"YQ==","value":")" + std::string(2'500'000, 'A') + "\"}";
  CHECK(has(again.ask(400, "/v3/kv/put", huge), "etcdserver: request is too large"));
  raw_connection too(at(rig));
  REQUIRE(too.send("POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{"));
  std::string refused;
  CHECK(too.closed_within(10s, &refused));
  CHECK(refused.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("json: a watch goes on, and takes more") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    json_client writer(rig);
    raw_connection c(at(rig));
    REQUIRE(c.send(post("/v3/watch", R"({"create_request":{"key":"YQ==","range_end":"eg=="}})")));
    std::string said;
    REQUIRE(c.says("\"created\":true}}\n", said));
    CHECK(said.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(said, "Transfer-Encoding: chunked\r\n"));
    for (const std::string_view value : {"MQ==", "Mg=="}) {
      const std::string kv = R"({"key":"YmI=","value":")" + std::string(value) + "\"}";
      static_cast<void>(writer.ask(200, "/v3/kv/put", kv));
      REQUIRE(c.says("\"value\":\"" + std::string(value) + "\"}}]}}\n", said));
    }
    static_cast<void>(writer.ask(200, "/v3/kv/deleterange", R"({"key":"YmI="})"));
    REQUIRE(c.says(R"("events":[{"type":"DELETE","kv":{"key":"YmI=","mod_revision":"4"}}]}})", said));

    // Object after object, as long as the request lasts.
    raw_connection more(at(rig));
    const auto chunk = [](std::string_view text) {
      std::array<char, 16> size{};
      std::snprintf(size.data(), size.size(), "%zx\r\n", text.size());
      return std::string(size.data()) + std::string(text) + "\r\n";
    };
    REQUIRE(more.send("POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
                      chunk(R"({"create_request":{"key":"YQ==","watch_id":5}}{"cre)")));
    std::string heard;
    REQUIRE(more.says(R"("watch_id":"5","created":true)", heard));
    REQUIRE(more.send(chunk(R"(ate_request":{"key":"Yg==","watch_id":6}})")));
    REQUIRE(more.says(R"("watch_id":"6","created":true)", heard));
    REQUIRE(more.send(chunk(R"({"cancel_request":{"watch_id":5}})")));
    REQUIRE(more.says(R"("watch_id":"5","canceled":true)", heard));
    REQUIRE(more.send(chunk("nonsense")));
    REQUIRE(more.closed_within(10s, &heard));
    CHECK(has(heard, R"({"error":{"grpc_code":3,"http_code":400,"message":")"));
    CHECK(heard.ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("json: a lease is kept alive, and what fails at once says so") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
  json_client c(rig);
  static_cast<void>(c.ask(200, "/v3/lease/grant", R"({"TTL":60,"ID":7})"));
  const std::size_t before = rig.connections();
  raw_connection keeper(at(rig));
  REQUIRE(keeper.send(post("/v3/lease/keepalive", R"({"ID":7}{"ID":8})", "Connection: close\r\n")));
  std::string said;
  CHECK(keeper.closed_within(10s, &said));
  CHECK(has(said, R"("ID":"7","TTL":"60"}})"));
  CHECK(has(said, R"("ID":"8"}})"));
  CHECK(said.ends_with("0\r\n\r\n"));

  // Of the client that goes away nothing is left.
  CHECK(comes_true([&] { return rig.connections() == before; }));
  {
    raw_connection gone(at(rig));
    REQUIRE(gone.send(post("/v3/watch", R"({"create_request":{"key":"YQ=="}})")));
    std::string heard;
    REQUIRE(gone.says("created", heard));
  }
  CHECK(comes_true([&] { return rig.connections() == before; }));
  raw_connection bad(at(rig));
  REQUIRE(bad.send(post("/v3/watch", "nonsense", "Connection: close\r\n")));
  std::string refused;
  CHECK(bad.closed_within(10s, &refused));
  CHECK(refused.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(has(refused, R"({"error":{"grpc_code":3,"http_code":400,)"));
}

TEST_CASE("json: a request that does not go on") {
  node_rig rig(impatient(1));
  REQUIRE(served(rig.call(client::health_request{})));
  for (const std::string_view path : {"/v3/kv/put", "/v3/watch"}) {
    raw_connection c(at(rig));
    REQUIRE(c.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"key\":"));
    CHECK(c.closed_within(10s));
  }
  CHECK(rig.bad_clients() == 2);
  // A watch whose last object is whole is none of those.
  raw_connection c(at(rig));
  REQUIRE(c.send(post("/v3/watch", R"({"create_request":{"key":"YQ=="}})")));
  std::string said;
  REQUIRE(c.says("created", said));
  CHECK_FALSE(c.closed_within(1500ms));
}

TEST_CASE("json: who waits for a lock may go") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    json_client c(rig);
    for (const std::string_view lease : {R"({"TTL":600,"ID":1})", R"({"TTL":600,"ID":2})"})
      static_cast<void>(c.ask(200, "/v3/lease/grant", lease));
    CHECK(has(c.ask(200, "/v3/lock/lock", R"({"name":"bg==","lease":1})"), R"("key":"bi8x")"));
    const auto in_line = [&] { return c.ask(200, "/v3/kv/range", R"({"key":"bi8y","count_only":true})"); };
    {
      raw_connection waits(at(rig));
      REQUIRE(waits.send(post("/v3/lock/lock", R"({"name":"bg==","lease":2})")));
      CHECK(comes_true([&] { return has(in_line(), R"("count":"1")"); }));
    }
    CHECK(comes_true([&] { return !has(in_line(), "count"); }));
    raw_connection waits(at(rig));
    REQUIRE(waits.send(post("/v3/lock/lock", R"({"name":"bg==","lease":2})", "Connection: close\r\n")));
    CHECK(comes_true([&] { return has(in_line(), R"("count":"1")"); }));
    static_cast<void>(c.ask(200, "/v3/lock/unlock", R"({"key":"bi8x"})"));
    std::string said;
    CHECK(waits.closed_within(10s, &said));
    CHECK(has(said, R"("key":"bi8y")"));
  }
}

TEST_CASE("json: over HTTP/2 too, beside gRPC") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    grpc_client c(at(rig));
    const grpc_client::headers json{{"content-type", "application/json"}};
    const auto ask = [&](std::string_view path, std::string body) {
      return c.wait(c.begin(path, std::move(body), json));
    };
    const auto put = ask("/v3/kv/put", R"({"key":"YQ==","value":"MQ=="})");
    CHECK(put.http == "200");
    CHECK(has(put.body, R"("revision":"2")"));
    CHECK(put.code.empty());
    pb::RangeRequest get;
    get.set_key("a");
    CHECK(c.call("/etcdserverpb.KV/Range", get).as<pb::RangeResponse>().kvs(0).value() == "1");
    CHECK(ask("/v3/kv/range", "").http == "400");
    CHECK(has(ask("/v3/kv/range", "{").body, R"("code":3})"));
    CHECK(ask("/v3/kv/nothing", "{}").http == "404");
    CHECK(ask("/nothing", "{}").http == "415");
    CHECK(c.wait(c.begin("/v3/kv/range", "", {{"content-type", "text/html"}, {":method", "GET"}})).http == "405");
    CHECK(has(ask("/v3/lease/keepalive", R"({"ID":5})").body, R"({"result":{"header":{)"));

    const std::int32_t watch =
        c.begin("/v3/watch", R"({"create_request":{"key":"YQ==","start_revision":"2"}})", json, false);
    CHECK(comes_true([&] { return c.turn(10ms) && has(c.so_far(watch).body, "\"value\":\"MQ==\"}}]}}\n"); }));
    c.say_bytes(watch, R"({"create_request":{"key":"Yg==","watch_id":7}})");
    CHECK(comes_true([&] { return c.turn(10ms) && has(c.so_far(watch).body, R"("watch_id":"7","created":true)"); }));
    // Events without end, of which all is sent though they take more in JSON than they are counted for.
    for (int i = 0; i < 40; ++i) {
      const std::string value = "\"value\":\"" + std::string(400'000, 'A') + "\"}";
      CHECK(ask("/v3/kv/put", R"({"key":"YQ==",)" + value).http == "200");
    }
    CHECK(comes_true([&] { return c.turn(10ms) && has(c.so_far(watch).body, R"("version":"41")"); }));
    c.say_bytes(watch, "nonsense");
    const auto ended = c.wait(watch);
    CHECK(ended.http == "200");
    CHECK(ended.body.ends_with("\"http_status\":\"Bad Request\"}}\n"));
    CHECK(rig.bad_clients() == 0);
  }
}

namespace {

/// A frame of a client: all of one are masked, here by a key that changes nothing but is there.
std::string client_frame(std::uint8_t first, std::string_view text) {
  std::string f(1, static_cast<char>(first));
  if (text.size() < 126) {
    f += static_cast<char>(0x80 | text.size());
  } else {
    f += '\xfe';
    f += static_cast<char>(text.size() >> 8);
    f += static_cast<char>(text.size() & 0xff);
  }
  const std::string_view key("\x11\x22\x33\x44", 4);
  f += key;
  for (std::size_t i = 0; i < text.size(); ++i) f += static_cast<char>(text[i] ^ key[i % 4]);
  return f;
}

constexpr std::uint8_t ws_text = 0x81;
constexpr std::string_view ws_key = "dGhlIHNhbXBsZSBub25jZQ=="; // RFC 6455, 1.3

std::string upgrade(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + std::string(ws_key) + "\r\n\r\n";
}

} // namespace

TEST_CASE("json: a WebSocket has a text for each message, both ways") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    json_client writer(rig);
    raw_connection c(at(rig));
    std::string said;
    const std::string create = R"({"create_request":{"key":"YQ=="}})";
    REQUIRE(c.send(upgrade("/v3/watch") + client_frame(ws_text, create)));
    REQUIRE(c.says("\"created\":true}}", said));
    CHECK(said.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    CHECK(has(said, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    static_cast<void>(writer.ask(200, "/v3/kv/put", R"({"key":"YQ==","value":"MQ=="})"));
    REQUIRE(c.says(R"("value":"MQ=="}}]}})", said));
    // In two frames, with a ping between them.
    const std::string more = R"({"create_request":{"key":"Yg==","watch_id":7}})";
    REQUIRE(c.send(client_frame(0x01, more.substr(0, 20)) + client_frame(0x89, "hi") +
                   client_frame(0x80, more.substr(20))));
    REQUIRE(c.says(R"("watch_id":"7","created":true)", said));
    CHECK(has(said, std::string("\x8a\x02hi", 4)));
    REQUIRE(c.send(client_frame(0x88, std::string("\x03\xe8", 2)))); // it closes
    std::string last;
    CHECK(c.closed_within(10s, &last));
    CHECK(last.starts_with(std::string("\x88\x02\x03\xe8", 4)));

    raw_connection one(at(rig));
    REQUIRE(one.send(upgrade("/v3/kv/range") + client_frame(ws_text, R"({"key":"YQ=="} {"key":"Yg=="})")));
    std::string range;
    CHECK(one.closed_within(10s, &range));
    CHECK(has(range, R"("kvs":[{"key":"YQ==")"));
    CHECK_FALSE(has(range, R"("kvs":[{"key":"Yg==")"));

    // What does not keep to it, and nonsense in it.
    for (const std::string& bad :
         {client_frame(0x83, "x"), std::string("\x81\x01x", 3), client_frame(0x02, "abc") + client_frame(ws_text, "x"),
          client_frame(ws_text, "nonsense"), client_frame(ws_text, "\xff\xfe")}) {
      raw_connection wrong(at(rig));
      REQUIRE(wrong.send(upgrade("/v3/watch") + bad));
      CHECK(wrong.closed_within(10s));
    }
    CHECK(has(writer.ask(200, "/v3/kv/range", R"({"key":"YQ=="})"), R"("count":"1")"));
  }
}

TEST_CASE("http: who asks and never reads is not read") {
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  raw_connection c(at(rig), 4096);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /version HTTP/1.1\r\nHost: x\r\n\r\n";
  bool taken = true;
  for (int i = 0; taken && i < 2000; ++i) taken = c.send(many, 300ms);
  CHECK_FALSE(taken);
  CHECK(rig.held_bytes() < std::size_t{24} * 1024 * 1024);
  CHECK(rig.slow_clients() == 0); // it may read later
  json_client other(rig);
  CHECK(has(other.ask(200, "/v3/maintenance/status", "{}"), "3.5.21"));
}
