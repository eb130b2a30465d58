#include "tests/support/memory_files.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::testing {

using storage::error;
using storage::error_code;
using storage::result;

namespace {

/// splitmix64.
std::uint64_t draw(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

void write_to(std::vector<std::byte>& bytes, std::uint64_t offset, std::span<const std::byte> what) {
  if (bytes.size() < offset + what.size()) bytes.resize(offset + what.size());
  std::copy(what.begin(), what.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

} // namespace

class memory_files::open_file final : public storage::file {
 public:
  open_file(memory_files& owner, std::string path, std::shared_ptr<node> n)
      : owner_(owner)
      , generation_(owner.generation_)
      , path_(std::move(path))
      , node_(std::move(n)) {}

  [[nodiscard]] const std::string& path() const override { return path_; }

  [[nodiscard]] result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    const std::lock_guard lock(owner_.mutex_);
    if (auto e = begin(call::read, offset, into.size())) return *e;
    const std::vector<std::byte>& from = node_->visible;
    if (offset >= from.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), from.size() - offset);
    std::memcpy(into.data(), from.data() + offset, n);
    return n;
  }

  [[nodiscard]] result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const std::lock_guard lock(owner_.mutex_);
    if (auto e = begin(call::write, offset, bytes.size())) return *e;
    const std::uint64_t end = offset + bytes.size();
    if (end > node_->visible.size() && owner_.used_bytes() + (end - node_->visible.size()) > owner_.capacity_)
      return error(error_code::no_space, path_, "the disk in memory is full").at(offset);
    write_to(node_->visible, offset, bytes);
    node_->unsynced.push_back({false, offset, {bytes.begin(), bytes.end()}});
    return {};
  }

  [[nodiscard]] result<void> sync() override {
    const std::lock_guard lock(owner_.mutex_);
    owner_.lose_sync_ = false;
    if (auto e = begin(call::sync)) {
      // The cache keeps what it has and believes it clean.
      if (std::exchange(owner_.lose_sync_, false)) node_->unsynced.clear();
      return *e;
    }
    for (const change& c : node_->unsynced) {
      if (c.resizes)
        node_->durable.resize(c.offset);
      else
        write_to(node_->durable, c.offset, c.bytes);
    }
    node_->unsynced.clear();
    owner_.counters_.syncs += 1;
    return {};
  }

  [[nodiscard]] result<void> truncate(std::uint64_t bytes) override {
    const std::lock_guard lock(owner_.mutex_);
    if (auto e = begin(call::truncate, bytes)) return *e;
    if (auto e = owner_.resize(*node_, path_, bytes)) return *e;
    return {};
  }

  [[nodiscard]] result<void> allocate(std::uint64_t bytes) override {
    const std::lock_guard lock(owner_.mutex_);
    if (auto e = begin(call::allocate, bytes)) return *e;
    if (bytes <= node_->visible.size()) return {};
    if (auto e = owner_.resize(*node_, path_, bytes)) return *e;
    return {};
  }

  [[nodiscard]] result<std::uint64_t> size() override {
    const std::lock_guard lock(owner_.mutex_);
    if (auto e = begin(call::read)) return *e;
    return std::uint64_t{node_->visible.size()};
  }

 private:
  [[nodiscard]] std::optional<error> begin(call c, std::uint64_t offset = 0, std::size_t bytes = 0) {
    if (generation_ != owner_.generation_) return error(error_code::io, path_, "the machine stopped");
    return owner_.begin(c, path_, offset, bytes);
  }

  memory_files& owner_;
  const std::uint64_t generation_;
  const std::string path_;
  const std::shared_ptr<node> node_;
};

class memory_files::held_lock final : public storage::file_lock {
 public:
  held_lock(memory_files& owner, std::string path)
      : owner_(owner)
      , generation_(owner.generation_)
      , path_(std::move(path)) {}
  ~held_lock() override {
    const std::lock_guard lock(owner_.mutex_);
    if (generation_ == owner_.generation_) owner_.locked_.erase(path_);
  }

 private:
  memory_files& owner_;
  const std::uint64_t generation_;
  const std::string path_;
};

memory_files::memory_files() = default;
memory_files::~memory_files() = default;

void memory_files::set_hook(hook h) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(h);
}

void memory_files::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void memory_files::freeze() {
  const std::lock_guard lock(mutex_);
  frozen_ = true;
}

bool memory_files::frozen() const {
  const std::lock_guard lock(mutex_);
  return frozen_;
}

std::optional<error> memory_files::begin(call c, const std::string& path, std::uint64_t offset, std::size_t bytes) {
  if (frozen_) return error(error_code::io, path, "the disk is frozen");
  operation o{c, path, offset, bytes, 0};
  if (o.changes()) o.number = ++counters_.operations;
  switch (hook_ ? hook_(o) : fault::none) {
  case fault::none:
    return std::nullopt;
  case fault::io:
    lose_sync_ = c == call::sync;
    return error(error_code::io, path, "the disk in memory failed").at(offset);
  case fault::no_space:
    return error(error_code::no_space, path, "the disk in memory is full").at(offset);
  case fault::freeze:
    frozen_ = true;
    return error(error_code::io, path, "the disk is frozen");
  }
  return std::nullopt;
}

std::optional<error> memory_files::resize(node& n, const std::string& path, std::uint64_t bytes) {
  if (bytes > n.visible.size() && used_bytes() + (bytes - n.visible.size()) > capacity_)
    return error(error_code::no_space, path, "the disk in memory is full");
  n.visible.resize(bytes);
  n.unsynced.push_back({true, bytes, {}});
  return std::nullopt;
}

void memory_files::apply(names& n, const naming& change) {
  if (!change.from.empty()) {
    const auto it = n.find(change.from);
    if (it != n.end() && it->second == change.file) n.erase(it);
  }
  if (!change.to.empty()) n[change.to] = change.file;
}

void memory_files::crash_file(node& n, std::uint64_t& random, loss l) {
  // Half of the files keep or lose everything, the others any part of it.
  const std::uint64_t way = l == loss::everything ? 0 : l == loss::nothing ? 1 : draw(random) % 4;
  for (const change& c : n.unsynced) {
    if (c.resizes) {
      if (way == 1 || (way > 1 && draw(random) % 2 == 0)) n.durable.resize(c.offset);
      continue;
    }
    std::size_t kept = 0;
    std::size_t lost = 0;
    for (std::size_t at = 0; at < c.bytes.size();) {
      const std::size_t end = std::min(c.bytes.size(), at + sector_bytes - (c.offset + at) % sector_bytes);
      const bool keep = way == 1 || (way == 2 && draw(random) % 2 == 0) || (way == 3 && draw(random) % 8 != 0);
      if (keep) write_to(n.durable, c.offset + at, std::span(c.bytes).subspan(at, end - at));
      (keep ? kept : lost) += 1;
      at = end;
    }
    counters_.sectors_lost += lost;
    counters_.writes_torn += kept > 0 && lost > 0 ? 1 : 0;
  }
  n.unsynced.clear();
  n.visible = n.durable;
}

void memory_files::crash(std::uint64_t seed, loss l) {
  const std::lock_guard lock(mutex_);
  std::uint64_t random = seed;
  std::map<std::string, std::vector<const naming*>> by_directory;
  for (const naming& n : unsynced_) by_directory[n.directory].push_back(&n);
  for (const auto& [directory, changes] : by_directory) {
    const std::size_t kept = l == loss::everything ? 0
                             : l == loss::nothing  ? changes.size()
                                                   : static_cast<std::size_t>(draw(random) % (changes.size() + 1));
    for (std::size_t i = 0; i < kept; ++i) apply(durable_, *changes[i]);
    counters_.names_lost += changes.size() - kept;
  }
  unsynced_.clear();
  visible_ = durable_;
  for (const auto& [path, n] : visible_) crash_file(*n, random, l);
  locked_.clear();
  frozen_ = false;
  ++generation_;
}

void memory_files::wipe() {
  const std::lock_guard lock(mutex_);
  directories_.clear();
  durable_.clear();
  visible_.clear();
  unsynced_.clear();
  locked_.clear();
  frozen_ = false;
  ++generation_;
}

memory_files::counters memory_files::count() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::vector<std::byte> memory_files::contents(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return visible_.at(path)->visible;
}

void memory_files::set_contents(const std::string& path, std::vector<std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  auto n = std::make_shared<node>();
  n->visible = n->durable = std::move(bytes);
  durable_[path] = visible_[path] = std::move(n);
}

void memory_files::flip(const std::string& path, std::uint64_t offset, std::byte mask) {
  const std::lock_guard lock(mutex_);
  node& n = *visible_.at(path);
  n.visible.at(offset) ^= mask;
  if (offset < n.durable.size()) n.durable[offset] = n.visible[offset];
}

std::vector<std::string> memory_files::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [path, n] : visible_) all.push_back(path);
  return all;
}

std::uint64_t memory_files::used_bytes() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [path, n] : visible_) bytes += n->visible.size();
  return bytes;
}

std::unique_ptr<memory_files> memory_files::copy() const {
  const std::lock_guard lock(mutex_);
  auto other = std::make_unique<memory_files>();
  other->directories_ = directories_;
  for (const auto& [path, n] : visible_) other->set_contents(path, n->visible);
  return other;
}

result<std::unique_ptr<storage::file>> memory_files::open(const std::string& path, mode m) {
  const std::lock_guard lock(mutex_);
  const auto it = visible_.find(path);
  const bool there = it != visible_.end();
  const bool creates = m == mode::create || (m == mode::truncate && !there);
  if (auto e = begin(creates ? call::open : call::list, path)) return *e;
  if (there && m == mode::create) return error(error_code::exists, path, "the file exists");
  if (!there && !creates) return error(error_code::not_found, path, "there is no such file");
  if (!directories_.contains(directory_of(path)))
    return error(error_code::not_found, path, "there is no such directory");
  std::shared_ptr<node> n = there ? it->second : std::make_shared<node>();
  if (creates) {
    visible_[path] = n;
    unsynced_.push_back({directory_of(path), {}, path, n});
  } else if (m == mode::truncate) {
    if (auto e = resize(*n, path, 0)) return *e;
  }
  return std::unique_ptr<storage::file>(std::make_unique<open_file>(*this, path, std::move(n)));
}

result<void> memory_files::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::rename, from)) return *e;
  const auto it = visible_.find(from);
  if (it == visible_.end()) return error(error_code::not_found, from, "there is no such file");
  const naming change{directory_of(to), from, to, it->second};
  apply(visible_, change);
  unsynced_.push_back(change);
  return {};
}

result<void> memory_files::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::remove, path)) return *e;
  const auto it = visible_.find(path);
  if (it == visible_.end()) return error(error_code::not_found, path, "there is no such file");
  const naming change{directory_of(path), path, {}, it->second};
  apply(visible_, change);
  unsynced_.push_back(change);
  return {};
}

result<void> memory_files::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::sync_directory, path)) return *e;
  for (const naming& n : unsynced_)
    if (n.directory == path) apply(durable_, n);
  std::erase_if(unsynced_, [&](const naming& n) { return n.directory == path; });
  return {};
}

result<std::vector<std::string>> memory_files::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::list, path)) return *e;
  if (!directories_.contains(path)) return error(error_code::not_found, path, "there is no such directory");
  std::set<std::string> all;
  for (const auto& [name, n] : visible_)
    if (directory_of(name) == path) all.insert(name.substr(path.size() + 1));
  for (const std::string& d : directories_)
    if (d.size() > path.size() && directory_of(d) == path) all.insert(d.substr(path.size() + 1));
  return std::vector<std::string>(all.begin(), all.end());
}

result<void> memory_files::make_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (frozen_) return error(error_code::io, path, "the disk is frozen");
  for (std::string d = path; !d.empty(); d = directory_of(d)) directories_.insert(d);
  return {};
}

result<std::unique_ptr<storage::file_lock>> memory_files::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::lock, path)) return *e;
  if (!locked_.insert(path).second) return error(error_code::locked, path, "another process holds the lock");
  return std::unique_ptr<storage::file_lock>(std::make_unique<held_lock>(*this, path));
}

result<std::uint64_t> memory_files::free_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto e = begin(call::list, path)) return *e;
  const std::uint64_t used = used_bytes();
  return used >= capacity_ ? std::uint64_t{0} : capacity_ - used;
}

} // namespace quorumd::testing
