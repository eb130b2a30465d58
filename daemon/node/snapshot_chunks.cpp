#include "daemon/node/snapshot_chunks.hpp"

#include <utility>

namespace quorumd::node {

storage::result<snapshot_part> read_part(storage::snapshot_reader& from, std::uint64_t offset, std::size_t at_most,
                                         std::optional<wire::chunk_packer>& packer) {
  const chunk_ref chunk = chunk_ref::allocate(at_most);
  const auto n = from.read_raw(offset, {chunk.data(), at_most});
  if (!n) return n.error();
  if (*n == 0)
    return storage::error(storage::error_code::corrupt, from.path(), "the snapshot became shorter").at(offset);
  snapshot_part part{.bytes = {chunk, {chunk.data(), *n}}, .file_bytes = *n};
  if (!packer) return part;
  if (auto packed = packer->pack(part.bytes.bytes)) {
    part.bytes = *std::move(packed);
    part.packed = true;
  }
  return part;
}

storage::result<void> write_chunk(storage::snapshot_receiver& to, wire::chunk_unpacker& unpacker,
                                  const wire::snapshot_chunk& c) {
  const auto bytes = unpacker.unpack(c);
  if (!bytes) return storage::error(storage::error_code::corrupt, {}, bytes.error().what()).at(c.offset);
  return to.write(c.offset, *bytes);
}

} // namespace quorumd::node
