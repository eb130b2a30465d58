#include "tests/cluster/shim/power_cut.hpp"

#include "tests/cluster/shim/journal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <vector>

namespace quorumd::testing::shim {
namespace {

constexpr std::uint64_t sector_bytes = 512;

struct note {
  record r;
  std::string bytes;
  std::string name;
  std::string other;

  [[nodiscard]] bool of_names() const { return r.what != change::contents; }
  [[nodiscard]] std::string directory() const { return name.substr(0, name.rfind('/')); }
};

/// Every note in order. The last one may be cut short: its change did not happen then.
std::vector<note> read_journal(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::vector<note> notes;
  for (std::size_t at = 0; at + sizeof(record) <= all.size();) {
    note n;
    std::memcpy(&n.r, all.data() + at, sizeof n.r);
    if (n.r.magic != record_magic) throw std::runtime_error(path + " is not a journal");
    const std::size_t held = n.r.zeros != 0 ? 0 : n.r.length;
    if (all.size() - at - sizeof n.r < held + n.r.name_bytes + n.r.other_bytes) break;
    at += sizeof n.r;
    n.bytes = n.r.zeros != 0 ? std::string(n.r.length, '\0') : all.substr(at, held);
    n.name = all.substr(at + held, n.r.name_bytes);
    n.other = all.substr(at + held + n.r.name_bytes, n.r.other_bytes);
    at += held + n.r.name_bytes + n.r.other_bytes;
    notes.push_back(std::move(n));
  }
  return notes;
}

/// Without those that a sync made durable, and without the syncs.
std::vector<note> not_durable(std::vector<note> notes) {
  std::map<std::uint64_t, std::uint64_t> files;
  std::map<std::string, std::uint64_t> directories;
  for (const note& n : notes) {
    if (n.r.what == change::synced) files[n.r.file] = std::max(files[n.r.file], n.r.offset);
    if (n.r.what == change::synced_names) directories[n.name] = std::max(directories[n.name], n.r.offset);
  }
  std::erase_if(notes, [&](const note& n) {
    if (n.r.what == change::synced || n.r.what == change::synced_names) return true;
    return n.r.sequence <= (n.of_names() ? directories[n.directory()] : files[n.r.file]);
  });
  return notes;
}

class undoing {
 public:
  undoing(std::string side, std::uint64_t seed)
      : side_(std::move(side))
      , torn_(seed != 0)
      , random_(seed) {}

  loss run(const std::vector<note>& notes) {
    std::map<std::string, std::size_t> kept;
    for (const note& n : notes)
      if (n.of_names()) ++kept[n.directory()];
    for (auto& [directory, count] : kept) count = torn_ ? random_() % (count + 1) : 0;
    std::set<std::uint64_t> lost;
    for (const note& n : notes)
      if (n.of_names() && kept[n.directory()]-- == 0) {
        kept[n.directory()] = 0; // all later ones too
        lost.insert(n.r.sequence);
      }
    for (auto n = notes.rbegin(); n != notes.rend(); ++n) {
      if (!n->of_names())
        undo_contents(*n);
      else if (lost.count(n->r.sequence) != 0)
        undo_name(*n);
    }
    return loss_;
  }

 private:
  [[nodiscard]] std::string link_of(std::uint64_t file) const { return side_ + "/" + std::to_string(file); }

  void undo_contents(const note& n) {
    const int fd = ::open(link_of(n.r.file).c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) throw std::runtime_error("no link for a file of the journal");
    ++loss_.writes;
    for (std::uint64_t at = 0; at < n.bytes.size();) {
      const std::uint64_t sector_end = sector_bytes - (n.r.offset + at) % sector_bytes;
      const std::uint64_t size = std::min<std::uint64_t>(sector_end, n.bytes.size() - at);
      if (!torn_ || random_() % 2 == 0) write_at(fd, n.bytes.data() + at, size, n.r.offset + at);
      at += size;
    }
    if ((!torn_ || random_() % 2 == 0) && ::ftruncate(fd, static_cast<off_t>(n.r.old_size)) != 0)
      throw std::runtime_error("ftruncate failed");
    ::close(fd);
  }

  static void write_at(int fd, const char* bytes, std::uint64_t size, std::uint64_t at) {
    if (::pwrite(fd, bytes, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size))
      throw std::runtime_error("pwrite failed");
  }

  /// What the noted call did not get to do before the end needs no undoing: errors here are that.
  void undo_name(const note& n) {
    ++loss_.names;
    if (n.r.what == change::created) ::unlink(n.name.c_str());
    if (n.r.what == change::renamed) {
      // The second name may have been replaced already by a rename that did not happen any more.
      if (::access(n.name.c_str(), F_OK) != 0 && ::rename(n.other.c_str(), n.name.c_str()) != 0) return;
      if (n.r.file != 0 && ::link(link_of(n.r.file).c_str(), n.other.c_str()) != 0) return;
    }
    if (n.r.what == change::removed && n.r.file != 0 && ::link(link_of(n.r.file).c_str(), n.name.c_str()) != 0) return;
  }

  std::string side_;
  bool torn_;
  std::mt19937_64 random_;
  loss loss_;
};

} // namespace

loss power_cut(const std::string& side, std::uint64_t seed) {
  return undoing(side, seed).run(not_durable(read_journal(side + "/" + journal_name)));
}

} // namespace quorumd::testing::shim
