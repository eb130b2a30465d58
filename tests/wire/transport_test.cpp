#include "tests/wire/transport_rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <thread>

using namespace quorumd;
using namespace quorumd::wire;
using namespace quorumd::wire::test;

namespace {

/// A member's greeting, as a raw peer says it.
hello greeting_of(std::uint64_t id, std::uint64_t to, std::uint64_t boot = 0) {
  return make_hello(identity(id, boot), node_id(to));
}

/// An append that carries one entry of so many bytes, numbered by its commit.
raft_message append_numbered(std::uint64_t number, std::size_t bytes) {
  const std::vector<std::byte> payload(bytes);
  raft::append_request m{
      .term = term(1), .prev_index = {}, .prev_term = {}, .commit = log_index(number), .round = 0, .entries = {}};
  m.entries.push_back(entry::make(group_id(1), term(1), log_index(1), entry_kind::command, payload));
  return {group_id(1), m};
}

} // namespace

// Two nodes find each other, and every kind of message crosses, from their loop and from elsewhere.
TEST_CASE("two transports exchange messages") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  w.net.set("n1", 0); // only n1 dials, so that the first stream is the last
  rig_node b(w.loop, w.net, options_for(2));
  REQUIRE(a.seen.saw("up n2"));
  REQUIRE(b.seen.saw("up n1"));

  sampler s(1);
  std::vector<std::string> sent;
  for (std::size_t kind = 0; kind < 6; ++kind) {
    const peer_message m = s.message_of(kind);
    a.wire->send(n2, m);
    sent.push_back("n1 " + dump(m));
    REQUIRE(b.seen.received(sent.size()));
  }
  CHECK(b.seen.messages() == sent);

  on(w.loop, [&] {
    std::vector<raft::outgoing> batch;
    for (int i = 0; i < 50; ++i)
      batch.push_back({n1, raft::append_response{.term = term(3), .accepted = true, .match = log_index(10)}});
    b.wire->send(group_id(4), batch);
    CHECK(batch.empty());
  });
  REQUIRE(a.seen.received(50));
  CHECK(on(w.loop, [&] { return b.wire->counters()[0].writes; }) < 40); // of 50 messages
  CHECK(on(w.loop, [&] { return a.wire->info(n2)->client_address; }) == "127.0.0.1:2379");
  CHECK_FALSE(a.wire->connected(n3));
}

// Both nodes dial at once again and again: in the end each pair has one stream, and it carries messages both ways.
TEST_CASE("a pair settles on one stream") {
  world w;
  for (int round = 0; round < 10; ++round) {
    rig_node a(w.loop, w.net, options_for(1));
    rig_node b(w.loop, w.net, options_for(2));
    std::size_t at_a = 0;
    std::size_t at_b = 0;
    for (int i = 0; i < 20; ++i) { // until a question and its answer cross without a loss
      a.wire->send(n2, status_query{.id = 7, .group = group_id(1)});
      b.wire->send(n1, status_query{.id = 8, .group = group_id(1)});
      REQUIRE(a.seen.saw("up n2"));
      REQUIRE(b.seen.saw("up n1"));
      on(w.loop, [] {});
    }
    at_a = a.seen.count("up n2") - a.seen.count("down n2");
    at_b = b.seen.count("up n1") - b.seen.count("down n1");
    CHECK(at_a <= 1);
    CHECK(at_b <= 1);
    CHECK(a.seen.count("up n2") <= 3);
    CHECK(b.seen.count("up n1") <= 3);
  }
}

// A stream that is cut comes back by itself, and messages cross again.
TEST_CASE("a lost stream is dialed again") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  w.net.set("n1", 0); // only n1 dials, so that the first stream is the last
  rig_node b(w.loop, w.net, options_for(2));
  REQUIRE(a.seen.saw("up n2"));
  REQUIRE(b.seen.saw("up n1"));
  const std::size_t ups = a.seen.count("up n2");
  on(w.loop, [&] { a.wire->disconnect(n2, "the test says so"); });
  REQUIRE(a.seen.saw("down n2: the test says so"));
  REQUIRE(a.seen.saw("up n2", ups));
  for (std::size_t tries = 0; b.seen.messages().empty() && tries < 1000; ++tries) {
    a.wire->send(n2, status_query{.id = 1, .group = group_id(1)});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(b.seen.received(1));
}

// A node that stops says so; one that starts anew under the same name is taken up.
TEST_CASE("a stopping node says goodbye and its next boot is welcome") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  w.net.set("n1", 0); // only n1 dials, so that the first stream is the last
  {
    rig_node b(w.loop, w.net, options_for(2));
    REQUIRE(a.seen.saw("up n2 boot 202"));
    REQUIRE(b.seen.saw("up n1"));
    b.wire->send(n1, status_query{.id = 5, .group = group_id(1)}); // queued before the stop: still arrives
    on(w.loop, [] {});
  }
  REQUIRE(a.seen.saw("down n2: the other end said: n2 is stopping"));
  REQUIRE(a.seen.received(1));
  rig_node again(w.loop, w.net, options_for(2, 999));
  REQUIRE(a.seen.saw("up n2 boot 999"));
}

// A member that started anew does not wait for its half-open old stream: the new one takes its place at once.
TEST_CASE("a newer boot replaces the old stream at once") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  raw_peer old(a.port());
  old.say_hello(greeting_of(2, 1, 500));
  REQUIRE(old.hear_hello().has_value());
  REQUIRE(a.seen.saw("up n2 boot 500"));
  raw_peer fresh(a.port());
  fresh.say_hello(greeting_of(2, 1, 501));
  REQUIRE(fresh.hear_hello().has_value());
  REQUIRE(a.seen.saw("up n2 boot 501"));
  CHECK(a.seen.count("replaced n2: the member started anew") == 1);
  CHECK(a.seen.count("down n2: the member started anew") == 1);
  CHECK(old.hear_goodbye() == "the member started anew");
}

// Of two streams between equal boots the one dialed by the smaller id stays: here it was first, and the other end is
// told so.
TEST_CASE("the stream of the smaller id stays") {
  world w;
  raw_listener listener;
  w.net.set("n2", listener.port());
  rig_node a(w.loop, w.net, options_for(1));
  const auto dialed = listener.accept();
  REQUIRE(dialed->hear_hello().has_value());
  dialed->say_hello(greeting_of(2, 1));
  REQUIRE(a.seen.saw("up n2"));
  raw_peer second(a.port());
  second.say_hello(greeting_of(2, 1));
  CHECK(second.hear_goodbye() == "another stream of the pair stays");
  CHECK(a.seen.count("down n2") == 0);
}

// The same when it comes second: it takes the place of the one that the greater id dialed.
TEST_CASE("the stream of the smaller id takes the place") {
  world w;
  raw_listener listener;
  w.net.set("n2", listener.port());
  rig_node a(w.loop, w.net, options_for(1));
  const auto dialed = listener.accept();
  REQUIRE(dialed->hear_hello().has_value());
  raw_peer second(a.port());
  second.say_hello(greeting_of(2, 1));
  REQUIRE(second.hear_hello().has_value());
  REQUIRE(a.seen.saw("up n2"));
  dialed->say_hello(greeting_of(2, 1));
  REQUIRE(a.seen.saw("up n2", 1));
  CHECK(second.hear_goodbye() == "another stream of the pair took its place");
  CHECK(a.seen.count("replaced n2") == 1);
  CHECK(a.seen.count("ended n2") == 0); // nothing that an operator should look into
}

// Nodes whose member lists differ refuse each other, and both say what differs.
TEST_CASE("a mismatch is reported on both sides") {
  world w;
  transport_options other = options_for(2);
  other.self.members[2].address = "elsewhere:1";
  rig_node a(w.loop, w.net, options_for(1));
  rig_node b(w.loop, w.net, std::move(other));
  CHECK(a.seen.saw("refused n2: the member lists differ: member n3: n3:1 here, elsewhere:1 there"));
  CHECK(a.seen.saw("refused by n2: the member lists differ: member n3: elsewhere:1 here, n3:1 there"));
  CHECK(b.seen.saw("refused n1: the member lists differ: member n3: elsewhere:1 here, n3:1 there"));
  CHECK(b.seen.saw("refused by n1: the member lists differ: member n3: n3:1 here, elsewhere:1 there"));
  CHECK(a.seen.count("up") == 0);
}

// A member whose data directory is not the one that was recorded is refused with the node's own words.
TEST_CASE("another incarnation is refused") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  a.seen.refuse_incarnation(incarnation(102));
  raw_peer wiped(a.port());
  wiped.say_hello(greeting_of(2, 1));
  CHECK(wiped.hear_goodbye() == "n2 has another data directory than before");
  CHECK(a.seen.saw("refused n2: n2 has another data directory than before"));
}

// What is no greeting costs its sender the connection, is named, and disturbs nobody.
TEST_CASE("garbage and silence at the door") {
  world w;
  transport_options o = options_for(1);
  o.handshake_timeout = std::chrono::milliseconds(30);
  o.heartbeat = std::chrono::milliseconds(500);
  o.handshakes_max = 3;
  rig_node a(w.loop, w.net, std::move(o));
  raw_peer member(a.port());
  member.say_hello(greeting_of(2, 1));
  REQUIRE(a.seen.saw("up n2"));

  raw_peer http(a.port());
  byte_buffer words;
  words.append(std::as_bytes(std::span(std::string_view("GET / HTTP/1.1\r\n"))));
  http.say(words);
  CHECK(a.seen.saw("refused n0: the frame announces"));
  CHECK(http.hear().empty());

  raw_peer silent(a.port());
  CHECK(silent.hear().empty());
  CHECK(a.seen.saw("refused n0: no greeting within the handshake's time"));
  CHECK(a.seen.count("down n2") == 0);
}

// A frame that can't be closes its stream with its name, and no other.
TEST_CASE("a bad frame closes its stream alone") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  raw_peer good(a.port());
  good.say_hello(greeting_of(3, 1));
  raw_peer bad(a.port());
  bad.say_hello(greeting_of(2, 1));
  REQUIRE(bad.hear_hello().has_value());
  REQUIRE(a.seen.saw("up n2"));
  REQUIRE(a.seen.saw("up n3"));
  byte_buffer frames;
  encode_peer(frames, status_query{.id = 4, .group = group_id(1)}); // is whole, and arrives
  encode_peer(frames, raft_message{group_id(1), raft::timeout_now{.term = term(number_max + 1)}});
  bad.say(frames);
  CHECK(a.seen.saw("bad frame n2: a term, index or revision is out of range"));
  CHECK(a.seen.saw("down n2: a bad frame: a term, index"));
  CHECK(bad.hear_goodbye().starts_with("a bad frame: a term, index"));
  CHECK(a.seen.received(1));
  CHECK(a.seen.count("down n3") == 0);
}

// A member that does not read: the queue fills to its bound, asks for a pause, grows no further, and loses nothing.
TEST_CASE("a stalled peer pauses without growth") {
  world w;
  transport_options o = options_for(1);
  o.queue_pause_bytes = std::size_t{1024} * 1024;
  rig_node a(w.loop, w.net, std::move(o));
  raw_peer stalled(a.port());
  stalled.say_hello(greeting_of(2, 1));
  REQUIRE(stalled.hear_hello().has_value());
  REQUIRE(a.seen.saw("up n2"));
  const std::size_t each = std::size_t{64} * 1024;
  std::uint64_t sent = 0;
  while (a.wire->writable(n2) && sent < 10000) {
    ++sent;
    on(w.loop, [&] { a.wire->send(n2, append_numbered(sent, each)); });
  }
  REQUIRE(a.seen.saw("full n2"));
  CHECK(sent < 10000);
  CHECK(on(w.loop, [&] { return a.wire->counters()[0].queued_bytes; }) < (std::size_t{1024} + 2 * 64) * 1024);
  frame_reader reader(peer_frame_max);
  for (std::uint64_t number = 1; number <= sent; ++number) {
    const std::vector<std::byte> frame = stalled.hear();
    REQUIRE(frame.size() > each);
    frame_reader source(peer_frame_max);
    chunk_arena arena;
    std::vector<peer_message> out;
    std::vector<std::byte> whole(frame_header_bytes + frame.size());
    write_frame_header(whole.data(), frame.size());
    std::copy(frame.begin(), frame.end(), whole.begin() + frame_header_bytes);
    feed(source, whole, whole.size(), [&](const decoded<std::span<const std::byte>>& f) {
      REQUIRE(decode_peer(*f, source, arena, out).has_value());
    });
    REQUIRE(out.size() == 1);
    CHECK(std::get<raft::append_request>(std::get<raft_message>(out[0]).body).commit == log_index(number));
  }
  CHECK(a.seen.saw("writable n2"));
  CHECK(a.seen.count("down n2") == 0);
}

// Beyond the hard bound, which nobody who heeds the pause reaches, the stream is closed with the reason.
TEST_CASE("a queue beyond its bound closes the stream") {
  world w;
  transport_options o = options_for(1);
  o.queue_pause_bytes = std::size_t{1024} * 1024;
  o.queue_bytes_max = std::size_t{2048} * 1024;
  rig_node a(w.loop, w.net, std::move(o));
  raw_peer stalled(a.port());
  stalled.say_hello(greeting_of(2, 1));
  REQUIRE(a.seen.saw("up n2"));
  const peer_message m = append_numbered(1, std::size_t{256} * 1024);
  for (int i = 0; i < 2000 && a.wire->connected(n2); ++i) a.wire->send(n2, m), on(w.loop, [] {});
  CHECK(a.seen.saw("down n2: more than 2097152 bytes wait to be written"));
}

// Whoever is slower with messages than they come in holds so much of them and no more: the rest waits in the socket,
// the stream stays however long that takes, and goes on afterwards.
TEST_CASE("what is read and not done with is bounded") {
  world w;
  transport_options o = options_for(1);
  o.heartbeat = std::chrono::milliseconds(20);
  o.inbound_bytes_max = std::size_t{1} << 20;
  rig_node a(w.loop, w.net, std::move(o));
  a.seen.hold(true);
  raw_peer busy(a.port());
  busy.say_hello(greeting_of(2, 1));
  REQUIRE(a.seen.saw("up n2"));
  constexpr std::size_t count = 80;
  std::thread sends([&] {
    const peer_message m = append_numbered(1, std::size_t{256} * 1024);
    for (std::size_t i = 0; i < count; ++i) {
      byte_buffer frame;
      encode_peer(frame, m);
      busy.say(frame);
    }
  });
  CHECK(a.seen.received(4));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(a.seen.messages().size() <= 12); // the bound, and what one turn reads
  CHECK(a.seen.count("down n2") == 0);
  a.seen.hold(false);
  CHECK(a.seen.received(count));
  sends.join();
  CHECK(a.seen.count("down n2") == 0);
}

// A stream that went silent is probed; one that answers stays, one that does not is closed.
TEST_CASE("silence is probed, then ends the stream") {
  world w;
  transport_options o = options_for(1);
  o.heartbeat = std::chrono::milliseconds(20);
  rig_node a(w.loop, w.net, std::move(o));
  raw_peer dumb(a.port());
  dumb.say_hello(greeting_of(2, 1));
  REQUIRE(dumb.hear_hello().has_value());
  byte_buffer probe;
  encode_probe(probe);
  byte_buffer answer;
  encode_probe_reply(answer);
  for (int i = 0; i < 5; ++i) { // answered: stays
    const std::vector<std::byte> frame = dumb.hear();
    REQUIRE(std::ranges::equal(frame, content(probe)));
    dumb.say(answer);
  }
  CHECK(a.seen.count("down n2") == 0);
  REQUIRE(std::ranges::equal(dumb.hear(), content(probe)));
  CHECK(a.seen.saw("down n2: silent for"));
  CHECK(dumb.hear_goodbye().starts_with("silent for"));
}

// A probe is answered at once.
TEST_CASE("a probe is answered") {
  world w;
  rig_node a(w.loop, w.net, options_for(1));
  raw_peer member(a.port());
  member.say_hello(greeting_of(2, 1));
  REQUIRE(member.hear_hello().has_value());
  byte_buffer probe;
  encode_probe(probe);
  member.say(probe);
  byte_buffer answer;
  encode_probe_reply(answer);
  CHECK(std::ranges::equal(member.hear(), content(answer)));
}
