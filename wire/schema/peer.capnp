@0xb8a94f6e0d1c7523;
# The stream between two members: a sequence of PeerMessage, the first each way a Hello.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("quorumd::wire::schema");

struct Member {
  id @0 :UInt64;
  name @1 :Text;
  address @2 :Text;
}

struct Hello {
  versionMin @0 :UInt16;
  versionMax @1 :UInt16;
  cluster @2 :UInt64;
  clusterName @3 :Text;
  id @4 :UInt64;
  name @5 :Text;
  incarnation @6 :UInt64;
  boot @7 :UInt64;
  expected @8 :UInt64;
  clientAddress @9 :Text;
  software @10 :Text;
  features @11 :UInt64;
  members @12 :List(Member);
  membersIndex @13 :UInt64;  # of the change of members that they are from; 0: the configuration file
}

struct Goodbye {
  cause @0 :UInt8;  # 0 error, 1 refused, 2 duplicate, 3 stopping
  reason @1 :Text;
}

struct Heartbeat {
  group @0 :UInt64;
  term @1 :UInt64;
  commit @2 :UInt64;
  round @3 :UInt64;
  sentUs @4 :UInt64;
}

struct HeartbeatResponse {
  group @0 :UInt64;
  term @1 :UInt64;
  round @2 :UInt64;
  sentUs @3 :UInt64;
  promiseUs @4 :UInt32;
}

struct VoteRequest {
  group @0 :UInt64;
  term @1 :UInt64;
  lastIndex @2 :UInt64;
  lastTerm @3 :UInt64;
  preVote @4 :Bool;
  transfer @5 :Bool;
}

struct VoteResponse {
  group @0 :UInt64;
  term @1 :UInt64;
  preVote @2 :Bool;
  granted @3 :Bool;
}

struct AppendRequest {
  group @0 :UInt64;
  term @1 :UInt64;
  prevIndex @2 :UInt64;
  prevTerm @3 :UInt64;
  commit @4 :UInt64;
  round @5 :UInt64;
  count @6 :UInt32;
  entries @7 :Data;  # portable entries, one behind the other
}

struct AppendResponse {
  group @0 :UInt64;
  term @1 :UInt64;
  accepted @2 :Bool;
  match @3 :UInt64;
  rejected @4 :UInt64;
  conflictTerm @5 :UInt64;
  conflictIndex @6 :UInt64;
  round @7 :UInt64;
  heldUs @8 :UInt32;
}

struct SnapshotMark {
  index @0 :UInt64;
  term @1 :UInt64;
  voters @2 :List(UInt64);
  outgoing @3 :List(UInt64);
  learners @4 :List(UInt64);
}

struct InstallSnapshot {
  group @0 :UInt64;
  term @1 :UInt64;
  mark @2 :SnapshotMark;
}

struct TimeoutNow {
  group @0 :UInt64;
  term @1 :UInt64;
}

struct ReadIndexRequest {
  group @0 :UInt64;
  term @1 :UInt64;
  boot @2 :UInt64;
  sequence @3 :UInt64;
}

struct ReadIndexResponse {
  group @0 :UInt64;
  term @1 :UInt64;
  boot @2 :UInt64;
  sequence @3 :UInt64;
  ok @4 :Bool;
  index @5 :UInt64;
}

struct ForwardRequest {
  id @0 :UInt64;
  group @1 :UInt64;
  remainingMs @2 :UInt32;
  checksum @3 :UInt32;  # CRC-32C of the command
  command @4 :Data;     # an encoded Command
  bulk @5 :Bool;        # of a client that yields to others
}

struct ForwardReply {
  id @0 :UInt64;
  error @1 :UInt8;
  text @2 :Text;
  result @3 :Data;  # an encoded Outcome
}

struct SnapshotChunk {
  group @0 :UInt64;
  term @1 :UInt64;
  mark @2 :SnapshotMark;
  transfer @3 :UInt64;
  offset @4 :UInt64;
  totalBytes @5 :UInt64;
  last @6 :Bool;
  bytes @7 :Data;
  packed @8 :Data;  # in place of bytes, if the receiver has the feature: a zstd frame of them
  packedOf @9 :UInt32;  # how many of them
  leader @10 :UInt64;  # who leads the term; 0: the sender
}

struct SnapshotCredit {
  group @0 :UInt64;
  transfer @1 :UInt64;
  offset @2 :UInt64;
  status @3 :UInt8;  # 0 more, 1 done, 2 refused, 3 wanted
  text @4 :Text;
}

struct StatusQuery {
  id @0 :UInt64;
  group @1 :UInt64;
}

struct StatusAnswer {
  id @0 :UInt64;
  row @1 :AnyPointer;  # a StatusRow of client.capnp
}

struct SnapshotOrder {
  group @0 :UInt64;
  term @1 :UInt64;
  number @2 :UInt64;
  to @3 :UInt64;
  atLeast @4 :UInt64;  # the index of the snapshot, or later
}

struct SnapshotReport {
  group @0 :UInt64;
  number @1 :UInt64;  # of the order
  status @2 :UInt8;   # 0 under way, 1 done, 2 failed
  text @3 :Text;
}

struct RelayRequest {
  id @0 :UInt64;
  group @1 :UInt64;
  remainingMs @2 :UInt32;
  request @3 :Data;  # a Request of client.capnp
}

struct RelayReply {
  id @0 :UInt64;
  reply @1 :Data;  # a Reply of client.capnp
}

struct PeerMessage {
  union {
    hello @0 :Hello;
    goodbye @1 :Goodbye;
    probe @2 :Void;
    probeReply @3 :Void;
    heartbeats @4 :List(Heartbeat);
    heartbeatResponses @5 :List(HeartbeatResponse);
    voteRequest @6 :VoteRequest;
    voteResponse @7 :VoteResponse;
    append @8 :AppendRequest;
    appendResponse @9 :AppendResponse;
    installSnapshot @10 :InstallSnapshot;
    timeoutNow @11 :TimeoutNow;
    readIndex @12 :ReadIndexRequest;
    readIndexResponse @13 :ReadIndexResponse;
    forward @14 :ForwardRequest;
    forwardReply @15 :ForwardReply;
    snapshotChunk @16 :SnapshotChunk;
    snapshotCredit @17 :SnapshotCredit;
    statusQuery @18 :StatusQuery;
    statusAnswer @19 :StatusAnswer;
    relayRequest @20 :RelayRequest;  # for whoever has the feature
    relayReply @21 :RelayReply;
    snapshotOrder @22 :SnapshotOrder;  # likewise
    snapshotReport @23 :SnapshotReport;
  }
}
