#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"

#include <cstddef>

namespace quorumd::kv {

/// Checks what can be judged without the state: empty keys, options that exclude each other, the operations and the
/// bytes of a command, keys that a transaction would change twice. To be called before a command is accepted;
/// store::apply judges again, so that a bad command in the log fails alike on every node.
///
/// Stricter than etcd in one point: a put and a delete of one key in two sibling nested transactions are refused in
/// either order (etcd overlooks the put that comes first). Hence a key changes at most once a revision.
/// A node may accept less than request_bytes_max, but judges what is in the log by that alone.
[[nodiscard]] result<void> validate(const command& c, std::size_t bytes_max = request_bytes_max);
[[nodiscard]] result<void> validate(const range_request& r);
/// Whether a command of a session can have these numbers.
[[nodiscard]] result<void> validate(const session_call& c);

} // namespace quorumd::kv
