@0xa7d2e9f1c3b60584;
# In the sections of a snapshot file: a SnapshotHeader, then SnapshotRecords. docs/disk-format.md explains.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("quorumd::wire::schema");

struct SnapshotHeader {
  applied @0 :UInt64;
  current @1 :UInt64;
  compacted @2 :UInt64;
  contentHash @3 :UInt64;
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
