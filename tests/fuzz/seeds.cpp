// Writes the seeds of the targets whose input is not text: `fuzz_seeds DIRECTORY`, which then has a folder a target.
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal_format.hpp"
#include "consensus/storage/wal_recovery.hpp"
#include "consensus/types/invariant.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/sim/prng.hpp"
#include "tests/support/memory_files.hpp"
#include "tests/support/sample.hpp"
#include "wire/peer_codec.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace quorumd;

namespace {

constexpr std::uint64_t seeds_a_target = 24;

class folder {
 public:
  explicit folder(const std::filesystem::path& path)
      : path_(path) {
    std::filesystem::create_directories(path_);
  }
  void add(std::span<const std::byte> bytes) {
    std::ofstream out(path_ / std::to_string(++count_), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  std::filesystem::path path_;
  int count_ = 0;
};

using bytes = std::vector<std::byte>;

void append(bytes& to, std::span<const std::byte> more) {
  to.insert(to.end(), more.begin(), more.end());
}
/// With its length in front, as input::number() reads it.
void append_counted(bytes& to, std::span<const std::byte> more, std::size_t one_less) {
  const std::size_t n = more.size() - one_less;
  to.push_back(static_cast<std::byte>(n & 0xff));
  to.push_back(static_cast<std::byte>(n >> 8));
  append(to, more);
}

void write_wire(const std::filesystem::path& at) {
  folder f(at);
  for (std::uint64_t seed = 1; seed <= seeds_a_target; ++seed) {
    testing::sampler s(seed);
    wire::byte_buffer out;
    if (seed % 2 == 0)
      client::encode_request(out, s.request());
    else
      wire::encode_hello(out, s.greeting());
    bytes b{std::byte{255}};
    append(b, out.bytes());
    f.add(b);
  }
  for (std::uint64_t seed = 1; seed <= seeds_a_target / 4; ++seed) {
    wire::byte_buffer out;
    wire::encode_peer(out, testing::sampler(seed).packed_chunk());
    bytes b{std::byte{255}};
    append(b, out.bytes());
    f.add(b);
  }
}

std::vector<std::pair<kv::command, kv::session_call>> some_commands(std::uint64_t seed) {
  static const std::vector<std::string> keys{"a", "ab", "b", "c"};
  sim::prng random(seed);
  const auto key = [&]() -> std::string_view { return keys[random.below(keys.size())]; };
  std::vector<std::pair<kv::command, kv::session_call>> all;
  for (std::uint64_t n = 1 + random.below(12); n > 0; --n) {
    kv::session_call call;
    if (random.below(4) == 0) call = {session_id(1 + random.below(3)), 1 + random.below(4), 0};
    switch (random.below(12)) {
    case 0:
      all.emplace_back(kv::delete_range{.key = key(), .range_end = random.coin() ? "c" : "", .prev_kv = random.coin()},
                       call);
      break;
    case 1:
      all.emplace_back(kv::compact{revision(1 + random.below(6))}, call);
      break;
    case 2:
      all.emplace_back(kv::open_session{.nonce = random.next(), .idle_ms_max = 5000}, kv::session_call());
      break;
    case 3:
      all.emplace_back(kv::pass_time{random.below(9000)}, kv::session_call());
      break;
    case 8:
      all.emplace_back(
          kv::grant_lease{.id = lease_id(random.below(4)), .ttl_s = static_cast<std::int64_t>(random.below(9))}, call);
      break;
    case 9:
      all.emplace_back(kv::revoke_lease{lease_id(1 + random.below(3))}, call);
      break;
    case 10:
      all.emplace_back(kv::expire_lease{lease_id(1 + random.below(3)), log_index(1 + random.below(9))},
                       kv::session_call());
      break;
    case 11:
      all.emplace_back(kv::checkpoint_leases{{{lease_id(1 + random.below(3)), log_index(1 + random.below(9)), 1500}}},
                       kv::session_call());
      break;
    case 4: {
      kv::txn t;
      t.compares.push_back({.key = key(), .range_end = "z", .number = 1});
      t.success.push_back({kv::put{.key = key(), .value = "x", .prev_kv = true}});
      t.success.push_back({kv::range_request{.key = "a", .range_end = "z"}});
      t.failure.push_back({kv::delete_range{.key = "a", .range_end = "z"}});
      all.emplace_back(std::move(t), call);
      break;
    }
    default:
      all.emplace_back(kv::put{.key = key(),
                               .value = "some value",
                               .lease = lease_id(random.coin() ? 0 : 1 + random.below(3)),
                               .prev_kv = random.coin()},
                       call);
    }
  }
  return all;
}

void write_store(const std::filesystem::path& at) {
  folder f(at);
  chunk_arena arena;
  for (std::uint64_t seed = 1; seed <= seeds_a_target; ++seed) {
    bytes b;
    for (const auto& [command, call] : some_commands(seed)) {
      const proposal p = kv::encode_command(arena, command, call);
      b.push_back(std::byte{3});
      append_counted(b, std::as_const(p).payload(), 0);
    }
    f.add(b);
  }
}

void write_snapshots(const std::filesystem::path& at) {
  folder f(at);
  for (std::uint64_t seed = 1; seed <= seeds_a_target; ++seed) {
    kv::store store({});
    log_index index;
    for (const auto& [command, call] : some_commands(seed)) (void)store.apply(index = index.next(), command, call);
    node::state_blocks blocks(store, node::membership());
    wire::byte_buffer block;
    bytes b;
    while (!blocks.done()) {
      blocks.next(block, 64);
      if (!block.bytes().empty()) append_counted(b, block.bytes(), 1);
    }
    f.add(b);
  }
}

void write_logs(const std::filesystem::path& at) {
  folder f(at);
  storage::wal_options options;
  options.segment_bytes = 16384;
  options.reserve_bytes = 16384;
  for (std::uint64_t seed = 1; seed <= seeds_a_target; ++seed) {
    testing::memory_files files;
    QUORUMD_INVARIANT(files.make_directory("/data/wal").has_value(), "a directory can be made");
    sim::sim_entropy entropy{sim::prng(seed)};
    log_index next(1);
    for (std::uint64_t n = 1; n <= 1 + seed % 4; ++n) {
      storage::write w{.group = group_id(1),
                       .number = {},
                       .hard = hard_state{term(n), node_id(1)},
                       .install = {},
                       .entries = {},
                       .commit = {}};
      for (int i = 0; i < 3; ++i, next = next.next())
        w.entries.push_back(
            entry::make(group_id(1), term(1), next, entry_kind::command, std::as_bytes(std::span("some bytes"))));
      const auto written = storage::append_to_log(files, "/data/wal", options, entropy, {}, w);
      if (!written) throw std::runtime_error(written.error().message());
    }
    bytes b{std::byte{0}};
    for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) {
      const auto paths = files.paths();
      const std::string path = "/data/wal/" + storage::segment_name(sequence);
      if (std::find(paths.begin(), paths.end(), path) != paths.end()) append(b, files.contents(path));
    }
    f.add(b);
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const std::filesystem::path at(argv[1]);
  write_wire(at / "wire");
  write_store(at / "store");
  write_snapshots(at / "snapshot");
  write_logs(at / "log");
  return 0;
}
