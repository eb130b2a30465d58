@0xd3f0a6c1b2e84957;
# The commands of the log and what they did, which the client protocol and the snapshots share. docs/wire-format.md explains.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("quorumd::kv::schema");

struct Put {
  key @0 :Data;
  value @1 :Data;
  lease @2 :UInt64;
  prevKv @3 :Bool;
  ignoreValue @4 :Bool;
  ignoreLease @5 :Bool;
}

struct DeleteRange {
  key @0 :Data;
  rangeEnd @1 :Data;
  prevKv @2 :Bool;
}

struct Range {
  key @0 :Data;
  rangeEnd @1 :Data;
  limit @2 :UInt64;
  revision @3 :UInt64;
  keysOnly @4 :Bool;
  countOnly @5 :Bool;
  skipCount @6 :Bool;
  target @7 :UInt8;  # 0 key, 1 version, 2 create revision, 3 mod revision, 4 value
  order @8 :UInt8;   # 0 none, 1 ascending, 2 descending
  minModRevision @9 :UInt64;
  maxModRevision @10 :UInt64;
  minCreateRevision @11 :UInt64;
  maxCreateRevision @12 :UInt64;
  pageBytesMax @13 :UInt64;
}

struct Compare {
  key @0 :Data;
  rangeEnd @1 :Data;
  target @2 :UInt8;    # 0 version, 1 create revision, 2 mod revision, 3 value, 4 lease
  relation @3 :UInt8;  # 0 equal, 1 greater, 2 less, 3 not equal
  number @4 :Int64;
  value @5 :Data;
}

struct Operation {
  union {
    put @0 :Put;
    range @1 :Range;
    deleteRange @2 :DeleteRange;
    txn @3 :Txn;
  }
}

struct Txn {
  compares @0 :List(Compare);
  success @1 :List(Operation);
  failure @2 :List(Operation);
}

struct Context {
  # Who asked, in which session, and when. The principal and the time are room: no version writes them yet, and this one
  # stops at a command that has one, since it could not honour it.
  principal @0 :Text;
  session @1 :UInt64;
  sequence @2 :UInt64;
  timeMs @3 :UInt64;  # since 1970, by the clock of whoever accepted the command
  answered @4 :UInt64;  # the client has the answers of all up to this sequence
}

struct OpenSession {
  nonce @0 :UInt64;
  idleMsMax @1 :UInt64;
}

struct GrantLease {
  id @0 :UInt64;  # 0: the store names it
  ttlS @1 :Int64;
}

struct ExpireLease {
  id @0 :UInt64;
  granted @1 :UInt64;  # by the entry of this index
}

struct LeaseCheckpoint {
  id @0 :UInt64;
  granted @1 :UInt64;
  remainingMs @2 :UInt64 = 0xffffffffffffffff;  # as it is: all of it
}

struct LeaseQuestion {
  what @0 :UInt8;  # 0 renew, 1 time left, 2 the leases behind id
  id @1 :UInt64;
  keys @2 :Bool;
  after @3 :Data;  # keys behind this one
}

struct Settings {
  keepRevisions @0 :UInt64;
  historyBytesMax @1 :UInt64;
  quotaBytes @2 :UInt64;  # 0: none
  keepForMs @3 :UInt64;  # 0: none
}

struct Configure {
  values @0 :Settings;
  given @1 :UInt8;    # which of them: 1 keepRevisions, 2 historyBytesMax, 4 quotaBytes, 8 keepForMs; the others stay
  initial @2 :Bool;   # only if there are none yet
}

struct Command {
  union {
    put @0 :Put;
    deleteRange @1 :DeleteRange;
    txn @2 :Txn;
    compact @3 :UInt64;  # the revision
    configure @6 :Configure;
    openSession @7 :OpenSession;
    closeSession @8 :UInt64;
    passTime @9 :UInt64;     # milliseconds; a leader's own
    raiseLevel @10 :UInt16;  # a leader's own
    grantLease @11 :GrantLease;
    revokeLease @12 :UInt64;
    expireLease @13 :ExpireLease;                   # a leader's own
    checkpointLeases @14 :List(LeaseCheckpoint);  # a leader's own
    leaseQuestion @15 :LeaseQuestion;               # never in the log
  }
  version @4 :UInt16;    # in the log: the lowest version of commands in which everything here is known; a client's is 0
  context @5 :Context;   # null: none
}

struct KeyValue {
  key @0 :Data;
  value @1 :Data;
  createRevision @2 :UInt64;
  modRevision @3 :UInt64;
  version @4 :UInt64;
  lease @5 :UInt64;
}

struct PutReply {
  prev @0 :KeyValue;  # null: none
}

struct DeleteRangeReply {
  deleted @0 :UInt64;
  prev @1 :List(KeyValue);
}

struct RangeReply {
  revision @0 :UInt64;
  kvs @1 :List(KeyValue);
  count @2 :UInt64;
  more @3 :Bool;
}

struct OperationReply {
  union {
    put @0 :PutReply;
    range @1 :RangeReply;
    deleteRange @2 :DeleteRangeReply;
    txn @3 :TxnReply;
  }
}

struct TxnReply {
  succeeded @0 :Bool;
  responses @1 :List(OperationReply);
}

struct StoreError {
  code @0 :UInt8;
  bound @1 :UInt64;
}

struct GrantLeaseReply {
  id @0 :UInt64;
  ttlS @1 :Int64;  # as it was granted
}

struct LeaseAnswer {
  id @0 :UInt64;
  ttlS @1 :Int64;  # left
  grantedTtlS @2 :Int64;
  keys @3 :List(Data);
  leases @4 :List(UInt64);
  more @5 :Bool;
}

struct Outcome {
  # What a command did.
  revision @0 :UInt64;
  union {
    put @1 :PutReply;
    deleteRange @2 :DeleteRangeReply;
    txn @3 :TxnReply;
    compact @4 :Void;
    error @5 :StoreError;
    configure @6 :Settings;  # all of them, afterwards
    openSession @7 :UInt64;
    done @8 :Void;
    grantLease @9 :GrantLeaseReply;
    lease @10 :LeaseAnswer;
  }
}
