#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

using namespace quorumd::config;

// Both ends of a range are in it, their neighbours are not.
TEST_CASE("bounds are inclusive") {
  const std::string other = "raft.election_timeout=30s";
  CHECK(complaints(sample, {other, "raft.heartbeat=10s"}).empty());
  CHECK(complaints(sample, {other, "raft.heartbeat=10001ms"}).size() == 1);
  CHECK(complaints(sample, {"limits.clients_max=1"}).empty());
  CHECK(complaints(sample, {"limits.clients_max=0"}).size() == 1);
  CHECK(complaints(sample, {"limits.request_bytes_max=1KiB"}).empty());
  CHECK(complaints(sample, {"limits.request_bytes_max=1023B"}).size() == 1);
  CHECK(complaints(sample, {"limits.watches_bytes_max=1MiB", "etcd.watch_progress_every=100ms"}).empty());
  CHECK(complaints(sample, {"limits.watches_bytes_max=1023KiB", "etcd.watch_progress_every=99ms"}).size() == 2);
  CHECK(complaints(sample, {"storage.segment_bytes=1052672B", "limits.request_bytes_max=1KiB"}).empty());
  CHECK(complaints(sample, {"storage.segment_bytes=1052673B", "limits.request_bytes_max=1KiB"}) ==
        lines{"--set storage.segment_bytes: expected a size from 1MiB to 1GiB, a multiple of 4KiB, such as 64MiB, got "
              "`1052673B`"});
}

// Raft's timers: multiples of the tick, and a heartbeat that fits twice into the timeout.
TEST_CASE("timers must fit each other") {
  CHECK(complaints(sample + "raft:\n  heartbeat: 55ms\n") ==
        lines{"f.yaml:14:14: raft.heartbeat: expected a multiple of raft.tick, which is 10ms, got 55ms"});
  CHECK(complaints(sample + "raft:\n  tick: 20ms\n") ==
        lines{"f.yaml:14:9: raft.heartbeat: expected a multiple of raft.tick, which is 20ms, got 50ms"});
  CHECK(complaints(sample + "raft:\n  heartbeat: 150ms\n") ==
        lines{"f.yaml:14:14: raft.election_timeout: expected more than twice raft.heartbeat, which is 150ms, got "
              "300ms"});
  CHECK(complaints(sample + "raft: {heartbeat: 140ms}\n").empty());
  CHECK(complaints(sample, {"history.keep_for=1s"}).empty());
  CHECK(complaints(sample, {"history.keep_for=0s"}).empty());
  CHECK(complaints(sample, {"history.keep_for=999ms"}) ==
        lines{"--set history.keep_for: expected 0s, or at least 1s, got 999ms"});
  CHECK(complaints(sample, {"history.keep_for=87601h"}).size() == 1);
  CHECK(complaints(sample + "requests: {timeout_max: 1s}\n") ==
        lines{"f.yaml:13:25: requests.timeout_default: expected at most requests.timeout_max, which is 1s, got 5s"});
}

TEST_CASE("listen.metrics has a port of its own") {
  CHECK(complaints(sample, {"listen.metrics=127.0.0.1:12381"}).empty());
  CHECK(complaints(sample, {"listen.metrics=0.0.0.0:12381"}).empty());
  CHECK(complaints(sample, {"listen.metrics=0.0.0.0:12379"}) ==
        lines{"--set listen.metrics: expected another port than listen.client's, got 0.0.0.0:12379"});
  CHECK(complaints(sample, {"listen.metrics=127.0.0.1:12380"}) ==
        lines{"--set listen.metrics: expected another port than listen.peer's, got 127.0.0.1:12380"});
}

// Each bound on bytes or numbers that contains another one.
TEST_CASE("sizes must fit each other") {
  const auto refused = [](std::vector<std::string> set) { return complaints(sample, std::move(set)).size() == 1; };
  CHECK(refused({"raft.append_bytes_max=9MiB"}));
  CHECK(refused({"limits.peer_queue_bytes_max=15MiB"}));
  CHECK(complaints(sample, {"limits.peer_queue_bytes_max=16MiB"}).empty());
  CHECK(refused({"raft.uncommitted_bytes_max=1MiB"}));
  CHECK(refused({"limits.client_queue_bytes_max=1MiB"}));
  CHECK(refused({"limits.peer_queue_bytes_max=1MiB", "raft.inflight_bytes_max=512KiB"}));
  CHECK(refused({"storage.snapshot_every_bytes=63MiB"}));
  CHECK(refused({"storage.reserve_bytes=63MiB"}));
  CHECK(refused({"limits.inflight_requests_max=4095"}));
  CHECK(complaints(sample, {"storage.segment_bytes=2MiB"}) ==
        lines{"--set storage.segment_bytes: limits.request_bytes_max: expected at most half of storage.segment_bytes, "
              "which is 2MiB, got 1536KiB"});
}

// A node that is not in its own list, and members that share an address.
TEST_CASE("members must be unique and contain this node") {
  CHECK(complaints(sample_with("name: n1", "name: n7")) ==
        lines{"f.yaml:2:9: node.name: expected one of cluster.members (n1, n2), got `n7`"});
  CHECK(complaints(sample_with("22380", "12380")) ==
        lines{"f.yaml:8:9: cluster.members.n2: expected an address of its own, got that of n1, 127.0.0.1:12380"});
  CHECK(complaints(sample_with("n2: 127.0.0.1:22380", "n2: 0.0.0.0:22380")) ==
        lines{"f.yaml:8:9: cluster.members.n2: expected an address that can be dialed, got `0.0.0.0:22380`, which "
              "means every interface"});
  CHECK(complaints(sample_with("n2: 127.0.0.1:22380", "-n2: 127.0.0.1:22380"))[0].starts_with(
      "f.yaml:8:5: cluster.members.-n2: expected as a member's name a name "));
  CHECK(complaints(sample_with("  members:\n    n1: 127.0.0.1:12380\n    n2: 127.0.0.1:22380\n", "  members: {}\n"))[0]
            .starts_with("f.yaml:6:12: cluster.members: expected a mapping from 1 to 15 members"));
  lines many;
  for (int i = 3; i <= 15; ++i)
    many.push_back("cluster.members.n" + std::to_string(i) + "=127.0.0.1:" + std::to_string(i));
  CHECK(complaints(sample, many).empty());
  many.push_back("cluster.members.n16=127.0.0.1:16");
  CHECK(complaints(sample, many).size() == 1);
}

// A copied file in which only the name was changed is noticed before it confuses a cluster.
TEST_CASE("listening elsewhere than the others dial must be said") {
  CHECK(complaints(sample_with("name: n1", "name: n2")) ==
        lines{"f.yaml:10:9: listen.peer: expected where the others dial n2, 127.0.0.1:22380, got 127.0.0.1:12380: if "
              "that is on purpose, set advertise.peer to the former"});
  CHECK(complaints(sample_with("name: n1", "name: n2") + "advertise: {peer: 127.0.0.1:22380}\n").empty());
  CHECK(complaints(sample + "advertise:\n  peer: 127.0.0.1:1\n") ==
        lines{"f.yaml:14:9: advertise.peer: expected what cluster.members says of n1, 127.0.0.1:12380, got "
              "127.0.0.1:1: the others dial the former"});
  // Every interface, and a name that may mean any address, can't be told apart.
  CHECK(complaints(sample_with("peer: 127.0.0.1", "peer: 0.0.0.0")).empty());
  CHECK(complaints(sample_with("n1: 127.0.0.1", "n1: node1.example")).empty());
  CHECK(complaints(sample_with("peer: 127.0.0.1", "peer: 127.0.0.2")).size() == 1);
}

// Two listeners can't share a port, and a redirect needs an address that can be dialed.
TEST_CASE("listeners must not collide and must be reachable") {
  CHECK(complaints(sample_with("12379", "12380")) ==
        lines{"f.yaml:11:11: listen.client: expected another port than listen.peer's, got 127.0.0.1:12380 for "
              "127.0.0.1:12380"});
  CHECK(complaints(sample_with("client: 127.0.0.1:12379", "client: 127.0.0.2:12380")).empty());
  CHECK(complaints(sample_with("client: 127.0.0.1", "client: 0.0.0.0")) ==
        lines{"f.yaml:11:11: listen.client: expected an address that clients can dial, got 0.0.0.0:12379, which means "
              "every interface: say in advertise.client what clients are to dial"});
  CHECK(complaints(sample_with("client: 127.0.0.1", "client: \"[::]:12379\" # ") + "advertise: {client: n1:12379}\n")
            .empty());
  CHECK(complaints(sample + "advertise: {client: 0.0.0.0:1}\n") ==
        lines{"f.yaml:13:21: advertise.client: expected an address that can be dialed, got `0.0.0.0:1`, which means "
              "every interface"});
}

// A Unix socket's path has a hard limit, and the message says by how much it is missed.
TEST_CASE("the admin socket's path is at most 107 bytes") {
  const std::string most(107, 'p');
  CHECK(complaints(sample, {"listen.admin=" + most}).empty());
  const auto found = complaints(sample, {"listen.admin=" + most + "p"});
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("--set listen.admin: expected a path of at most 107 bytes, got one of 108 bytes: `ppp"));
}
