// Commands, as the log has them, through the state machine: its hash is that of what it holds, however the work is cut,
// and a snapshot gives the same state.
#include "consensus/types/invariant.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/snapshot.hpp"
#include "tests/fuzz/input.hpp"

#include <cstring>
#include <utility>
#include <vector>

using namespace quorumd;

namespace {

constexpr std::size_t commands_max = 64;

void check_snapshot(kv::store& s) {
  kv::snapshot_cursor cursor(s);
  kv::store_builder builder({}, cursor.header());
  for (const auto& session : cursor.sessions())
    QUORUMD_INVARIANT(builder.add(kv::session_record(*session)).has_value(), "a session goes through a snapshot");
  while (!cursor.leases().done())
    for (const kv::lease_record& l : cursor.leases().next(2))
      QUORUMD_INVARIANT(builder.add(l).has_value(), "a lease goes through a snapshot");
  while (!cursor.done())
    for (const kv::record_view& r : cursor.next(256))
      QUORUMD_INVARIANT(builder.add(r).has_value(), "a record goes through a snapshot");
  const auto built = builder.finish();
  QUORUMD_INVARIANT(built.has_value() && (*built)->recompute_content_hash() == s.content_hash(),
                    "a snapshot holds the state");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  kv::store whole({});
  kv::store cut({});
  log_index index;
  for (std::size_t n = 0; n < commands_max && !in.empty(); ++n) {
    const std::size_t slice = in.byte() + std::size_t{1};
    const auto bytes = in.take(in.number());
    std::vector<std::uint64_t> words((bytes.size() + 7) / 8); // commands are aligned
    if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
    const auto command = kv::decode_command(std::as_bytes(std::span(words)));
    if (!command) continue;
    index = index.next();
    const bool one = whole.apply(index, command->what, command->call).has_value();
    cut.begin(index, command->what, slice % 2 == 0, command->call);
    while (!cut.proceed(slice)) {
    }
    const bool other = cut.finish().has_value();
    while (cut.compact_step(slice)) {
    }
    QUORUMD_INVARIANT(one == other && whole.content_hash() == cut.content_hash(), "slices change nothing");
  }
  QUORUMD_INVARIANT(whole.content_hash() == whole.recompute_content_hash(), "the hash is that of the contents");
  check_snapshot(cut);
  return 0;
}
