#include "tests/sim/bit_flips.hpp"

#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal_format.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace quorumd::sim {
namespace {

using storage::error_code;
using testing::memory_files;

constexpr const char* wal_directory = "/data/wal";
constexpr const char* snapshot_directory = "/data/snapshots";
constexpr group_id group{1};

/// What a log remembers.
struct memory {
  hard_state hard;
  log_index start;
  log_index last;
  std::vector<term_run> runs;

  friend bool operator==(const memory& a, const memory& b) {
    return a.hard.term == b.hard.term && a.hard.vote == b.hard.vote && a.start == b.start && a.last == b.last &&
           a.runs == b.runs;
  }
};

std::string text(const memory& m) {
  return "term " + std::to_string(m.hard.term.value()) + ", vote " + std::to_string(m.hard.vote.value()) +
         ", entries after " + std::to_string(m.start.value()) + " to " + std::to_string(m.last.value());
}

storage::result<memory> recover(memory_files& disk, const storage::wal_options& o, prng p) {
  auto newest = storage::newest_snapshot(disk, snapshot_directory, group);
  if (!newest) return newest.error();
  std::vector<storage::group_snapshot> snapshots;
  if (newest->newest) snapshots.push_back({group, newest->newest->info.mark});
  sim_entropy random(p);
  const auto log = storage::wal::open(disk, wal_directory, o, random, snapshots);
  if (!log) return log.error();
  for (const storage::recovered_group& g : (*log)->recovered())
    if (g.group == group) return memory{g.hard, g.start.index, g.last, g.runs};
  return memory{};
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

/// Where the segment's last whole batch begins, or the file if it is the only one; nothing if it holds none.
std::optional<std::uint64_t> last_batch(const segment& s) {
  const auto parsed = storage::parse_segment_header(s.bytes);
  if (parsed.state != storage::header_state::good || parsed.header.sequence != s.sequence) return std::nullopt;
  std::optional<std::uint64_t> last;
  std::uint64_t number = parsed.header.first_number;
  for (std::uint64_t at = storage::block_bytes; at < s.bytes.size(); ++number) {
    const auto rest = std::span(s.bytes).subspan(at);
    const auto h = storage::peek_batch_header(rest);
    if (!h || h->segment_id != parsed.header.id || h->number != number) break;
    const std::uint64_t length = storage::batch_bytes(h->length);
    if (length > rest.size() || !storage::batch_checksum_holds(rest.first(length))) break;
    last = number == parsed.header.first_number ? 0 : at;
    at += length;
  }
  return last;
}

/// Whether the byte is of the log's last batch, or of what stands behind it.
bool in_the_tail(const std::vector<segment>& all, const segment& of, std::uint64_t offset) {
  for (auto s = all.rbegin(); s != all.rend(); ++s)
    if (const auto last = last_batch(*s)) return of.sequence > s->sequence || (&of == &*s && offset >= *last);
  return true;
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
  if (*after == *before || in_the_tail(all, hit, offset)) return {};
  return "a flipped bit at " + std::to_string(offset) + " of " + hit.path + " went unnoticed: the log remembers " +
         text(*after) + " instead of " + text(*before);
}

} // namespace quorumd::sim
