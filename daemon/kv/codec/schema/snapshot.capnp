@0xa7d2e9f1c3b60584;
# In the sections of a snapshot file: a SnapshotHeader, SnapshotLeases, SnapshotSessions, then SnapshotRecords. docs/disk-format.md explains.
using Cxx = import "/capnp/c++.capnp";
using Shared = import "command.capnp";
$Cxx.namespace("quorumd::kv::schema");

struct SnapshotHeader {
  applied @0 :UInt64;
  current @1 :UInt64;
  compacted @2 :UInt64;
  contentHash @3 :UInt64;
  level @4 :UInt16;
  timeMs @5 :UInt64;
}

struct SnapshotAnswer {
  sequence @0 :UInt64;
  after @1 :UInt64;
  kept @2 :UInt8;  # 0 of a put, without what was there before, 1 too large to be kept, 2 as the outcome says
  outcome @3 :Shared.Outcome;
}

struct SnapshotSession {
  id @0 :UInt64;
  idleMsMax @1 :UInt64;
  usedMs @2 :UInt64;
  answered @3 :UInt64;
  answers @4 :List(SnapshotAnswer);
}

struct SnapshotLease {
  id @0 :UInt64;
  ttlS @1 :Int64;
  granted @2 :UInt64;
  remainingMs @3 :UInt64 = 0xffffffffffffffff;  # as it is: all of it
}

struct SnapshotLeases {
  leases @0 :List(SnapshotLease);
}

struct SnapshotRecord {
  key @0 :Data;
  value @1 :Data;
  createRevision @2 :UInt64;
  modRevision @3 :UInt64;
  sub @4 :UInt32;
  version @5 :UInt64;
  lease @6 :UInt64;
}

struct SnapshotRecords {
  records @0 :List(SnapshotRecord);
}
