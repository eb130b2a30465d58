#include "daemon/node/snapshot_place.hpp"

#include "daemon/kv/snapshot.hpp"
#include "wire/snapshot_codec.hpp"

#include <utility>
#include <vector>

namespace quorumd::node {
namespace {

storage::error damaged(const std::string& path, const std::string& what) {
  return {storage::error_code::corrupt, path,
          what + "; keep the directory for inspection and treat this member as lost (docs/operations.md)"};
}

storage::result<void> next_block(storage::snapshot_reader& reader, const std::string& path,
                                 std::vector<std::byte>& block) {
  const auto more = reader.next(block);
  if (!more) return more.error();
  if (!*more) return damaged(path, "the snapshot ends before its header does");
  return {};
}

} // namespace

storage::result<applier::state> build_state(storage::snapshot_reader& reader, const std::string& path) {
  std::vector<std::byte> block;
  if (auto read = next_block(reader, path, block); !read) return read.error();
  const auto header = wire::decode_snapshot_header(block);
  if (!header) return damaged(path, header.error().what());
  applier::state state;
  if (auto read = next_block(reader, path, block); !read) return read.error();
  if (!state.members.apply(block)) return damaged(path, "the members' incarnations cannot be read");

  kv::store_builder builder(kv::options{}, *header);
  std::vector<kv::record_view> records;
  for (;;) {
    const auto more = reader.next(block);
    if (!more) return more.error();
    if (!*more) break;
    if (auto decoded = wire::decode_snapshot_records(block, records); !decoded)
      return damaged(path, decoded.error().what());
    for (const kv::record_view& r : records)
      if (auto added = builder.add(r); !added) return damaged(path, added.error().message());
  }
  auto store = builder.finish();
  if (!store) return damaged(path, store.error().message());
  state.store = std::move(*store);
  return state;
}

} // namespace quorumd::node
