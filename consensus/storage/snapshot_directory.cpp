#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/snapshot_format.hpp"

#include <algorithm>
#include <map>
#include <utility>

// What lies in the directory of the snapshots, and what of it is to go.
namespace quorumd::storage {
namespace {

result<std::vector<std::string>> names_in(file_system& fs, const std::string& directory) {
  result<std::vector<std::string>> names = fs.list(directory);
  if (!names && names.error().code == error_code::not_found) return std::vector<std::string>();
  return names;
}

error misnamed(const std::string& path) {
  return {error_code::corrupt, path, "the snapshot is not what its name says"};
}

/// Fine if it is gone already.
result<void> remove_file(file_system& fs, const std::string& path) {
  result<void> removed = fs.remove(path);
  if (!removed && removed.error().code == error_code::not_found) return {};
  return removed;
}

} // namespace

result<std::vector<snapshot_file>> list_snapshots(file_system& fs, const std::string& directory, group_id group) {
  const result<std::vector<std::string>> names = names_in(fs, directory);
  if (!names) return names.error();
  std::vector<snapshot_file> found;
  for (const std::string& name : *names) {
    const std::optional<parsed_snapshot_name> parsed = parse_snapshot_name(name, snapshot_published);
    if (!parsed || parsed->group != group) continue;
    snapshot_file f{.path = join(directory, name), .info = {}, .bytes = 0};
    f.info.group = group;
    f.info.mark.index = parsed->index;
    f.info.mark.term = parsed->term;
    const result<std::unique_ptr<storage::file>> opened = fs.open(f.path, file_system::mode::read);
    if (!opened) return opened.error();
    const result<std::uint64_t> size = (*opened)->size();
    if (!size) return size.error();
    f.bytes = *size;
    found.push_back(std::move(f));
  }
  std::reverse(found.begin(), found.end()); // names ascend with the index
  return found;
}

result<std::vector<group_id>> snapshot_groups(file_system& fs, const std::string& directory) {
  const result<std::vector<std::string>> names = names_in(fs, directory);
  if (!names) return names.error();
  std::vector<group_id> groups;
  for (const std::string& name : *names) {
    const std::optional<parsed_snapshot_name> parsed = parse_snapshot_name(name, snapshot_published);
    if (parsed && (groups.empty() || groups.back() != parsed->group)) groups.push_back(parsed->group);
  }
  return groups;
}

namespace {

/// Opens what list_snapshots() found, and compares it with its name.
result<std::unique_ptr<snapshot_reader>> open_listed(file_system& fs, const snapshot_file& f) {
  result<std::unique_ptr<snapshot_reader>> reader = snapshot_reader::open(fs, f.path);
  if (!reader) return reader;
  const snapshot_info& info = (*reader)->info();
  if (info.group != f.info.group || info.mark.index != f.info.mark.index) return misnamed(f.path);
  return reader;
}

/// In slices, since the file may be large.
result<void> check_whole(snapshot_reader& reader, const snapshot_progress& progress) {
  constexpr std::size_t slice_bytes = std::size_t{4} * 1024 * 1024;
  for (bool more = true; more;) {
    const result<bool> checked = reader.check_on(slice_bytes);
    if (!checked) return checked.error();
    more = *checked;
    if (progress) progress(reader.position(), reader.bytes());
  }
  return {};
}

} // namespace

result<newest_snapshot_result> newest_snapshot(file_system& fs, const std::string& directory, group_id group,
                                               const snapshot_progress& progress) {
  const result<std::vector<snapshot_file>> all = list_snapshots(fs, directory, group);
  if (!all) return all.error();
  newest_snapshot_result r;
  for (const snapshot_file& f : *all) {
    const result<std::unique_ptr<snapshot_reader>> reader = open_listed(fs, f);
    const result<void> whole = reader ? check_whole(**reader, progress) : result<void>(reader.error());
    if (whole) {
      r.newest = snapshot_file{f.path, (*reader)->info(), f.bytes};
      return r;
    }
    if (whole.error().code != error_code::corrupt) return whole.error();
    r.damaged.push_back(whole.error());
    r.damaged_index = std::max(r.damaged_index, f.info.mark.index);
  }
  return r;
}

result<std::unique_ptr<snapshot_reader>> open_newest_snapshot(file_system& fs, const std::string& directory,
                                                              group_id group) {
  const result<std::vector<snapshot_file>> all = list_snapshots(fs, directory, group);
  if (!all) return all.error();
  error why(error_code::not_found, directory, "there is no snapshot");
  for (const snapshot_file& f : *all) {
    result<std::unique_ptr<snapshot_reader>> reader = open_listed(fs, f);
    if (reader) return reader;
    if (why.code == error_code::not_found) why = reader.error();
  }
  return why;
}

result<std::size_t> remove_snapshots_below(file_system& fs, const std::string& directory, group_id group,
                                           log_index keep) {
  const result<std::vector<snapshot_file>> all = list_snapshots(fs, directory, group);
  if (!all) return all.error();
  std::size_t removed = 0;
  for (const snapshot_file& f : *all) {
    if (f.info.mark.index >= keep) continue;
    const result<void> done = fs.remove(f.path);
    if (!done) return done.error();
    ++removed;
  }
  const result<log_index> left = remove_received(fs, directory, group, keep);
  if (!left) return left.error();
  return removed;
}

result<log_index> remove_received(file_system& fs, const std::string& directory, group_id group, log_index passed) {
  const result<std::vector<std::string>> names = names_in(fs, directory);
  if (!names) return names.error();
  std::string newest;
  log_index newest_index;
  for (const std::string& name : *names) { // they ascend with the index
    const std::optional<parsed_snapshot_name> parsed = parse_snapshot_name(name, snapshot_receiving);
    if (!parsed || parsed->group != group) continue;
    const bool stays = parsed->index > passed;
    const std::string goes = stays ? std::exchange(newest, name) : name;
    if (stays) newest_index = parsed->index;
    if (goes.empty()) continue;
    const result<void> removed = remove_file(fs, join(directory, goes));
    if (!removed) return removed.error();
  }
  return newest_index;
}

result<void> remove_unfinished_snapshots(file_system& fs, const std::string& directory) {
  const result<std::vector<std::string>> names = names_in(fs, directory);
  if (!names) return names.error();
  std::map<group_id, log_index> receiving; // and the newest that is published
  for (const std::string& name : *names)
    if (const auto part = parse_snapshot_name(name, snapshot_receiving)) receiving.emplace(part->group, log_index());
  for (const std::string& name : *names) {
    if (const auto whole = parse_snapshot_name(name, snapshot_published)) {
      const auto found = receiving.find(whole->group);
      if (found != receiving.end()) found->second = std::max(found->second, whole->index);
    }
    if (!parse_snapshot_name(name, snapshot_unfinished)) continue;
    const result<void> removed = fs.remove(join(directory, name));
    if (!removed) return removed;
  }
  for (const auto& [group, published] : receiving) {
    const result<log_index> left = remove_received(fs, directory, group, published);
    if (!left) return left.error();
  }
  return {};
}

} // namespace quorumd::storage
