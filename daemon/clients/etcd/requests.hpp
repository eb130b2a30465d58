#pragma once

#include "daemon/client/protocol.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "daemon/kv/command.hpp"

namespace etcdserverpb {
class CompactionRequest;
class DeleteRangeRequest;
class PutRequest;
class RangeRequest;
class TxnRequest;
} // namespace etcdserverpb

namespace quorumd::clients::etcd {

// etcd's requests as the state's: views of the messages. What the state judges itself is passed on as it is.
[[nodiscard]] client::range_read read_of(const etcdserverpb::RangeRequest& r);
/// Of nothing in particular: whether linearizable reads are answered.
[[nodiscard]] client::range_read health_read();
[[nodiscard]] kv::put put_of(const etcdserverpb::PutRequest& r);
[[nodiscard]] kv::delete_range delete_of(const etcdserverpb::DeleteRangeRequest& r);
[[nodiscard]] kv::compact compact_of(const etcdserverpb::CompactionRequest& r);
/// What cannot be said in the state's terms: transactions nested too deep, operations that do nothing.
[[nodiscard]] kv::result<kv::txn> txn_of(const etcdserverpb::TxnRequest& r);

} // namespace quorumd::clients::etcd
