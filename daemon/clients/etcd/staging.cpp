#include "daemon/clients/etcd/staging.hpp"

namespace quorumd::clients::etcd {

void stage_end(wire::byte_buffer& out, std::uint64_t stream, const grpc_status& s) {
  std::byte* const at = out.prepare(staged_head_bytes + s.text.size());
  std::memset(at, 0, staged_head_bytes);
  store_le(at, static_cast<std::uint32_t>(s.text.size()));
  at[4] = static_cast<std::byte>(staged_kind::end);
  at[5] = static_cast<std::byte>(s.code);
  store_le(at + 8, stream);
  std::memcpy(at + staged_head_bytes, s.text.data(), s.text.size());
  out.commit(staged_head_bytes + s.text.size());
}

staged next_staged(std::span<const std::byte>& rest) {
  const std::size_t size = load_le<std::uint32_t>(rest.data());
  const staged s{.kind = static_cast<staged_kind>(rest[4]),
                 .code = static_cast<grpc_code>(rest[5]),
                 .stream = static_cast<std::int32_t>(load_le<std::uint64_t>(rest.data() + 8)),
                 .content = rest.subspan(staged_head_bytes, size)};
  rest = rest.subspan(staged_head_bytes + size);
  return s;
}

} // namespace quorumd::clients::etcd
