#include "daemon/node/state_builder.hpp"

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
  while (!block.empty()) {
    const auto section = kv::take_snapshot_section(block);
    if (!section && section.error().code() == wire::codec_errc::unknown_kind)
      return storage::error(storage::error_code::version, path_,
                            "the snapshot has " + section.error().what() +
                                ": start the version that wrote it, or a later one");
    if (!section) return damaged(path_, section.error().what());
    if (auto taken = take(*section); !taken) return taken;
  }
  return {};
}

storage::result<void> state_builder::take(const kv::snapshot_section_view& section) {
  if (section.kind != kv::snapshot_section::state && !store_)
    return damaged(path_, "the snapshot has no state in front");
  switch (section.kind) {
  case kv::snapshot_section::state: {
    const auto header = kv::decode_snapshot_header(section.body);
    if (!header || store_) return damaged(path_, header ? "the snapshot has two states" : header.error().what());
    store_.emplace(kv::options{}, *header, how_);
    return {};
  }
  case kv::snapshot_section::members:
    if (has_members_ || !state_.members.restore(section.body))
      return damaged(path_, "what it says of the members cannot be read");
    has_members_ = true;
    return {};
  case kv::snapshot_section::settings: {
    const auto settings = kv::decode_snapshot_settings(section.body);
    if (!settings) return damaged(path_, settings.error().what());
    store_->add(*settings);
    return {};
  }
  case kv::snapshot_section::session: {
    auto session = kv::decode_snapshot_session(section.body);
    if (!session) return damaged(path_, session.error().what());
    if (const auto added = store_->add(std::move(*session)); !added) return damaged(path_, added.error().message());
    return {};
  }
  case kv::snapshot_section::leases: {
    const auto leases = kv::decode_snapshot_leases(section.body);
    if (!leases) return damaged(path_, leases.error().what());
    for (const kv::lease_record& l : *leases)
      if (const auto added = store_->add(l); !added) return damaged(path_, added.error().message());
    return {};
  }
  case kv::snapshot_section::records:
    return take_records(section.body);
  }
  return {};
}

storage::result<void> state_builder::take_records(std::span<const std::byte> body) {
  const auto decoded = kv::decode_snapshot_records(body, records_);
  if (!decoded) return damaged(path_, decoded.error().what());
  for (const kv::record_view& r : records_)
    if (const auto added = store_->add(r); !added) return damaged(path_, added.error().message());
  return {};
}

storage::result<applier::state> state_builder::finish() {
  if (!store_ || !has_members_) return damaged(path_, "the snapshot ends before its state does");
  auto store = store_->finish();
  if (!store) return damaged(path_, store.error().message());
  state_.store = std::move(*store);
  return std::move(state_);
}

} // namespace quorumd::node
