@0xe1b5c8d2f7a34061;
# The client port and the admin socket: Request one way, Reply the other.
using Cxx = import "/capnp/c++.capnp";
using Shared = import "/daemon/kv/codec/schema/command.capnp";
$Cxx.namespace("quorumd::client::schema");

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
  maxAgeMs @3 :UInt32;  # 0: none
}

struct ProfileRequest {
  kind @0 :UInt8;  # 0 cpu, 1 heap
  seconds @1 :UInt32;
}

struct MemberSpec {
  name @0 :Text;
  address @1 :Text;  # for the other members; empty: as it is
  newName @2 :Text;  # replace: empty for the same
  priority @3 :UInt8 = 255;  # for leadership; 255: as it is
  witness @4 :Bool;  # add: it is to vote and hold no data
}

struct MemberChange {
  action @0 :UInt8;  # 0 add, 1 remove, 2 promote, 3 demote, 4 update, 5 replace
  members @1 :List(MemberSpec);
  force @2 :Bool;
  promote @3 :Bool;  # add, replace: once it has caught up
}

struct JoinRequest {
  name @0 :Text;
  address @1 :Text;
}

struct SnapshotRequest {
  handle @0 :UInt64;  # 0: opens one
  offset @1 :UInt64;
  atLeast @2 :UInt64;  # an index; 0: all that the node has applied
}

struct WatchRequest {
  key @0 :Data;
  rangeEnd @1 :Data;
  start @2 :UInt64;  # 0: the answer says where to begin, at once
  startSub @3 :UInt32;  # that many changes of it are known
  noPut @4 :Bool;
  noDelete @5 :Bool;
  prevKv @6 :Bool;
  waitMs @7 :UInt32;
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
    members @10 :Void;
    memberChange @11 :MemberChange;
    leaderTransfer @12 :Text;  # to that member; empty: to the best
    join @13 :JoinRequest;
    snapshot @14 :SnapshotRequest;
    watch @15 :WatchRequest;
  }
  leaderWaitMs @9 :UInt32;
}

struct StateMark {
  # What the state hashes to after the entry.
  index @0 :UInt64;
  hash @1 :UInt64;
  revision @2 :UInt64;
}

struct StatusRow {
  id @0 :UInt64;
  name @1 :Text;
  address @2 :Text;
  version @3 :Text;
  group @4 :UInt64;
  role @5 :UInt8;  # 0 follower, 1 pre-candidate, 2 candidate, 3 leader
  leader @6 :UInt64;
  term @7 :UInt64;
  commit @8 :UInt64;
  applied @9 :UInt64;
  revision @10 :UInt64;
  keys @11 :UInt64;
  diskBytes @12 :UInt64;
  lag @13 :UInt64;
  error @14 :Text;
  accepting @15 :Bool;  # puts: its disk has room
  storeBytes @16 :UInt64;
  historyBytes @17 :UInt64;  # of them
  settings @18 :Shared.Settings;    # null: none yet
  marks @19 :List(StateMark);  # at some earlier indexes, ascending, and at `applied`
  speaks @20 :UInt16 = 1;  # the members' protocol: what all of them know is used
  witness @21 :Bool;  # it holds no data
  keysHash @22 :UInt64;  # of the versions that can be read, at `revision` and from `compacted` on; 0: it does not say
  compacted @23 :UInt64;
  corrupt @24 :Text;  # why its state counts for nothing
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

struct NamedMember {
  id @0 :UInt64;
  name @1 :Text;
}

struct MetricsReply {
  node @0 :Text;
  upMs @1 :UInt64;
  distributions @2 :List(Distribution);
  readings @3 :List(Reading);
  id @4 :UInt64;  # the node's; 0: it does not say
  members @5 :List(NamedMember);
}

struct ProfileReply {
  note @0 :Text;  # what the bytes show, for a person
  bytes @1 :Data;
}

struct MemberRow {
  id @0 :UInt64;
  name @1 :Text;
  address @2 :Text;  # for the other members
  clientAddress @3 :Text;
  role @4 :UInt8;  # 0 voter, 1 learner, 2 incoming, 3 outgoing
  promotes @5 :Bool;  # a learner, once it has caught up
  leader @6 :Bool;
  connected @7 :Bool;
  match @8 :UInt64;  # 0: unknown
  behind @9 :UInt64;  # entries
  incarnation @10 :UInt64;  # 0: none on record
  priority @11 :UInt8 = 50;  # for leadership
  witness @12 :Bool;
}

struct MembersReply {
  cluster @0 :UInt64;
  clusterName @1 :Text;
  index @2 :UInt64;  # of the entry that the configuration is from; 0: the configuration files
  changing @3 :Bool;
  fromLeader @4 :Bool;
  term @6 :UInt64;
  rows @5 :List(MemberRow);
}

struct SnapshotReply {
  handle @0 :UInt64;  # 0: there is none yet
  index @1 :UInt64;
  total @2 :UInt64;
  bytes @3 :Data;
  note @4 :Text;  # no handle: why the last one could not be taken
}

struct WatchEvent {
  kv @0 :Shared.KeyValue;  # of version 0: the key was deleted
  prev @1 :Shared.KeyValue;  # null: none, or not asked for
}

struct WatchReply {
  next @0 :UInt64;  # where to go on
  nextSub @1 :UInt32;
  events @2 :List(WatchEvent);
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
    status @5 :List(StatusRow);
    health @6 :HealthReply;
    metrics @7 :MetricsReply;
    profile @8 :ProfileReply;
    members @9 :MembersReply;
    snapshot @10 :SnapshotReply;
    watch @11 :WatchReply;
  }
}
