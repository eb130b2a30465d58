#include "daemon/node/witness.hpp"

#include "daemon/node/state_builder.hpp"
#include "daemon/node/state_writer.hpp"

#include <algorithm>
#include <variant>

namespace quorumd::node {
namespace {

constexpr const char* folder = "witness";

entry without_command(group_id group, const entry& e) {
  return entry::make(group, e.term(), e.index(), entry_kind::withheld, {});
}

/// A store without a key, as far as that index.
storage::result<std::unique_ptr<kv::store>> empty_store(const storage::snapshot_reader& of) {
  kv::store fresh(kv::options{});
  kv::snapshot_header header = kv::snapshot_cursor(fresh).header();
  header.applied = of.info().mark.index;
  kv::store_builder builder(kv::options{}, header);
  auto store = builder.finish();
  if (!store) return storage::error(storage::error_code::corrupt, of.path(), store.error().message());
  return std::move(*store);
}

} // namespace

void withhold(group_id group, std::vector<raft::outgoing>& messages, const std::vector<node_id>& witnesses) {
  if (witnesses.empty()) return;
  for (raft::outgoing& o : messages) {
    auto* append = std::get_if<raft::append_request>(&o.message);
    if (append == nullptr || std::find(witnesses.begin(), witnesses.end(), o.to) == witnesses.end()) continue;
    for (entry& e : append->entries)
      if (e.kind() == entry_kind::command) e = without_command(group, e);
  }
}

storage::result<std::unique_ptr<storage::snapshot_reader>> open_for_witness(const snapshot_place& place) {
  auto newest = storage::open_newest_snapshot(place.files, place.directory, place.group);
  if (!newest) return newest.error();
  state_builder members; // they stand in the first block
  if (auto read = members.read_on(**newest, 1); !read) return read.error();
  auto store = empty_store(**newest);
  if (!store) return store.error();
  applier::state state{.store = std::move(*store), .members = members.members()};

  const std::string directory = storage::join(place.directory, folder);
  if (auto made = place.files.make_directory(directory); !made) return made.error();
  auto written = write_state(place.files, directory, (*newest)->info(), state, {});
  if (!written) return written.error();
  (void)storage::remove_snapshots_below(place.files, directory, place.group, written->info.mark.index);
  return storage::snapshot_reader::open(place.files, written->path);
}

} // namespace quorumd::node
