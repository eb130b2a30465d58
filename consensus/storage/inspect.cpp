#include "consensus/storage/inspect.hpp"

#include "consensus/storage/segment_reader.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/snapshot_format.hpp"
#include "consensus/storage/wal_format.hpp"
#include "consensus/storage/wal_recovery.hpp"
#include "consensus/types/hex.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::storage {
namespace {

std::string text(std::uint64_t v) {
  return std::to_string(v);
}

template <class Tag>
std::string text(strong_u64<Tag> v) {
  return std::to_string(v.value());
}

std::string list(const std::vector<node_id>& ids) {
  std::string s;
  for (const node_id id : ids) s += (s.empty() ? "" : ",") + hex64(id.value());
  return s.empty() ? "none" : s;
}

std::string describe(const snapshot_mark& m) {
  std::string s = "index " + text(m.index) + " term " + text(m.term) + " voters " + list(m.members.voters);
  if (!m.members.outgoing.empty()) s += " outgoing " + list(m.members.outgoing);
  if (!m.members.learners.empty()) s += " learners " + list(m.members.learners);
  return s;
}

std::string describe(const hard_state& h) {
  return "term " + text(h.term) + " vote " + (h.vote ? hex64(h.vote.value()) : "none");
}

struct describe_record {
  std::string operator()(const opening_record& r) const {
    return "opening: " + describe(r.hard) + " commit " + text(r.commit) + ", log begins after " + describe(r.start) +
           ", snapshot at " + text(r.snapshot.index);
  }
  std::string operator()(const hard_record& r) const { return describe(r.hard); }
  std::string operator()(const install_record& r) const { return "log starts anew after " + describe(r.mark); }
  std::string operator()(const commit_record& r) const { return "commit " + text(r.index); }
  std::string operator()(const prefix_record& r) const {
    return "log begins after index " + text(r.start) + " term " + text(r.start_term) + ", snapshot at " +
           describe(r.mark);
  }
  std::string operator()(const moved_record& r) const { return "moved " + (*this)(r.entries); }
  std::string operator()(const entries_record& r) const {
    std::string s =
        "entries " + text(r.first) + " to " + text(r.first + (r.count - 1)) + ", " + text(r.bytes.size()) + " bytes";
    const std::optional<entry_header> h = read_entry_header(r.bytes);
    return h ? s + ", term " + text(h->term) : s;
  }
};

/// Every payload is compared with its own checksum too.
std::string check_entries(const record& r) {
  const auto* entries = std::get_if<entries_record>(&r.body);
  if (const auto* moved = std::get_if<moved_record>(&r.body)) entries = &moved->entries;
  if (entries == nullptr) return {};
  const chunk_ref chunk = chunk_ref::allocate(entries->bytes.size());
  std::copy(entries->bytes.begin(), entries->bytes.end(), chunk.data());
  std::span<const std::byte> rest(chunk.data(), entries->bytes.size());
  for (std::uint32_t i = 0; i < entries->count; ++i) {
    const entry::parsed p = entry::parse(chunk, rest, r.group);
    const std::string name = "entry " + text(entries->first + i) + ": ";
    if (!p.value) return name + quorumd::describe(p.error);
    if (p.value->index() != entries->first + i) return name + "another index stands in it";
    rest = rest.subspan(p.value->encoded().size());
  }
  return {};
}

/// Nobody can tell from the file alone.
constexpr const char* what_a_start_does =
    ". If this is the newest snapshot, a start passes it over where the log reaches back to an older whole one, or to "
    "the cluster's beginning, and is refused where it does not (inspect wal says which); removing the file changes "
    "nothing about that";

class wal_walk {
 public:
  wal_walk(file_system& fs, const inspection_sink& sink)
      : fs_(fs)
      , sink_(sink) {}

  result<void> segment(const std::string& path) {
    const result<std::unique_ptr<segment_reader>> opened = segment_reader::open(fs_, path);
    if (!opened) return opened.error();
    segment_reader& reader = **opened;
    const parsed_segment_header& parsed = reader.header();
    if (parsed.state == header_state::other_version) {
      tell(inspected_kind::problem, path, 0, block_bytes,
           "format version " + text(parsed.version) + ", not readable here");
      return {};
    }
    if (parsed.state != header_state::good) return without_header(reader);
    const segment_header& h = parsed.header;
    const std::string name = path.substr(path.rfind('/') + 1);
    const std::string life =
        name == segment_name(h.sequence) ? "" : " (of the file's earlier life: it was recycled and not begun)";
    tell(inspected_kind::segment, path, 0, block_bytes,
         "segment " + text(h.sequence) + " id " + hex64(h.id) + ", first batch " + text(h.first_number) +
             ", previous id " + hex64(h.previous_id) + " ends at " + text(h.previous_end) + ", oldest needed segment " +
             text(h.oldest) + life);
    return batches(reader, h);
  }

  /// What a start would refuse about the directory as a whole, though each segment by itself may be sound.
  result<void> whole(const std::string& directory) {
    const result<std::vector<group_snapshot>> snapshots = snapshots_beside(directory);
    if (!snapshots) return snapshots.error();
    const auto checked = read_log(fs_, directory, *snapshots);
    if (checked) return {};
    const error& e = checked.error();
    if (e.code != error_code::corrupt && e.code != error_code::foreign) return e;
    tell(inspected_kind::problem, e.path, e.offset.value_or(0), 0, e.message());
    return {};
  }

 private:
  /// It was never begun if no batch follows; that one does proves that the header was there.
  result<void> without_header(segment_reader& reader) {
    const result<std::optional<std::uint64_t>> proof = reader.find_proof_without_header(std::nullopt);
    if (!proof) return proof.error();
    if (*proof)
      tell(inspected_kind::problem, reader.path(), 0, block_bytes,
           "the header of the segment is damaged, and batches follow it");
    else
      tell(inspected_kind::end, reader.path(), 0, 0, "no segment header: prepared and never begun");
    return {};
  }

  result<std::vector<group_snapshot>> snapshots_beside(const std::string& log) {
    const std::string directory = join(log.substr(0, log.rfind('/')), "snapshots");
    const result<std::vector<group_id>> groups = snapshot_groups(fs_, directory);
    if (!groups) return groups.error();
    std::vector<group_snapshot> found;
    for (const group_id group : *groups) {
      const result<newest_snapshot_result> newest = newest_snapshot(fs_, directory, group);
      if (!newest) return newest.error();
      if (newest->newest) found.push_back({.group = group, .mark = newest->newest->info.mark});
    }
    return found;
  }

  result<void> batches(segment_reader& reader, const segment_header& h) {
    std::uint64_t offset = block_bytes;
    for (std::uint64_t number = h.first_number;; ++number) {
      const result<segment_reader::batch> b = reader.read(offset, {h.id, number});
      if (!b) return b.error();
      if (b->state != segment_reader::found::good) return end(reader, h, offset, number, b->why);
      tell(inspected_kind::batch, reader.path(), offset, b->padded,
           "batch " + text(number) + ", durable up to " + text(b->header.durable) + ", " + text(b->header.records) +
               " records in " + text(b->header.length) + " bytes");
      record_reader records(b->records);
      while (const std::optional<record> r = records.next()) {
        const std::uint64_t at =
            offset + batch_header_bytes + static_cast<std::uint64_t>(r->encoded.data() - b->records.data());
        tell(inspected_kind::record, reader.path(), at, r->encoded.size(),
             "group " + text(r->group) + ": " + std::visit(describe_record(), r->body));
        const std::string problem = check_entries(*r);
        if (!problem.empty()) tell(inspected_kind::problem, reader.path(), at, r->encoded.size(), problem);
      }
      if (!records.problem().empty())
        tell(inspected_kind::problem, reader.path(), offset, b->padded, records.problem());
      offset += b->padded;
    }
  }

  result<void> end(segment_reader& reader, const segment_header& h, std::uint64_t offset, std::uint64_t number,
                   const std::string& why) {
    const result<std::optional<std::uint64_t>> proof = reader.find_proof(offset, h.id, number);
    if (!proof) return proof.error();
    if (*proof)
      tell(inspected_kind::problem, reader.path(), offset, 0,
           "corrupt: " + why + ", though the batch at offset " + text(**proof) + " says that batch " + text(number) +
               " was durable");
    else
      tell(inspected_kind::end, reader.path(), offset, 0, "ends before batch " + text(number) + ": " + why);
    return {};
  }

  void tell(inspected_kind k, const std::string& path, std::uint64_t offset, std::uint64_t bytes, std::string what) {
    sink_({k, path, offset, bytes, std::move(what)});
  }

  file_system& fs_;
  const inspection_sink& sink_;
};

} // namespace

result<void> inspect_wal(file_system& fs, const std::string& given, const inspection_sink& sink) {
  wal_walk walk(fs, sink);
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  result<std::vector<std::string>> names = fs.list(path);
  if (!names) return walk.segment(path); // a file, or nothing: opening it says which
  const auto has = [&](std::string_view name) { return std::find(names->begin(), names->end(), name) != names->end(); };
  if (has("wal") || has("identity")) { // a data directory
    path = join(path, "wal");
    names = fs.list(path);
    if (!names && names.error().code == error_code::not_found)
      return error(error_code::not_found, path, "the data directory has no log");
    if (!names) return names.error();
  }
  std::size_t segments = 0;
  for (const std::string& name : *names) {
    if (!parse_segment_name(name)) continue;
    ++segments;
    const result<void> walked = walk.segment(join(path, name));
    if (!walked) return walked;
  }
  const result<void> whole = walk.whole(path.find('/') == std::string::npos ? "./" + path : path);
  if (!whole) return whole;
  if (segments == 0) return error(error_code::not_found, path, "there is no segment of a log here");
  return {};
}

result<void> inspect_snapshot(file_system& fs, const std::string& path, const inspection_sink& sink) {
  const result<std::unique_ptr<snapshot_reader>> reader = snapshot_reader::open(fs, path);
  if (!reader) {
    const error& e = reader.error();
    if (e.code != error_code::corrupt && e.code != error_code::version) return e;
    if (!parse_snapshot_name(std::string_view(path).substr(path.rfind('/') + 1), snapshot_published))
      return error(error_code::not_found, path, "this is not a snapshot: " + e.detail);
    sink({inspected_kind::problem, path, e.offset.value_or(0), 0, e.detail + what_a_start_does});
    return {};
  }
  const snapshot_info& info = (*reader)->info();
  sink({inspected_kind::snapshot, path, 0, (*reader)->bytes(),
        "snapshot of cluster " + hex64(info.cluster.value()) + " group " + text(info.group) + ", " +
            describe(info.mark) + ", created at " + text(info.created_unix_ms) + " ms since 1970"});
  std::vector<std::byte> block;
  for (std::uint64_t n = 1;; ++n) {
    const std::uint64_t at = (*reader)->position();
    const result<bool> more = (*reader)->next(block);
    if (!more) {
      if (more.error().code != error_code::corrupt) return more.error();
      sink({inspected_kind::problem, path, more.error().offset.value_or(at), 0,
            more.error().detail + what_a_start_does});
      return {};
    }
    if (!*more) {
      sink({inspected_kind::end, path, at, (*reader)->bytes() - at, "whole: " + text(n - 1) + " blocks"});
      return {};
    }
    sink({inspected_kind::block, path, at, block.size(), "block " + text(n) + ", " + text(block.size()) + " bytes"});
  }
}

} // namespace quorumd::storage
