#include "consensus/storage/data_directory.hpp"

#include "consensus/storage/log_extent.hpp"
#include "consensus/storage/wal_format.hpp"
#include "consensus/types/crc32c.hpp"
#include "consensus/types/hex.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::storage {
namespace {

constexpr std::uint32_t directory_format_version = 1;
constexpr const char* identity_name = "identity";
constexpr const char* identity_temporary = "identity.tmp";
constexpr const char* doubt_name = "corrupt";
constexpr std::size_t doubt_bytes_max = 4096;
constexpr const char* log_directory = "wal";
constexpr std::size_t identity_bytes_max = 256 * 1024;

std::string hex32(std::uint32_t value) {
  return hex64(value).substr(8);
}

std::string hex(std::span<const std::byte> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += digits[std::to_integer<unsigned>(b) >> 4];
    text += digits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

std::optional<std::vector<std::byte>> bytes_from(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::byte> bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    unsigned value = 0;
    const char* at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, value, 16).ptr != at + 2) return std::nullopt;
    bytes[i] = static_cast<std::byte>(value);
  }
  return bytes;
}

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

/// Lines `key value`, the last of them a checksum of what stands before it.
std::string encode(const identity& i) {
  std::string text = "quorumd-data-directory " + std::to_string(directory_format_version) + '\n';
  text += "cluster_id " + hex64(i.cluster.value()) + '\n';
  text += "cluster_name " + i.cluster_name + '\n';
  text += "node_id " + hex64(i.node.value()) + '\n';
  text += "node_name " + i.node_name + '\n';
  text += "incarnation " + hex64(i.incarnation.value()) + '\n';
  if (!i.beginning.empty()) text += "beginning " + hex(i.beginning) + '\n';
  if (i.beginning_term) text += "beginning_term " + hex64(i.beginning_term.value()) + '\n';
  if (i.promised_us != 0) text += "promised_us " + hex64(i.promised_us) + '\n';
  return text + "crc32c " + hex32(crc32c(bytes_of(text))) + '\n';
}

std::optional<std::uint64_t> number(const std::map<std::string, std::string, std::less<>>& values, std::string_view key,
                                    int base) {
  const auto it = values.find(key);
  if (it == values.end()) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [stopped, e] = std::from_chars(it->second.data(), end, value, base);
  if (e != std::errc() || stopped != end) return std::nullopt;
  return value;
}

result<identity> decode(const std::string& path, std::string_view text) {
  const error damaged(error_code::corrupt, path,
                      "the identity of the data directory is damaged; restore this file from a copy, or treat this "
                      "member as lost (docs/operations.md says how to go on)");
  const std::size_t sum_at = text.rfind("crc32c ");
  if (sum_at == std::string_view::npos) return damaged;
  std::map<std::string, std::string, std::less<>> values;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    const std::size_t space = line.find(' ');
    if (end == std::string_view::npos || space == std::string_view::npos) return damaged;
    values.emplace(line.substr(0, space), line.substr(space + 1));
    rest.remove_prefix(end + 1);
  }
  if (number(values, "crc32c", 16) != crc32c(bytes_of(text.substr(0, sum_at)))) return damaged;
  const auto version = number(values, "quorumd-data-directory", 10);
  if (version != directory_format_version)
    return error(error_code::version, path,
                 "the data directory has format version " + std::to_string(version.value_or(0)) +
                     ", and this quorumd reads " + std::to_string(directory_format_version) +
                     ": start the version that wrote it");
  auto beginning = values.contains("beginning") ? bytes_from(values["beginning"]) : std::vector<std::byte>();
  const auto cluster = number(values, "cluster_id", 16);
  const auto node = number(values, "node_id", 16);
  const auto incarnation = number(values, "incarnation", 16);
  if (!beginning || !cluster || !node || !incarnation || !values.contains("cluster_name") ||
      !values.contains("node_name"))
    return damaged;
  return identity{.cluster = cluster_id(*cluster),
                  .cluster_name = values["cluster_name"],
                  .node = node_id(*node),
                  .node_name = values["node_name"],
                  .incarnation = quorumd::incarnation(*incarnation),
                  .created = false,
                  .beginning = std::move(*beginning),
                  .beginning_term = term(number(values, "beginning_term", 16).value_or(0)),
                  .promised_us = static_cast<std::uint32_t>(number(values, "promised_us", 16).value_or(0))};
}

/// Whether it is the directory of that cluster and node, and if not, what differs.
result<void> compare(const std::string& path, const identity& found, const identity& expected) {
  const auto foreign = [&](const std::string& what) {
    return error(error_code::foreign, path,
                 "the data directory belongs to " + what +
                     ": set node.data_dir to this node's own directory, or an empty one");
  };
  const bool same_cluster =
      expected.cluster ? found.cluster == expected.cluster : found.cluster_name == expected.cluster_name;
  if (!same_cluster)
    return foreign("cluster '" + found.cluster_name + "' with id " + hex64(found.cluster.value()) +
                   ", and the configuration describes cluster '" + expected.cluster_name + "' with id " +
                   hex64(expected.cluster.value()));
  if (found.node != expected.node || found.node_name != expected.node_name)
    return foreign("node '" + found.node_name + "' (" + hex64(found.node.value()) +
                   "), and the configuration is of node '" + expected.node_name + "' (" + hex64(expected.node.value()) +
                   ")");
  return {};
}

/// Writes it whole under a temporary name, then renames it: a crash leaves the old state or the new one.
result<void> write_whole(file_system& fs, const std::string& directory, const std::string& name,
                         const std::string& text) {
  const std::string temporary = join(directory, name + ".tmp");
  {
    const result<std::unique_ptr<file>> f = fs.open(temporary, file_system::mode::truncate);
    if (!f) return f.error();
    const result<void> written = (*f)->write(0, bytes_of(text));
    if (!written) return written;
    const result<void> synced = (*f)->sync();
    if (!synced) return synced;
  }
  const result<void> renamed = fs.rename(temporary, join(directory, name));
  if (!renamed) return renamed;
  return fs.sync_directory(directory);
}

result<void> write_identity(file_system& fs, const std::string& directory, const identity& i) {
  return write_whole(fs, directory, identity_name, encode(i));
}

/// A directory without an identity may hold nothing that somebody could miss; an earlier creation that was interrupted
/// may have left that the log has not begun.
result<void> check_fresh(file_system& fs, const std::string& directory, const std::string& not_begun) {
  const result<std::vector<std::string>> names = fs.list(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name == "LOCK" || name == identity_temporary || name == "lost+found" || name == not_begun) continue;
    return error(error_code::foreign, directory,
                 "the directory is not empty (it holds '" + name +
                     "') and has no identity of a quorumd data directory: set node.data_dir to an empty directory");
  }
  return {};
}

result<identity> create(file_system& fs, const std::string& path, const identity& expected, log_extent& extent,
                        coro::entropy& random, const std::function<result<void>()>& fill) {
  const result<std::optional<std::uint64_t>> reached = extent.read();
  if (!reached) return reached.error();
  const result<void> fresh = check_fresh(fs, path, *reached == 0 ? extent.name() : std::string());
  if (!fresh) return fresh.error();
  // The identity comes last: once it is there, so is the note.
  const result<void> noted = extent.set(0);
  if (!noted) return noted.error();
  if (fill)
    if (const result<void> filled = fill(); !filled) return filled.error();
  identity mine = expected;
  mine.incarnation = incarnation(random.next());
  mine.created = true;
  const result<void> written = write_identity(fs, path, mine);
  if (!written) return written.error();
  return mine;
}

/// A member that has an identity has a log, or a note that it has not begun; only directories of the first quorumd have
/// neither note nor, before their first start ended, a log. Without both it would start anew with forgotten votes.
result<void> check_log_is_there(file_system& fs, log_extent& extent, const std::string& directory) {
  const result<std::optional<std::uint64_t>> reached = extent.read();
  if (!reached) return reached.error();
  if (*reached) return {};
  const result<std::vector<std::string>> names = fs.list(directory);
  if (!names && names.error().code != error_code::not_found) return names.error();
  if (names &&
      std::any_of(names->begin(), names->end(), [](const auto& n) { return parse_segment_name(n).has_value(); }))
    return {};
  return error(
      error_code::corrupt, directory,
      "the log is missing, and by the identity of the data directory this member has lived: bring the log back, "
      "or treat this member as lost (docs/operations.md says how to go on)");
}

} // namespace

result<identity> read_identity(file_system& fs, const std::string& path) {
  const std::string file_path = join(path, identity_name);
  const result<std::vector<std::byte>> bytes = read_small_file(fs, file_path, identity_bytes_max);
  if (!bytes) return bytes.error();
  return decode(file_path, {reinterpret_cast<const char*>(bytes->data()), bytes->size()});
}

result<void> data_directory::check_cluster(const storage::identity& expected) const {
  return compare(path_, identity_, expected);
}

result<void> data_directory::move_to(file_system& fs, cluster_id cluster) {
  storage::identity moved = identity_;
  moved.cluster = cluster;
  const result<void> written = write_identity(fs, path_, moved);
  if (written) identity_ = std::move(moved);
  return written;
}

result<void> data_directory::promise(file_system& fs, std::uint32_t us) {
  if (us <= identity_.promised_us) return {};
  storage::identity promising = identity_;
  promising.promised_us = us;
  const result<void> written = write_identity(fs, path_, promising);
  if (written) identity_ = std::move(promising);
  return written;
}

result<std::unique_ptr<data_directory>> data_directory::open(file_system& fs, std::string path,
                                                             const storage::identity& expected, coro::entropy& random,
                                                             const std::function<result<void>()>& fill) {
  const result<void> made = fs.make_directory(path);
  if (!made) return made.error();
  result<std::unique_ptr<file_lock>> lock = fs.lock(join(path, "LOCK"));
  if (!lock) {
    error why = lock.error();
    if (why.code == error_code::locked) {
      why.path = path;
      why.detail = "the data directory is used by a running quorumd (" + why.detail +
                   "): stop it, or give this node a directory of its own";
    }
    return why;
  }
  log_extent extent(fs, join(path, log_directory));
  result<storage::identity> found = read_identity(fs, path);
  if (!found && found.error().code == error_code::not_found) {
    found = create(fs, path, expected, extent, random, fill);
  } else if (found) {
    const result<void> there = check_log_is_there(fs, extent, join(path, log_directory));
    if (!there) return there.error();
  }
  if (!found) return found.error();
  const result<void> same = compare(path, *found, expected);
  if (!same) return same.error();
  const std::string parts[] = {join(path, log_directory), join(path, "snapshots")};
  for (const std::string& part : parts) {
    const result<void> there = fs.make_directory(part);
    if (!there) return there.error();
  }
  const result<void> synced = fs.sync_directory(path);
  if (!synced) return synced.error();
  return std::unique_ptr<data_directory>(new data_directory(std::move(path), std::move(*lock), std::move(*found)));
}

result<std::string> read_doubt(file_system& fs, const std::string& path) {
  const result<std::unique_ptr<file>> f = fs.open(join(path, doubt_name), file_system::mode::read);
  if (!f && f.error().code == error_code::not_found) return std::string();
  if (!f) return f.error();
  const result<std::uint64_t> bytes = (*f)->size();
  if (!bytes) return bytes.error();
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(*bytes, doubt_bytes_max)), ' ');
  const result<std::size_t> read = (*f)->read(0, std::as_writable_bytes(std::span(text)));
  if (!read) return read.error();
  text.resize(*read);
  return text.empty() ? "it was noted earlier that this state is corrupt" : text;
}

result<void> write_doubt(file_system& fs, const std::string& path, const std::string& why) {
  if (!why.empty()) return write_whole(fs, path, doubt_name, why.substr(0, doubt_bytes_max));
  const result<void> removed = fs.remove(join(path, doubt_name));
  if (!removed && removed.error().code != error_code::not_found) return removed;
  return fs.sync_directory(path);
}

} // namespace quorumd::storage
