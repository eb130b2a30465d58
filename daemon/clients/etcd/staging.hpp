#pragma once

#include "consensus/types/little_endian.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "wire/byte_buffer.hpp"

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

/// What calls are answered, on its way from the group's loop to the connection's: records of a fixed head, with the
/// content behind it.
namespace quorumd::clients::etcd {

enum class staged_kind : std::uint8_t {
  answer, ///< a message, prefix and all, with which the call ends
  part,   ///< a message, and the call goes on
  page,   ///< a part of a range (range_pages.hpp)
  end,    ///< the call ends with a status; its text is the content
};

struct staged {
  staged_kind kind = staged_kind::end;
  grpc_code code = grpc_code::ok; ///< of `end`
  std::int32_t stream = 0;
  std::span<const std::byte> content;
};

inline constexpr std::size_t staged_head_bytes = 16;

/// A message; `encode` appends it, and says how many bytes it takes.
template <class Encode>
void stage_message(wire::byte_buffer& out, staged_kind kind, std::uint64_t stream, Encode encode) {
  const std::size_t before = out.size();
  std::memset(out.prepare(staged_head_bytes + prefix_bytes), 0, staged_head_bytes + prefix_bytes);
  out.commit(staged_head_bytes + prefix_bytes);
  const std::size_t size = encode(out);
  std::byte* const at = out.at(before);
  store_le(at, static_cast<std::uint32_t>(prefix_bytes + size));
  at[4] = static_cast<std::byte>(kind);
  store_le(at + 8, stream);
  write_prefix(at + staged_head_bytes, size);
}
void stage_end(wire::byte_buffer& out, std::uint64_t stream, const grpc_status& s);
/// The record at the front, which is taken off.
[[nodiscard]] staged next_staged(std::span<const std::byte>& rest);

} // namespace quorumd::clients::etcd
