#include "daemon/node/state_builder.hpp"

#include "wire/snapshot_codec.hpp"

#include <utility>

namespace quorumd::node {
namespace {

storage::error damaged(const std::string& path, const std::string& what) {
  return {storage::error_code::corrupt, path,
          what + "; keep the directory for inspection and treat this member as lost (docs/operations.md)"};
}

} // namespace

storage::result<bool> state_builder::read_on(storage::snapshot_reader& reader, std::size_t bytes_max) {
  path_ = reader.path();
  for (const std::uint64_t until = reader.position() + bytes_max; reader.position() < until;) {
    storage::result<bool> more = reader.next(block_);
    if (!more || !*more) return more;
    const storage::result<void> taken = take(block_);
    if (!taken) return taken.error();
  }
  return true;
}

storage::result<void> state_builder::take(std::span<const std::byte> block) {
  const std::uint64_t number = blocks_++;
  if (number == 0) {
    const auto header = wire::decode_snapshot_header(block);
    if (!header) return damaged(path_, header.error().what());
    store_.emplace(kv::options{}, *header);
    return {};
  }
  if (number == 1) {
    if (!state_.members.apply(block)) return damaged(path_, "the members' incarnations cannot be read");
    return {};
  }
  const auto decoded = wire::decode_snapshot_records(block, records_);
  if (!decoded) return damaged(path_, decoded.error().what());
  for (const kv::record_view& r : records_)
    if (const auto added = store_->add(r); !added) return damaged(path_, added.error().message());
  return {};
}

storage::result<applier::state> state_builder::finish() {
  if (blocks_ < 2) return damaged(path_, "the snapshot ends before its header does");
  auto store = store_->finish();
  if (!store) return damaged(path_, store.error().message());
  state_.store = std::move(*store);
  return std::move(state_);
}

} // namespace quorumd::node
