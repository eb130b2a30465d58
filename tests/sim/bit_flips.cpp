#include "tests/sim/bit_flips.hpp"

#include "consensus/storage/segment_reader.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal_format.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::sim {
namespace {

using storage::error_code;
using testing::memory_files;

constexpr const char* wal_directory = "/data/wal";
constexpr const char* snapshot_directory = "/data/snapshots";
constexpr group_id group{1};

using storage::recovered_group;

/// But for the commit, which a log may learn again.
bool same(const recovered_group& a, const recovered_group& b) {
  return a.hard == b.hard && a.start == b.start && a.last == b.last && a.runs == b.runs;
}

std::string text(const recovered_group& g) {
  return "term " + std::to_string(g.hard.term.value()) + ", vote " + std::to_string(g.hard.vote.value()) +
         ", entries after " + std::to_string(g.start.index.value()) + " to " + std::to_string(g.last.value());
}

storage::result<recovered_group> recover(memory_files& disk, const storage::wal_options& o, prng p) {
  auto newest = storage::newest_snapshot(disk, snapshot_directory, group);
  if (!newest) return newest.error();
  std::vector<storage::group_snapshot> snapshots;
  if (newest->newest) snapshots.push_back({group, newest->newest->info.mark});
  sim_entropy random(p);
  const auto log = storage::wal::open(disk, wal_directory, o, random, snapshots);
  if (!log) return log.error();
  for (const recovered_group& g : (*log)->recovered())
    if (g.group == group) return g;
  return recovered_group{};
}

struct segment {
  std::string path;
  std::uint64_t sequence = 0;
  std::vector<std::byte> bytes;
};

std::vector<segment> segments_of(const memory_files& disk) {
  std::vector<segment> all;
  for (const std::string& path : disk.paths()) {
    if (!path.starts_with(std::string(wal_directory) + '/')) continue;
    const auto sequence = storage::parse_segment_name(path.substr(path.rfind('/') + 1));
    if (sequence) all.push_back({path, *sequence, disk.contents(path)});
  }
  std::sort(all.begin(), all.end(), [](const segment& a, const segment& b) { return a.sequence < b.sequence; });
  return all;
}

struct place {
  const segment* of = nullptr;
  std::uint64_t begin = 0;
};

/// Where the log's last whole batch begins; its segment's beginning if it is the only one there.
place last_batch(memory_files& disk, const std::vector<segment>& all) {
  for (auto s = all.rbegin(); s != all.rend(); ++s) {
    const auto reader = storage::segment_reader::open(disk, s->path);
    if (!reader || (*reader)->header().state != storage::header_state::good) continue;
    const storage::segment_header h = (*reader)->header().header;
    if (h.sequence != s->sequence) continue;
    place last;
    std::uint64_t number = h.first_number;
    for (std::uint64_t at = storage::block_bytes;; ++number) {
      const auto b = (*reader)->read(at, {h.id, number});
      if (!b || b->state != storage::segment_reader::found::good) break;
      last = {&*s, number == h.first_number ? 0 : at};
      at += b->padded;
    }
    if (last.of != nullptr) return last;
  }
  return {};
}

/// The log as if its last batch had never been written.
storage::result<recovered_group> without(const place& last, const memory_files& disk, const storage::wal_options& o,
                                         prng p) {
  const auto shorter = disk.copy();
  std::vector<std::byte> bytes = last.of->bytes;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(last.begin), bytes.end(), std::byte{0});
  shorter->set_contents(last.of->path, std::move(bytes));
  return recover(*shorter, o, p);
}

} // namespace

std::string bit_flips::try_one(const memory_files& disk) {
  const prng entropy = random_.fork(random_.next());
  const std::vector<segment> all = segments_of(disk);
  if (all.empty()) return {};
  const segment& hit = all[random_.below(all.size())];
  if (hit.bytes.empty()) return {};
  // Every fourth in a header; most of a segment may be empty.
  const auto full = std::find_if(hit.bytes.rbegin(), hit.bytes.rend(), [](std::byte b) { return b != std::byte{0}; });
  const auto used = static_cast<std::uint64_t>(std::distance(full, hit.bytes.rend()));
  const bool header = random_.below(4) == 0;
  const std::uint64_t among = header ? storage::block_bytes : std::max<std::uint64_t>(used, 1);
  const std::uint64_t offset = random_.below(std::min<std::uint64_t>(among, hit.bytes.size()));
  const auto mask = static_cast<std::byte>(1U << random_.below(8));

  const auto sound = disk.copy();
  const place last = last_batch(*sound, all);
  const auto before = recover(*sound, options_, entropy);
  if (!before) return {}; // it would not start anyway: the node says so itself
  const auto damaged = disk.copy();
  damaged->flip(hit.path, offset, mask);
  const auto after = recover(*damaged, options_, entropy);
  ++counters_[counter::flipped_bits];
  if (!after) {
    ++counters_[counter::flips_refused];
    if (after.error().code == error_code::corrupt || after.error().code == error_code::version) return {};
    return "a flipped bit at " + std::to_string(offset) + " of " + hit.path +
           " is taken for: " + after.error().message();
  }
  if (same(*after, *before)) return {};
  if (&hit == last.of && offset >= last.begin) {
    const auto shorter = without(last, disk, options_, entropy);
    if (shorter && same(*after, *shorter)) return {};
  }
  return "a flipped bit at " + std::to_string(offset) + " of " + hit.path + " went unnoticed: the log remembers " +
         text(*after) + " instead of " + text(*before);
}

} // namespace quorumd::sim
