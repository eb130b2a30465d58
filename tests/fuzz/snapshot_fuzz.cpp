// The blocks of a snapshot file whose checksums hold, whatever is in them: a state, or damage that is named.
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/types/invariant.hpp"
#include "daemon/node/state_builder.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/memory_files.hpp"

#include <cstring>
#include <vector>

using namespace quorumd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  testing::memory_files files;
  QUORUMD_INVARIANT(files.make_directory("/snapshots").has_value(), "a directory can be made");
  const storage::snapshot_info info{.cluster = cluster_id(1),
                                    .group = group_id(1),
                                    .mark = {.index = log_index(5),
                                             .term = term(2),
                                             .members = {.voters = {node_id(1)}, .outgoing = {}, .learners = {}}},
                                    .created_unix_ms = 0};
  auto writer = storage::snapshot_writer::create(files, "/snapshots", info);
  QUORUMD_INVARIANT(writer.has_value(), "a snapshot can be begun");
  while (!in.empty()) {
    const auto bytes = in.take(in.number() + std::size_t{1});
    std::vector<std::uint64_t> words((bytes.size() + 7) / 8); // blocks are of whole words
    if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
    if (!words.empty())
      QUORUMD_INVARIANT((*writer)->append(std::as_bytes(std::span(words))).has_value(), "a block can be written");
  }
  const auto file = (*writer)->finish();
  QUORUMD_INVARIANT(file.has_value(), "a snapshot can be published");
  auto reader = storage::snapshot_reader::open(files, file->path);
  QUORUMD_INVARIANT(reader.has_value(), "a snapshot that was published can be opened");
  node::state_builder builder;
  for (;;) {
    const auto more = builder.read_on(**reader, 4096);
    if (!more) return 0;
    if (!*more) break;
  }
  auto state = builder.finish();
  if (state)
    QUORUMD_INVARIANT(state->store->content_hash() == state->store->recompute_content_hash(), "the hash is checked");
  return 0;
}
