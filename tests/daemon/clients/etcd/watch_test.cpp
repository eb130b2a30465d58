#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// etcd's Watch on the client port of a real node.
namespace {

constexpr std::string_view watch_path = "/etcdserverpb.Watch/Watch";
constexpr auto a_while = std::chrono::milliseconds(300);

struct watch_rig {
  explicit watch_rig(const node_rig::options& o = with(1), std::uint32_t window = 16U << 20)
      : rig(o)
      , writer(at(rig))
      , client(at(rig), window) {
    REQUIRE(served(rig.call(client::health_request{})));
  }

  std::int64_t put(const std::string& key, const std::string& value) {
    pb::PutRequest r;
    r.set_key(key);
    r.set_value(value);
    const auto done = writer.call("/etcdserverpb.KV/Put", r);
    REQUIRE(done.ok());
    return done.as<pb::PutResponse>().header().revision();
  }
  std::int64_t erase(const std::string& key, const std::string& end = {}) {
    pb::DeleteRangeRequest r;
    r.set_key(key);
    r.set_range_end(end);
    return writer.call("/etcdserverpb.KV/DeleteRange", r).as<pb::DeleteRangeResponse>().header().revision();
  }
  void compact(std::int64_t revision) {
    pb::CompactionRequest r;
    r.set_revision(revision);
    REQUIRE(writer.call("/etcdserverpb.KV/Compact", r).ok());
  }
  std::int32_t open(const grpc_client::headers& more = {}) { return client.begin(watch_path, {}, more, false); }
  pb::WatchResponse next(std::int32_t stream) { return client.next<pb::WatchResponse>(stream); }
  pb::WatchResponse ask(std::int32_t stream, const pb::WatchRequest& r) {
    client.say(stream, r);
    return next(stream);
  }

  node_rig rig;
  grpc_client writer;
  grpc_client client;
};

pb::WatchRequest create(const std::string& key, const std::string& end = {}, std::int64_t start = 0) {
  pb::WatchRequest r;
  r.mutable_create_request()->set_key(key);
  r.mutable_create_request()->set_range_end(end);
  r.mutable_create_request()->set_start_revision(start);
  return r;
}
pb::WatchRequest cancel(std::int64_t id) {
  pb::WatchRequest r;
  r.mutable_cancel_request()->set_watch_id(id);
  return r;
}
pb::WatchRequest progress() {
  pb::WatchRequest r;
  r.mutable_progress_request();
  return r;
}

// A response as text: its watch, what it says of it, its events, and the header's revision.
std::string text(const pb::WatchResponse& w) {
  std::string out = std::to_string(w.watch_id());
  if (w.created()) out += " created";
  if (w.canceled()) out += " canceled";
  if (w.compact_revision() != 0) out += " compacted " + std::to_string(w.compact_revision());
  if (!w.cancel_reason().empty()) out += " '" + w.cancel_reason() + "'";
  for (const auto& e : w.events()) {
    out += (e.type() == mvccpb::Event::DELETE ? " -" : " ") + e.kv().key();
    if (!e.kv().value().empty()) out += "=" + e.kv().value();
    out += "@" + std::to_string(e.kv().mod_revision());
    if (e.has_prev_kv()) out += "(" + e.prev_kv().value() + ")";
  }
  if (w.fragment()) out += " ...";
  return out + " |" + std::to_string(w.header().revision());
}

} // namespace

TEST_CASE("watch: puts and deletions, from now on and from the past") {
  for (const std::size_t loops : {1U, 2U}) {
    watch_rig w(with(loops));
    w.put("a", "1");
    w.put("b", "2");
    const auto s = w.open();
    CHECK(text(w.ask(s, create("a", "z"))) == "0 created |3");
    CHECK(text(w.ask(s, create("a", {}, 2))) == "1 created |3");
    CHECK(text(w.next(s)) == "1 a=1@2 |3");
    w.put("b", "3");
    CHECK(text(w.next(s)) == "0 b=3@4 |4");
    w.erase("a", "c");
    std::vector<std::string> both{text(w.next(s)), text(w.next(s))};
    std::sort(both.begin(), both.end());
    CHECK(both == std::vector<std::string>{"0 -a@5 -b@5 |5", "1 -a@5 |5"});
    CHECK(text(w.ask(s, cancel(1))) == "1 canceled |5");
    w.client.say(s, cancel(1)); // nobody's: silence
    w.put("a", "4");
    CHECK(text(w.next(s)) == "0 a=4@6 |6");
    w.client.half_close(s); // it goes on
    w.put("a", "5");
    CHECK(text(w.next(s)) == "0 a=5@7 |7");
    CHECK(!w.client.so_far(s).closed);
  }
}

TEST_CASE("watch: ids, filters, previous versions, and what is refused") {
  watch_rig w;
  const auto s = w.open();
  auto named = create("k");
  named.mutable_create_request()->set_watch_id(1);
  CHECK(text(w.ask(s, named)) == "1 created |1");
  CHECK(text(w.ask(s, named)) == "-1 created canceled 'mvcc: duplicate watch ID provided on the WatchStream' |1");
  CHECK(text(w.ask(s, create("k"))) == "0 created |1");
  CHECK(text(w.ask(s, create("k"))) == "2 created |1"); // 1 is taken
  named.mutable_create_request()->set_watch_id(-7);
  CHECK(text(w.ask(s, named)) == "-7 created |1");
  CHECK(text(w.ask(s, create("b", "a"))) == "-1 created canceled 'mvcc: watcher range is empty' |1");
  for (const int id : {0, 1, 2, -7}) CHECK(text(w.ask(s, cancel(id))) == std::to_string(id) + " canceled |1");

  auto with_prev = create("k");
  with_prev.mutable_create_request()->set_prev_kv(true);
  with_prev.mutable_create_request()->add_filters(pb::WatchCreateRequest::NOPUT);
  with_prev.mutable_create_request()->set_watch_id(10);
  CHECK(text(w.ask(s, with_prev)) == "10 created |1");
  auto no_delete = create(""); // the least key, and all behind it
  no_delete.mutable_create_request()->set_range_end(std::string(1, '\0'));
  no_delete.mutable_create_request()->add_filters(pb::WatchCreateRequest::NODELETE);
  no_delete.mutable_create_request()->set_watch_id(11);
  CHECK(text(w.ask(s, no_delete)) == "11 created |1");
  w.put("k", "v");
  CHECK(text(w.next(s)) == "11 k=v@2 |2");
  w.erase("k");
  CHECK(text(w.next(s)) == "10 -k@3(v) |3");
  w.client.say(s, pb::WatchRequest()); // as good as nothing
  CHECK(w.client.silent(s, a_while));
}

TEST_CASE("watch: from a revision that is compacted, negative, or yet to come") {
  watch_rig w;
  for (int i = 0; i < 5; ++i) w.put("k", std::to_string(i));
  w.compact(4);
  const auto s = w.open();
  CHECK(text(w.ask(s, create("k", {}, 3))) == "0 created |6");
  CHECK(text(w.next(s)) == "0 canceled compacted 4 |0");
  CHECK(text(w.ask(s, create("k", {}, -1))) == "1 created |6");
  CHECK(text(w.next(s)) == "1 canceled compacted 4 |0");
  CHECK(text(w.ask(s, create("k", {}, 4))) == "2 created |6");
  CHECK(text(w.next(s)) == "2 k=2@4 k=3@5 k=4@6 |6");
  CHECK(text(w.ask(s, cancel(2))) == "2 canceled |6");
  CHECK(text(w.ask(s, create("k", {}, 8))) == "3 created |6");
  w.put("k", "7");
  w.put("k", "8");
  CHECK(text(w.next(s)) == "3 k=8@8 |8");
}

TEST_CASE("watch: progress, asked for and by itself") {
  watch_rig w({.loops = 1, .clients = {.session = {.progress_interval = std::chrono::milliseconds(200)}}});
  const auto s = w.open();
  w.client.say(s, progress()); // there is no watch: silence
  CHECK(w.client.silent(s, a_while));
  auto later = create("k", {}, 3);
  later.mutable_create_request()->set_progress_notify(true);
  CHECK(text(w.ask(s, later)) == "0 created |1");
  w.client.say(s, progress());
  CHECK(w.client.silent(s, 2 * a_while)); // it has not begun, and whoever hears of a revision may begin behind it
  w.put("k", "2");
  w.put("k", "3");
  CHECK(text(w.next(s)) == "0 k=3@3 |3");
  std::set<std::string> told; // what was asked, and by itself
  while (told.size() != 2) told.insert(text(w.next(s)));
  CHECK(told == std::set<std::string>{"-1 |3", "0 |3"});
  w.put("other", "4");
  pb::WatchResponse p = w.next(s);
  while (p.header().revision() == 3) p = w.next(s);
  CHECK(text(p) == "0 |4");
  while (text(p) != "-1 |4") p = w.ask(s, progress());
}

TEST_CASE("watch: a revision that is larger than a response") {
  watch_rig w;
  const std::string large(500'000, 'v');
  pb::TxnRequest t;
  for (const char* key : {"a", "b"}) {
    auto* put = t.add_success()->mutable_request_put();
    put->set_key(key);
    put->set_value(large);
  }
  const auto fill = [&](const std::string& name) {
    t.mutable_success(0)->mutable_request_put()->set_key(name + "a");
    t.mutable_success(1)->mutable_request_put()->set_key(name + "b");
    REQUIRE(w.writer.call("/etcdserverpb.KV/Txn", t).ok());
  };
  for (const char* name : {"1", "2", "3"}) fill(name);
  const auto s = w.open();
  auto whole = create("", std::string(1, '\0'));
  whole.mutable_create_request()->set_prev_kv(true);
  CHECK(w.ask(s, whole).created());
  auto parts = whole;
  parts.mutable_create_request()->set_fragment(true);
  const auto f = w.open();
  CHECK(w.ask(f, parts).created());
  w.erase(std::string(1, '\0'), std::string(1, '\0')); // six deletions, with what was there
  CHECK(w.next(s).events_size() == 6);
  std::size_t events = 0;
  for (bool more = true; more;) {
    const auto r = w.next(f);
    REQUIRE(r.events_size() != 0);
    CHECK(r.ByteSizeLong() < 1'200'000);
    events += static_cast<std::size_t>(r.events_size());
    more = r.fragment();
  }
  CHECK(events == 6);
}

TEST_CASE("watch: a revision that is larger than what is kept for one response") {
  watch_rig w({.loops = 1, .clients = {.session = {.queue_bytes_max = std::size_t{4} << 20}}});
  for (int i = 0; i < 8; ++i) w.put("k" + std::to_string(i), std::string(500'000, 'v'));
  const auto s = w.open();
  auto whole = create("k", "l");
  whole.mutable_create_request()->set_prev_kv(true);
  CHECK(w.ask(s, whole).created());
  CHECK(w.ask(s, create("k1")).created());
  w.erase("k", "l");
  std::vector<std::string> both{text(w.next(s)), text(w.next(s))};
  std::sort(both.begin(), both.end());
  CHECK(both[0] == "0 canceled 'etcdserver: the events of revision 10 are too large for one response: watch with "
                   "fragments' |10");
  CHECK(both[1] == "1 -k1@10 |10");
  w.put("k1", "x"); // nothing more of the first, and the other goes on
  CHECK(text(w.next(s)) == "1 k1=x@11 |11");
}

TEST_CASE("watch: a client that does not read costs little, and catches up") {
  watch_rig w({.loops = 2, .clients = {.session = {.queue_bytes_max = std::size_t{4} << 20}}}, 0);
  const auto s = w.open();
  w.client.say(s, create("k"));
  CHECK(w.client.silent(s, a_while));
  constexpr int puts = 60;
  for (int i = 0; i < puts; ++i) w.put("k", std::to_string(i) + std::string(200'000, 'v'));
  CHECK(w.rig.held_bytes() < std::size_t{4} << 20);

  // Another one, of the same member, sees the end at once.
  grpc_client other(at(w.rig));
  const auto o = other.begin(watch_path, {}, {}, false);
  other.say(o, create("k", {}, puts + 1));
  CHECK(other.next<pb::WatchResponse>(o).created());
  CHECK(other.next<pb::WatchResponse>(o).events_size() == 1);

  w.client.open_window(s, 1 << 30);
  CHECK(w.next(s).created());
  int seen = 0;
  while (seen < puts) {
    const auto r = w.next(s);
    REQUIRE(r.events_size() != 0);
    for (const auto& e : r.events()) CHECK(e.kv().mod_revision() == 2 + seen++);
  }
}

TEST_CASE("watch: a client that does not read until its history is gone") {
  watch_rig w({.loops = 1, .clients = {.session = {.queue_bytes_max = std::size_t{4} << 20}}}, 0);
  const auto s = w.open();
  w.client.say(s, create("k"));
  CHECK(w.client.silent(s, a_while));
  std::int64_t last = 0;
  for (int i = 0; i < 60; ++i) last = w.put("k", std::string(200'000, 'v'));
  w.compact(last);
  w.client.open_window(s, 1 << 30);
  CHECK(w.next(s).created());
  std::int64_t seen = 1;
  pb::WatchResponse r;
  for (r = w.next(s); r.events_size() != 0; r = w.next(s))
    for (const auto& e : r.events()) CHECK(e.kv().mod_revision() == ++seen);
  CHECK(text(r) == "0 canceled compacted " + std::to_string(last) + " |0");
}

TEST_CASE("watch: many streams, given up in every way") {
  watch_rig w(with(2));
  for (int round = 0; round < 20; ++round) {
    grpc_client c(at(w.rig));
    std::vector<std::int32_t> all;
    for (int i = 0; i < 50; ++i) {
      all.push_back(c.begin(watch_path, {}, {}, false));
      c.say(all.back(), create("k", "l", 1));
    }
    for (const auto s : all) CHECK(c.next<pb::WatchResponse>(s).created());
    w.put("k", "v");
    for (std::size_t i = 0; i < all.size(); i += 2) c.reset(all[i]);
    for (std::size_t i = 1; i < all.size(); i += 2) CHECK(c.next<pb::WatchResponse>(all[i]).events_size() != 0);
  } // and the connection is gone
  CHECK(comes_true([&] { return w.rig.connections() == 3; }));
}

TEST_CASE("watch: bad requests cost the stream at most") {
  watch_rig w;
  const auto s = w.open();
  w.client.say_bytes(s, std::string("\0\0\0\0\3\xff\xff\xff", 8));
  CHECK(w.client.wait(s).code == "13");
  const auto compressed = w.open();
  w.client.say_bytes(compressed, std::string("\1\0\0\0\0", 5));
  CHECK(w.client.wait(compressed).code == "13");
  const auto huge = w.open();
  w.client.say_bytes(huge, std::string("\0\x7f\0\0\0", 5) + std::string(4'000'000, 'x'));
  CHECK(w.client.wait(huge).code == "8");
  const auto good = w.open();
  CHECK(w.ask(good, create("k")).created());
}

TEST_CASE("watch: what is watched is bounded") {
  watch_rig w({.loops = 1, .clients = {.watches_bytes_max = std::size_t{1} << 20}});
  const auto s = w.open();
  const std::string large(300'000, 'k');
  for (int i = 0; i < 3; ++i) CHECK(w.ask(s, create(large + std::to_string(i))).canceled() == false);
  const auto refused = w.ask(s, create(large + "3"));
  CHECK(refused.canceled());
  CHECK(refused.cancel_reason().find("as much memory") != std::string::npos);
  CHECK(w.ask(s, cancel(0)).canceled());
  CHECK(w.ask(s, create(large + "3")).canceled() == false);
}

TEST_CASE("watch: a stop ends it with a status by which clients go elsewhere") {
  watch_rig w(with(2));
  const auto s = w.open();
  CHECK(w.ask(s, create("k")).created());
  w.rig.stop_reading();
  const auto ended = w.client.wait(s);
  CHECK(ended.code == "14");
  CHECK(ended.text == "etcdserver: server stopped");
  w.rig.stop_node(5s);
  w.rig.stop_clients(5s);
}
