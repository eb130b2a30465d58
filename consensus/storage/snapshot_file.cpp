#include "consensus/storage/snapshot_file.hpp"

#include "consensus/storage/snapshot_format.hpp"
#include "consensus/types/crc32c.hpp"
#include "consensus/types/invariant.hpp"
#include "consensus/types/little_endian.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::storage {
namespace {

error damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return error(error_code::corrupt, path, what).at(offset);
}

/// Rename and sync of the directory: the file is published once this succeeds. Its contents are synced already.
result<snapshot_file> publish_file(file_system& fs, const std::string& directory, const std::string& from,
                                   const snapshot_info& info, std::uint64_t bytes) {
  const std::string to =
      join(directory, snapshot_name(info.group, info.mark.index, info.mark.term, snapshot_published));
  const result<void> renamed = fs.rename(from, to);
  if (!renamed) return renamed.error();
  const result<void> synced = fs.sync_directory(directory);
  if (!synced) return synced.error();
  return snapshot_file{to, info, bytes};
}

} // namespace

// --- writer -----------------------------------------------------------------------------------------------------

struct snapshot_writer::state {
  file_system& fs;
  std::string directory;
  snapshot_info info;
  std::string path;
  std::unique_ptr<storage::file> file;
  std::vector<std::byte> buffer;
  std::uint64_t written = 0;
  std::uint64_t synced = 0; ///< of what is written
  snapshot_footer footer;
  std::optional<error> failed;

  void give_up() {
    if (!file) return;
    file.reset();
    // It may fail on a disk that fails; remove_unfinished_snapshots() does it at the next start.
    const result<void> removed = fs.remove(path);
    (void)removed;
  }
  result<void> flush() {
    const result<void> done = file->write(written, buffer);
    if (!done) return fail(done.error());
    written += buffer.size();
    buffer.clear();
    return written - synced < snapshot_sync_bytes ? result<void>() : sync();
  }
  result<void> sync() {
    const result<void> done = file->sync();
    if (!done) return fail(done.error());
    synced = written;
    return {};
  }
  result<void> fail(const error& e) {
    failed = e;
    give_up();
    return e;
  }
};

snapshot_writer::snapshot_writer(std::unique_ptr<state> s)
    : state_(std::move(s)) {}
snapshot_writer::~snapshot_writer() {
  state_->give_up();
}

result<std::unique_ptr<snapshot_writer>> snapshot_writer::create(file_system& fs, std::string directory,
                                                                 snapshot_info info) {
  const result<void> made = fs.make_directory(directory);
  if (!made) return made.error();
  std::string path = join(directory, snapshot_name(info.group, info.mark.index, info.mark.term, snapshot_unfinished));
  result<std::unique_ptr<storage::file>> f = fs.open(path, file_system::mode::truncate);
  if (!f) return f.error();
  std::vector<std::byte> buffer = encode_snapshot_header(info);
  auto s = std::unique_ptr<state>(new state{
      fs, std::move(directory), std::move(info), std::move(path), std::move(*f), std::move(buffer), 0, 0, {}, {}});
  return std::unique_ptr<snapshot_writer>(new snapshot_writer(std::move(s)));
}

result<void> snapshot_writer::append(std::span<const std::byte> block) {
  QUORUMD_INVARIANT(!block.empty() && block.size() <= snapshot_block_max, "a snapshot's block is within its bounds");
  state& s = *state_;
  if (s.failed) return *s.failed;
  const std::size_t at = s.buffer.size();
  s.buffer.resize(at + snapshot_block_head_bytes);
  encode({static_cast<std::uint32_t>(block.size()), snapshot_block_crc(block)}, s.buffer.data() + at);
  s.buffer.insert(s.buffer.end(), block.begin(), block.end());
  s.footer.blocks += 1;
  s.footer.bytes += block.size();
  s.footer.crc = crc32c(block, s.footer.crc);
  if (s.buffer.size() < snapshot_sync_bytes) return {};
  return s.flush();
}

result<snapshot_file> snapshot_writer::finish() {
  state& s = *state_;
  if (s.failed) return *s.failed;
  const std::vector<std::byte> footer = encode(s.footer);
  s.buffer.insert(s.buffer.end(), footer.begin(), footer.end());
  const result<void> flushed = s.flush();
  if (!flushed) return flushed.error();
  const result<void> synced = s.sync();
  if (!synced) return synced.error();
  s.file.reset();
  return publish_file(s.fs, s.directory, s.path, s.info, s.written);
}

result<void> move_snapshot(file_system& fs, const std::string& directory, const snapshot_file& of, cluster_id cluster) {
  const auto reader = snapshot_reader::open(fs, of.path);
  if (!reader) return reader.error();
  snapshot_info info = (*reader)->info();
  info.cluster = cluster;
  const auto writer = snapshot_writer::create(fs, directory, std::move(info));
  if (!writer) return writer.error();
  for (std::vector<std::byte> block;;) {
    const result<bool> more = (*reader)->next(block);
    if (!more) return more.error();
    if (!*more) break;
    const result<void> written = (*writer)->append(block);
    if (!written) return written;
  }
  const result<snapshot_file> moved = (*writer)->finish();
  if (!moved) return moved.error();
  return {};
}

// --- reader -----------------------------------------------------------------------------------------------------

struct snapshot_reader::state {
  std::unique_ptr<storage::file> file;
  std::uint64_t size = 0;
  snapshot_info info;
  std::uint64_t first_block = 0;
  std::uint64_t at = 0; ///< of the next block
  snapshot_footer seen; ///< of the blocks read so far
  bool ended = false;   ///< and they are all
};

snapshot_reader::snapshot_reader(std::unique_ptr<state> s)
    : state_(std::move(s)) {}
snapshot_reader::~snapshot_reader() = default;

namespace {

/// Where the snapshot in a file of that size ends; nothing: its footer is nowhere to be found. A copy may have a
/// trailer behind it, see snapshot_trailer().
result<std::optional<std::uint64_t>> end_of_snapshot(file& f, std::uint64_t size) {
  const auto ends_at = [&](std::uint64_t end) -> result<bool> {
    std::vector<std::byte> footer(snapshot_footer_bytes);
    const result<void> got = read_exactly(f, end - footer.size(), footer);
    if (!got) return got.error();
    return parse_snapshot_footer(footer).has_value();
  };
  result<bool> plain = ends_at(size);
  if (!plain) return plain.error();
  if (*plain) return std::optional(size);
  if (size % snapshot_trailer_unit != snapshot_digest_bytes) return std::optional<std::uint64_t>();
  std::byte length[2];
  const result<void> got = read_exactly(f, size - snapshot_digest_bytes - sizeof length, length);
  if (!got) return got.error();
  const std::uint64_t trailer = load_le<std::uint16_t>(length) + snapshot_digest_bytes;
  if (trailer + snapshot_footer_bytes > size) return std::optional<std::uint64_t>();
  const result<bool> trailed = ends_at(size - trailer);
  if (!trailed) return trailed.error();
  return *trailed ? std::optional(size - trailer) : std::nullopt;
}

} // namespace

std::vector<std::byte> snapshot_trailer(std::uint64_t snapshot_bytes) {
  std::size_t padding = snapshot_trailer_unit - static_cast<std::size_t>(snapshot_bytes % snapshot_trailer_unit);
  if (padding < sizeof(std::uint16_t)) padding += snapshot_trailer_unit;
  std::vector<std::byte> bytes(padding);
  store_le(bytes.data() + padding - sizeof(std::uint16_t), static_cast<std::uint16_t>(padding));
  return bytes;
}

result<std::unique_ptr<snapshot_reader>> snapshot_reader::open(file_system& fs, std::string path) {
  result<std::unique_ptr<storage::file>> f = fs.open(path, file_system::mode::read);
  if (!f) return f.error();
  const result<std::uint64_t> size = (*f)->size();
  if (!size) return size.error();
  std::vector<std::byte> header(snapshot_header_bytes_min);
  result<void> got = read_exactly(**f, 0, header);
  if (!got) return got.error();
  const std::optional<std::size_t> claimed = peek_snapshot_header_bytes(header);
  if (!claimed) return damaged(path, 0, "this is not a snapshot, or its header is damaged");
  header.resize(*claimed);
  got = read_exactly(**f, 0, header);
  if (!got) return got.error();
  parsed_snapshot_header parsed = parse_snapshot_header(header);
  if (parsed.state == parsed_snapshot_header::state::other_version)
    return error(error_code::version, path,
                 "the snapshot has format version " + std::to_string(parsed.version) + ", and this quorumd reads " +
                     std::to_string(snapshot_format_version) + ": start the version that wrote it");
  if (parsed.state != parsed_snapshot_header::state::good) return damaged(path, 0, "the header is damaged");
  if (*size < header.size() + snapshot_footer_bytes) return damaged(path, *size, "the snapshot is cut short");
  const result<std::optional<std::uint64_t>> end = end_of_snapshot(**f, *size);
  if (!end) return end.error();
  if (!*end) return damaged(path, *size - snapshot_footer_bytes, "the footer is damaged or missing");
  auto s = std::unique_ptr<state>(
      new state{std::move(*f), **end, std::move(parsed.info), header.size(), header.size(), {}, false});
  return std::unique_ptr<snapshot_reader>(new snapshot_reader(std::move(s)));
}

const std::string& snapshot_reader::path() const {
  return state_->file->path();
}
const snapshot_info& snapshot_reader::info() const {
  return state_->info;
}
std::uint64_t snapshot_reader::bytes() const {
  return state_->size;
}

std::uint64_t snapshot_reader::position() const {
  return state_->at;
}

result<bool> snapshot_reader::next(std::vector<std::byte>& block) {
  state& s = *state_;
  const std::string& path = s.file->path();
  std::byte head_bytes[snapshot_block_head_bytes];
  result<void> got = read_exactly(*s.file, s.at, head_bytes);
  if (!got) return got.error();
  const snapshot_block_head head = parse_block_head(head_bytes);
  if (head.bytes == 0) {
    block.resize(snapshot_footer_bytes);
    if (s.at + snapshot_footer_bytes != s.size) return damaged(path, s.at, "the snapshot ends before its footer");
    got = read_exactly(*s.file, s.at, block);
    if (!got) return got.error();
    const std::optional<snapshot_footer> footer = parse_snapshot_footer(block);
    block.clear();
    if (!footer) return damaged(path, s.at, "the footer is damaged");
    if (footer->blocks != s.seen.blocks || footer->bytes != s.seen.bytes || footer->crc != s.seen.crc)
      return damaged(path, s.at, "blocks are missing, added or exchanged");
    s.ended = true;
    return false;
  }
  if (head.bytes > snapshot_block_max || s.at + snapshot_block_head_bytes + head.bytes + snapshot_footer_bytes > s.size)
    return damaged(path, s.at, "a block claims more bytes than there are");
  block.resize(head.bytes);
  got = read_exactly(*s.file, s.at + snapshot_block_head_bytes, block);
  if (!got) return got.error();
  if (snapshot_block_crc(block) != head.crc) return damaged(path, s.at, "the checksum of a block does not hold");
  s.at += snapshot_block_head_bytes + head.bytes;
  s.seen.blocks += 1;
  s.seen.bytes += head.bytes;
  s.seen.crc = crc32c(block, s.seen.crc);
  return true;
}

result<void> snapshot_reader::verify() {
  state& s = *state_;
  const auto rewind = [&s] {
    s.at = s.first_block;
    s.seen = {};
    s.ended = false;
  };
  rewind();
  const result<bool> more = check_on(s.size);
  if (!more) return more.error();
  rewind();
  return {};
}

result<bool> snapshot_reader::check_on(std::size_t bytes_max) {
  std::vector<std::byte> block;
  const std::uint64_t until = position() + bytes_max;
  while (position() < until) {
    result<bool> more = next(block);
    if (!more || !*more) return more;
  }
  return true;
}

bool snapshot_reader::ended() const {
  return state_->ended;
}

result<std::size_t> snapshot_reader::read_raw(std::uint64_t offset, std::span<std::byte> into) {
  return state_->file->read(offset, into);
}

// --- receiver ---------------------------------------------------------------------------------------------------

struct snapshot_receiver::state {
  file_system& fs;
  std::string directory;
  cluster_id cluster;
  group_id group;
  log_index index;
  quorumd::term term;
  std::uint64_t bytes;
  std::string path;
  std::unique_ptr<storage::file> file;
  std::uint64_t received = 0;
  std::uint64_t synced = 0; ///< of what was received since it was opened

  result<void> sync() {
    // After a sync that failed the cache holds what the disk does not, and the next sync says nothing of it.
    const result<void> done = file->sync();
    if (!done) return give_up(done.error());
    synced = received;
    return {};
  }

  result<void> remove() {
    file.reset();
    received = 0;
    const result<void> removed = fs.remove(path);
    if (!removed && removed.error().code != error_code::not_found) return removed;
    return {};
  }

  /// Nothing of what arrived is to be resumed; the reason, or why the file could not be removed.
  error give_up(error why) {
    const result<void> removed = remove();
    return removed ? std::move(why) : removed.error();
  }
};

namespace {

result<void> remove_other_transfers(file_system& fs, const std::string& directory, group_id group,
                                    const std::string& keep) {
  const result<std::vector<std::string>> names = fs.list(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::optional<parsed_snapshot_name> parsed = parse_snapshot_name(name, snapshot_receiving);
    if (!parsed || parsed->group != group || name == keep) continue;
    const result<void> removed = fs.remove(join(directory, name));
    if (!removed) return removed.error();
  }
  return {};
}

} // namespace

snapshot_receiver::snapshot_receiver(std::unique_ptr<state> s)
    : state_(std::move(s)) {}
snapshot_receiver::~snapshot_receiver() = default;

result<std::unique_ptr<snapshot_receiver>> snapshot_receiver::create(file_system& fs, std::string directory,
                                                                     cluster_id cluster, group_id group,
                                                                     log_index index, quorumd::term term,
                                                                     std::uint64_t bytes) {
  const result<void> made = fs.make_directory(directory);
  if (!made) return made.error();
  const std::string name = snapshot_name(group, index, term, snapshot_receiving);
  const result<void> alone = remove_other_transfers(fs, directory, group, name);
  if (!alone) return alone.error();
  std::string path = join(directory, name);
  result<std::unique_ptr<storage::file>> f = fs.open(path, file_system::mode::write);
  if (!f && f.error().code == error_code::not_found) f = fs.open(path, file_system::mode::create);
  if (!f) return f.error();
  const result<std::uint64_t> size = (*f)->size();
  if (!size) return size.error();
  if (*size > bytes) { // of another file of the same name
    const result<void> emptied = (*f)->truncate(0);
    if (!emptied) return emptied.error();
  }
  auto s =
      std::unique_ptr<state>(new state{fs, std::move(directory), cluster, group, index, term, bytes, std::move(path),
                                       std::move(*f), *size > bytes ? 0 : *size, *size > bytes ? 0 : *size});
  return std::unique_ptr<snapshot_receiver>(new snapshot_receiver(std::move(s)));
}

std::uint64_t snapshot_receiver::received() const {
  return state_->received;
}
bool snapshot_receiver::complete() const {
  return state_->received == state_->bytes;
}

result<void> snapshot_receiver::write(std::uint64_t offset, std::span<const std::byte> chunk) {
  state& s = *state_;
  if (!s.file) return error(error_code::stopped, s.path, "the transfer was given up");
  if (offset + chunk.size() <= s.received) return {};
  if (offset < s.received) { // a crash may have left a part of a chunk
    chunk = chunk.subspan(s.received - offset);
    offset = s.received;
  }
  if (offset != s.received || chunk.size() > s.bytes - s.received)
    return error(error_code::corrupt, s.path, "a chunk does not follow the one before it").at(offset);
  const result<void> written = s.file->write(offset, chunk);
  if (!written) return s.give_up(written.error());
  s.received += chunk.size();
  return s.received - s.synced < snapshot_sync_bytes ? result<void>() : s.sync();
}

result<std::unique_ptr<snapshot_reader>> snapshot_receiver::seal() {
  state& s = *state_;
  if (!s.file) return error(error_code::stopped, s.path, "the transfer was given up");
  if (!complete()) return error(error_code::corrupt, s.path, "the snapshot has not arrived whole").at(s.received);
  const result<void> synced = s.sync();
  if (!synced) return synced.error();
  result<std::unique_ptr<snapshot_reader>> reader = snapshot_reader::open(s.fs, s.path);
  if (!reader) return s.give_up(reader.error());
  const snapshot_info& info = (*reader)->info();
  if (info.cluster != s.cluster || info.group != s.group || info.mark.index != s.index || info.mark.term != s.term)
    return s.give_up(
        error(error_code::foreign, s.path, "the snapshot that arrived is of another cluster, group, index or term")
            .of(info.group, info.mark.index));
  return reader;
}

result<snapshot_file> snapshot_receiver::publish(const snapshot_reader& whole) {
  state& s = *state_;
  if (!s.file) return error(error_code::stopped, s.path, "the transfer was given up");
  QUORUMD_INVARIANT(whole.ended() && whole.path() == s.path && s.synced == s.bytes,
                    "a received snapshot is durable and was read whole before it is published");
  s.file.reset();
  return publish_file(s.fs, s.directory, s.path, whole.info(), s.bytes);
}

void snapshot_receiver::abandon() {
  const result<void> removed = state_->remove();
  (void)removed; // whatever stays is resumed or overwritten by the next transfer
}

} // namespace quorumd::storage
