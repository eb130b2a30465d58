@0xe1b5c8d2f7a34061;
# The client port and the admin socket: Request one way, Reply the other.
using Cxx = import "/capnp/c++.capnp";
using Shared = import "command.capnp";
$Cxx.namespace("quorumd::wire::schema");

struct ClientHello {
  versionMin @0 :UInt16;
  versionMax @1 :UInt16;
  software @2 :Text;
  bulk @3 :Bool;  # yields to other clients
}

struct RangeRead {
  request @0 :Shared.Range;
  serializable @1 :Bool;
  keepMs @2 :UInt32;
}

struct ProfileRequest {
  kind @0 :UInt8;  # 0 cpu, 1 heap
  seconds @1 :UInt32;
}

struct Request {
  id @0 :UInt64;
  remainingMs @1 :UInt32;
  union {
    hello @2 :ClientHello;
    command @3 :Shared.Command;
    range @4 :RangeRead;
    status @5 :Bool;  # of all members
    health @6 :Void;
    metrics @7 :Void;  # of this node
    profile @8 :ProfileRequest;  # on the admin socket
  }
  leaderWaitMs @9 :UInt32;
}

struct HelloReply {
  version @0 :UInt16;
  software @1 :Text;
  nodeName @2 :Text;
  clusterName @3 :Text;
}

struct HealthReply {
  serving @0 :Bool;
  reason @1 :Text;
}

struct Distribution {
  # Counts of values in log-linear buckets; docs/wire-format.md says which.
  name @0 :Text;
  of @1 :Text;
  unit @2 :UInt8;  # 0 nanoseconds, 1 a count, 2 bytes
  sum @3 :UInt64;
  max @4 :UInt64;
  firstBucket @5 :UInt16;
  buckets @6 :List(UInt64);
}

struct Reading {
  name @0 :Text;
  of @1 :Text;
  value @2 :UInt64;
}

struct MetricsReply {
  node @0 :Text;
  upMs @1 :UInt64;
  distributions @2 :List(Distribution);
  readings @3 :List(Reading);
}

struct ProfileReply {
  note @0 :Text;  # what the bytes show, for a person
  bytes @1 :Data;
}

struct Error {
  code @0 :UInt8;
  text @1 :Text;
  leader @2 :Text;
  store @3 :Shared.StoreError;
}

struct Reply {
  id @0 :UInt64;
  union {
    error @1 :Error;
    hello @2 :HelloReply;
    outcome @3 :Shared.Outcome;
    range @4 :Shared.RangeReply;
    status @5 :List(Shared.StatusRow);
    health @6 :HealthReply;
    metrics @7 :MetricsReply;
    profile @8 :ProfileReply;
  }
}
