#include "consensus/storage/log_extent.hpp"

#include "consensus/storage/wal_format.hpp"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

namespace quorumd::storage {
namespace {

constexpr std::string_view suffix = ".reached-";

std::string parent_of(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == std::string::npos ? std::string(".") : directory.substr(0, slash);
}

} // namespace

log_extent::log_extent(file_system& fs, const std::string& directory)
    : fs_(fs)
    , parent_(parent_of(directory))
    , prefix_(directory.substr(directory.rfind('/') + 1).append(suffix)) {}

std::string log_extent::name_of(std::uint64_t sequence) const {
  return prefix_ + sequence_digits(sequence);
}

std::string log_extent::name() const {
  return reached_ ? name_of(*reached_) : std::string();
}

result<std::optional<std::uint64_t>> log_extent::read() {
  const result<std::vector<std::string>> names = fs_.list(parent_);
  if (!names) return names.error();
  reached_.reset();
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix_)) continue;
    const std::optional<std::uint64_t> sequence = parse_sequence(std::string_view(name).substr(prefix_.size()));
    if (sequence) reached_ = std::max(reached_.value_or(0), *sequence);
  }
  known_ = true;
  return reached_;
}

result<void> log_extent::set(std::uint64_t sequence) {
  if (!known_) {
    const result<std::optional<std::uint64_t>> there = read();
    if (!there) return there.error();
  }
  if (reached_ == sequence) return {};
  if (reached_) {
    const result<void> renamed = fs_.rename(join(parent_, name()), join(parent_, name_of(sequence)));
    if (!renamed) return renamed;
  } else {
    const result<std::unique_ptr<file>> made = fs_.open(join(parent_, name_of(sequence)), file_system::mode::truncate);
    if (!made) return made.error();
  }
  reached_ = sequence;
  return fs_.sync_directory(parent_);
}

} // namespace quorumd::storage
