#include "consensus/storage/wal_format.hpp"
#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

const std::vector<std::string> small_segments{"storage.segment_bytes=1MiB", "storage.snapshot_every_bytes=1MiB",
                                              "storage.reserve_bytes=8MiB", "limits.request_bytes_max=256KiB"};

/// Small file systems in memory, one a node, which only this process and its children see; nothing where that is not
/// permitted.
class small_disks {
 public:
  explicit small_disks(const std::string& root, unsigned mebibytes)
      : root_(root) {
    std::filesystem::create_directories(root_);
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    const std::string size = "size=" + std::to_string(mebibytes) + "m";
    for (int i = 1; i <= 3; ++i) {
      const std::string at = root_ + "/n" + std::to_string(i);
      std::filesystem::create_directories(at);
      if (::mount("tmpfs", at.c_str(), "tmpfs", 0, size.c_str()) != 0) return;
    }
    mounted_ = true;
  }
  small_disks(const small_disks&) = delete;
  small_disks& operator=(const small_disks&) = delete;
  ~small_disks() {
    for (int i = 1; i <= 3; ++i) ::umount2((root_ + "/n" + std::to_string(i)).c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  [[nodiscard]] bool mounted() const {
    if (!mounted_)
      MESSAGE("skipped: mounting a small file system takes root and CAP_SYS_ADMIN: " << std::strerror(errno));
    return mounted_;
  }

 private:
  std::string root_;
  bool mounted_ = false;
};

std::string ballast(const std::string& data) {
  return data + "/ballast";
}

/// Fills the disk until only so much is free.
void fill(const std::string& data, std::uint64_t leave) {
  struct statvfs s {};
  REQUIRE(::statvfs(data.c_str(), &s) == 0);
  const std::uint64_t free = std::uint64_t{s.f_bavail} * s.f_frsize;
  std::ofstream out(ballast(data), std::ios::binary | std::ios::app);
  const std::string page(4096, 'b');
  for (std::uint64_t written = 0; free - written > leave; written += page.size()) out << page;
}

std::string disks_root(const char* name) {
  return std::string(QUORUMD_CLUSTER_FOLDER) + "/disks." + name + "." + std::to_string(::getpid());
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// The file of the directory with the most bytes that are not zero.
std::string fullest(const std::string& directory) {
  std::string found;
  std::ptrdiff_t most = -1;
  for (const auto& e : std::filesystem::directory_iterator(directory)) {
    if (!e.is_regular_file()) continue;
    const std::string bytes = read_file(e.path());
    const auto used = std::count_if(bytes.begin(), bytes.end(), [](char b) { return b != 0; });
    if (used > most) {
      most = used;
      found = e.path();
    }
  }
  return found;
}

/// Inverts eight bytes in the middle of what a file holds.
void damage(const std::string& path) {
  std::string bytes = read_file(path);
  const std::size_t end = bytes.find_last_not_of('\0');
  REQUIRE(end != std::string::npos);
  for (std::size_t i = end / 2; i < end / 2 + 8; ++i) bytes[i] = static_cast<char>(~bytes[i]);
  write_file(path, bytes);
}

/// What the log frees by itself goes to whoever fills the disk: until the member says that it has no room.
bool fill_until_full(cluster& c, std::size_t i, std::uint64_t leave) {
  const auto full = [&] {
    fill(c.data(i), leave);
    (void)put_once(c.client_place(c.wait_leader()), "fill", "value", seconds(2)); // its log meets the end of the disk
    const auto row = c.status(i);
    return row && !row->accepting;
  };
  return eventually(full, seconds(30));
}

} // namespace

// The only node's disk fills up, so that nobody can take over: puts are refused with no_space, and the answer and the
// log name the volume and the bytes; reads and deletes go on; with room again puts are taken; what was acknowledged is
// there.
TEST_CASE("a full disk refuses puts and nothing else") {
  const small_disks disks(disks_root("full"), 64);
  if (!disks.mounted()) return;
  cluster c("disk_full", {.nodes = 1, .set = small_segments, .data_root = disks_root("full")});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(1000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::size_t leader = c.wait_leader();
  fill(c.data(leader), std::uint64_t{4} * 1024 * 1024);

  const auto refused = [&] {
    return put_once(c.client_place(leader), "late", "value", seconds(2)).code == request_errc::no_space;
  };
  REQUIRE(eventually(refused, seconds(20)));
  fill(c.data(leader), 0); // what the log frees by itself goes to whoever has filled the disk
  REQUIRE(eventually(refused, seconds(20)));
  REQUIRE(c.logged_within(leader, "puts are refused, deletes and compactions are not", seconds(5)));
  REQUIRE(c.log(leader).find(c.data(leader)) != std::string::npos);
  REQUIRE(c.at(leader, {"get", words[0].key}).code == 0);
  REQUIRE(c.at(leader, {"del", words[0].key}).code == 0);
  command_result put; // a snapshot that found no room frees what it had taken: for a moment there may be some
  const auto refused_by_name = [&] {
    fill(c.data(leader), 0);
    put = c.run({"put", "late", "value", "--timeout", "2s", "--endpoint", c.endpoint(leader)});
    return put.code == 2;
  };
  const bool came = eventually(refused_by_name, seconds(20));
  REQUIRE_MESSAGE(came, "put: " << put.code << ' ' << put.output << put.errors);
  REQUIRE(put.errors.find(c.data(leader)) != std::string::npos);
  REQUIRE(put.errors.find("bytes") != std::string::npos);

  std::filesystem::remove(ballast(c.data(leader)));
  const auto taken = [&] {
    return put_once(c.client_place(leader), "late", "value", seconds(2)).code == request_errc::none;
  };
  REQUIRE(eventually(taken, seconds(20)));
  c.check_all_hold({words.begin() + 1, words.end()});
}

// The leader's disk fills up while the others have room: one of them takes over, and puts go on through any node.
TEST_CASE("a leader whose disk is full hands over to a member that has room") {
  const small_disks disks(disks_root("hand_over"), 64);
  if (!disks.mounted()) return;
  cluster c("disk_hand_over", {.nodes = 3, .set = small_segments, .data_root = disks_root("hand_over")});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t full = c.wait_leader();
  REQUIRE(fill_until_full(c, full, std::uint64_t{4} * 1024 * 1024));
  REQUIRE(c.logged_within(full, "whose disk has room", seconds(20)));
  REQUIRE(c.wait_leader(seconds(20), full) != full);
  for (std::size_t i = 0; i < c.size(); ++i)
    REQUIRE(put_once(c.client_place(i), "key", std::to_string(i), seconds(5)).code == request_errc::none);
}

// The members have filled their own disks, and nobody makes room: a snapshot that would free the log is not due by any
// count. Deletes and a compaction, which are still taken, are enough.
TEST_CASE("a cluster with full disks is emptied by deletes and a compaction alone") {
  const small_disks disks(disks_root("filled"), 64);
  if (!disks.mounted()) return;
  auto set = small_segments;
  set.insert(set.end(), {"storage.snapshot_every_bytes=1GiB", "storage.trailing_bytes=1GiB"});
  cluster c("disk_filled", {.nodes = 3, .set = set, .data_root = disks_root("filled")});
  c.start_all();
  c.wait_all_healthy();
  const std::string value(100'000, 'v');
  std::uint64_t taken = 0;
  unsigned refused = 0; // in a row: as long as one member has room, it takes over
  while (refused < 100 && taken < 2000) {
    const outcome o = put_once(c.client_place(c.wait_leader()), "filled/" + std::to_string(taken), value, seconds(5));
    if (o.code == request_errc::none) ++taken;
    refused = o.code == request_errc::no_space ? refused + 1 : 0;
    if (refused != 0) std::this_thread::sleep_for(milliseconds(20));
  }
  REQUIRE(refused == 100);
  REQUIRE(taken > 100);
  REQUIRE(c.anywhere({"put", "kept", "value"}).code == 2);

  REQUIRE(c.anywhere({"del", "filled/", "--prefix"}).code == 0);
  std::uint64_t revision = 0;
  for (std::size_t i = 0; i < c.size(); ++i)
    if (const auto row = c.status(i)) revision = std::max(revision, row->revision.value());
  REQUIRE(c.anywhere({"compact", std::to_string(revision)}).code == 0);
  const auto taken_again = [&] {
    return put_once(c.client_place(c.wait_leader()), "kept", "value", seconds(2)).code == request_errc::none;
  };
  REQUIRE(eventually(taken_again, seconds(40)));
  for (std::size_t i = 0; i < 50; ++i) // and not just one
    REQUIRE(put_once(c.client_place(c.wait_leader()), "again/" + std::to_string(i), value, seconds(5)).code ==
            request_errc::none);
  const auto all_have_room = [&] {
    for (std::size_t i = 0; i < c.size(); ++i)
      if (const auto row = c.status(i); !row || !row->accepting) return false;
    return true;
  };
  REQUIRE(eventually(all_have_room, seconds(20)));
}

// A follower's disk has not a byte left: the others go on without it, it stays up, and catches up once there is room.
TEST_CASE("a follower with a full disk harms nobody else") {
  const small_disks disks(disks_root("follower"), 64);
  if (!disks.mounted()) return;
  cluster c("disk_follower", {.nodes = 3, .set = small_segments, .data_root = disks_root("follower")});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t full = (leader + 1) % c.size();
  fill(c.data(full), 0);
  const auto words = make_words(30000);
  const command_result r = c.run({"import", "-", "--endpoint", c.endpoint(leader)}, to_lines(words));
  REQUIRE_MESSAGE(r.code == 0, r.errors);
  REQUIRE(c.running(full));
  // A restart finds no room either, and the member is there again.
  REQUIRE(c.stop(full) == 0);
  c.start(full);
  REQUIRE(eventually([&] { return c.status(full).has_value(); }, seconds(20)));
  std::filesystem::remove(ballast(c.data(full)));
  c.check_all_hold(words);
}

// One writer that waits for every answer takes a block of the log for every put, however small: what is on the disk
// makes a snapshot due, and bounds what is kept behind it.
TEST_CASE("a slow writer's log is bounded by what it takes on the disk") {
  auto set = small_segments;
  set.insert(set.end(), {"storage.snapshot_every_bytes=2MiB", "storage.trailing_bytes=1MiB"});
  cluster c("disk_slow_writer", {.nodes = 1, .set = set});
  c.start(0);
  c.wait_healthy(0);
  const auto log_bytes = [&] {
    std::uint64_t bytes = 0;
    for (const auto& e : std::filesystem::directory_iterator(c.data(0) + "/wal"))
      if (e.path().extension() == ".log") bytes += e.file_size();
    return bytes;
  };
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    REQUIRE(put_once(c.client_place(0), "key", std::to_string(i), seconds(5)).code == request_errc::none);
    if (i % 100 == 0) most = std::max(most, log_bytes());
  }
  REQUIRE(c.logged(0, "snapshot taken at index"));
  // Between two snapshots, what is kept behind the older one, the segments at both ends, those that are ready or freed.
  REQUIRE(most <= std::uint64_t{9} * 1024 * 1024);
}

// A byte in the middle of a node's log is not what was written: it does not start, with a code of its own and a line
// that names the file and the offset; the others go on, and with the file as it was so does this one.
TEST_CASE("a corrupt log is named and not served") {
  cluster c("disk_wal", {.nodes = 3, .set = small_segments});
  c.start_all();
  c.wait_leader();
  const auto words = make_words(3000);
  for (std::size_t from = 0; from < words.size(); from += 500) // several batches
    REQUIRE(c.anywhere({"import", "-"}, to_lines(words, from, from + 500)).code == 0);
  c.check_all_hold(words);
  const std::size_t victim = c.follower();
  REQUIRE(c.stop(victim) == 0);
  const std::string segment = fullest(c.data(victim) + "/wal");
  const std::string whole = read_file(segment);
  damage(segment);
  c.start(victim);
  REQUIRE(c.node(victim).wait(seconds(20)) == 71);
  REQUIRE(c.logged(victim, segment));
  REQUIRE(c.logged(victim, "offset"));
  REQUIRE(c.anywhere({"put", "key", "value"}).code == 0);

  write_file(segment, whole);
  c.start(victim);
  c.check_all_hold(words);
}

// The same for the snapshot that a node's log begins behind, where there is nobody to send another.
TEST_CASE("a corrupt snapshot is named and not served") {
  auto set = small_segments;
  set.insert(set.end(), {"storage.snapshot_every_entries=1000", "storage.trailing_entries=0"});
  cluster c("disk_snapshot", {.nodes = 1, .set = set});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(5000);
  for (std::size_t from = 0; from < words.size(); from += 1000)
    REQUIRE(c.anywhere({"import", "-"}, to_lines(words, from, from + 1000)).code == 0);
  REQUIRE(c.logged_within(0, "snapshot taken at index", seconds(10)));
  REQUIRE(c.stop(0) == 0);
  std::vector<std::pair<std::string, std::string>> whole;
  for (const auto& e : std::filesystem::directory_iterator(c.data(0) + "/snapshots")) {
    whole.emplace_back(e.path(), read_file(e.path()));
    damage(e.path());
  }
  REQUIRE_FALSE(whole.empty());
  c.start(0);
  REQUIRE(c.node(0).wait(seconds(20)) == 71);
  for (const auto& [path, bytes] : whole) REQUIRE(c.logged(0, path));
  REQUIRE(c.logged(0, "offset"));

  for (const auto& [path, bytes] : whole) write_file(path, bytes);
  c.start(0);
  c.check_all_hold(words);
}

// Where there are other members, whoever leads sends one: until then the member takes no part, and hears a stop.
TEST_CASE("a member whose snapshot is damaged gets another from the others") {
  auto set = small_segments;
  set.insert(set.end(), {"storage.snapshot_every_entries=1000", "storage.trailing_entries=0"});
  cluster c("disk_repaired", {.nodes = 3, .set = set});
  c.start_all();
  c.wait_all_healthy();
  auto words = make_words(20'000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::size_t victim = c.follower();
  const auto newest = [&] {
    std::string found;
    for (const auto& e : std::filesystem::directory_iterator(c.data(victim) + "/snapshots"))
      if (e.path().extension() == ".snap") found = std::max(found, e.path().string());
    return found;
  };
  REQUIRE(eventually([&] { return !newest().empty(); }, seconds(10)));
  REQUIRE(c.stop(victim) == 0);
  const std::string snapshot = newest();
  std::string bytes = read_file(snapshot);
  bytes[bytes.size() / 2] ^= 1;
  write_file(snapshot, bytes);
  const command_result refused = c.run({"inspect", "snapshot", snapshot});
  REQUIRE(refused.code == 71);

  const std::size_t leader = c.wait_leader();
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != victim) c.pause(i);
  c.start(victim);
  REQUIRE(c.logged_within(victim, "Asking the other members for a snapshot in its place", seconds(10)));
  REQUIRE(c.stop(victim) == 0);
  for (std::size_t i = 0; i < c.size(); ++i)
    if (i != victim) c.resume(i);
  c.wait_healthy(leader);
  const auto more = make_words(3'000, words.size());
  REQUIRE(c.run({"import", "-", "--endpoint", c.endpoint(leader)}, to_lines(more)).code == 0);
  words.insert(words.end(), more.begin(), more.end());

  c.start(victim);
  REQUIRE(c.logged_within(victim, "received a snapshot in place of the damaged one", seconds(20)));
  c.wait_healthy(victim);
  c.check_all_hold(words);
  REQUIRE(eventually([&] { return c.anywhere({"status", "--verify"}).code == 0; }, seconds(10)));
}

// Somebody empties a member's log, or loses the newest part of it: the member would start anew with its old identity
// and forgotten votes. It does not, and says what is missing and what can be done.
TEST_CASE("a member that has lost its log, or the newest part of it, is not started") {
  cluster c("disk_lost", {.nodes = 3, .set = small_segments});
  c.start_all();
  c.wait_leader();
  const auto words = make_words(20000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  c.check_all_hold(words);
  const std::size_t victim = c.follower();
  REQUIRE(c.stop(victim) == 0);
  const std::string log = c.data(victim) + "/wal";
  std::vector<std::string> segments;
  for (const auto& e : std::filesystem::directory_iterator(log))
    if (e.path().extension() == ".log") segments.push_back(e.path());
  std::sort(segments.begin(), segments.end());
  REQUIRE(segments.size() >= 2);

  std::vector<std::string> lost;
  std::string named; // in what is said of it
  SUBCASE("all of it") {
    lost = segments;
    named = log;
  }
  SUBCASE("the newest files") {
    lost = {segments.end() - 2, segments.end()};
    named = lost.front();
  }
  for (const std::string& path : lost) std::filesystem::rename(path, path + ".kept");
  c.start(victim);
  REQUIRE(c.node(victim).wait(seconds(20)) == 71);
  REQUIRE(c.logged(victim, named));
  REQUIRE(c.logged(victim, "missing"));
  REQUIRE(c.logged(victim, "treat this member as lost"));
  REQUIRE(c.anywhere({"put", "key", "value"}).code == 0);

  for (const std::string& path : lost) std::filesystem::rename(path + ".kept", path);
  c.start(victim);
  c.check_all_hold(words);
}

// A client's values hold whole batches of the log with numbers far ahead, laid out so that they stand on the log's
// block boundaries. Recycled segments still hold them, and every start goes well.
TEST_CASE("values that look like the log's own batches keep nobody from starting") {
  auto set = small_segments;
  set.insert(set.end(),
             {"storage.snapshot_every_bytes=1MiB", "storage.trailing_entries=0", "history.keep_revisions=1"});
  cluster c("disk_forged", {.nodes = 1, .set = set});
  c.start(0);
  c.wait_healthy(0);
  const auto put = [&](const std::string& value) {
    REQUIRE(put_once(c.client_place(0), "forged", value, seconds(5)).code == request_errc::none);
  };
  const std::size_t block = quorumd::storage::block_bytes;
  // Each put alone is a batch, and begins on a boundary: where does its value?
  const std::string marked(3 * block, 'm');
  put(marked);
  std::size_t at = std::string::npos;
  for (const auto& e : std::filesystem::directory_iterator(c.data(0) + "/wal"))
    if (const std::size_t found = read_file(e.path()).find(marked); found != std::string::npos) at = found;
  REQUIRE(at != std::string::npos);

  quorumd::storage::batch_builder b;
  b.begin();
  b.add_commit(quorumd::group_id(1), quorumd::log_index(1));
  const auto forged =
      b.finish({.segment_id = 7, .number = 1'000'000'000, .durable = 999'999'999, .length = 0, .records = 0}, nullptr);
  std::string value = marked;
  for (std::size_t i = block - at % block; i + block <= value.size(); i += block)
    std::memcpy(value.data() + i, forged.data(), block);
  for (int restart = 0; restart < 6; ++restart) {
    for (int i = 0; i < 150; ++i) put(value);
    c.kill(0);
    c.start(0);
    c.wait_healthy(0);
  }
  REQUIRE(c.logged(0, "snapshot taken at index"));
  REQUIRE(c.anywhere({"get", "forged"}).code == 0);
}

// A file of the log cannot be read at all: the daemon ends and names it.
TEST_CASE("an unreadable log is named") {
  cluster c("disk_unreadable", {.nodes = 1, .set = small_segments});
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.anywhere({"put", "key", "value"}).code == 0);
  REQUIRE(c.stop(0) == 0);
  const std::string segment = fullest(c.data(0) + "/wal");
  std::filesystem::rename(segment, segment + ".kept");
  std::filesystem::create_directory(segment); // root may read every file, but not a directory as one
  c.start(0);
  const auto code = c.node(0).wait(seconds(20));
  REQUIRE(code.has_value());
  REQUIRE((code == 71 || code == 74));
  REQUIRE(c.logged(0, segment));
}
