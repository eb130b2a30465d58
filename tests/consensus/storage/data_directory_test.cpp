#include "consensus/storage/data_directory.hpp"
#include "consensus/storage/posix_files.hpp"
#include "tests/consensus/storage/temporary_directory.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <set>

namespace {
/// The directories that were synced, as the kernel names them.
std::set<std::string> synced; // NOLINT
} // namespace

/// Stands before the C library's, and does what that does.
extern "C" int fsync(int fd) {
  char path[4096] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), path, sizeof path - 1) > 0) synced.insert(path);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

identity node_one() {
  return {.cluster = cluster_id(0xabc),
          .cluster_name = "demo",
          .node = node_id(1),
          .node_name = "n1",
          .incarnation = {},
          .created = false};
}

} // namespace

// The first start draws an incarnation, later ones find it.
TEST_CASE("a data directory keeps its identity") {
  memory_files disk;
  counting_entropy random(1);
  incarnation drawn;
  {
    const auto d = data_directory::open(disk, "/data", node_one(), random);
    REQUIRE_MESSAGE(d.has_value(), d.error().message());
    CHECK((*d)->identity().created);
    drawn = (*d)->identity().incarnation;
    CHECK((*d)->wal_directory() == "/data/wal");
  }
  disk.crash(1, memory_files::loss::everything);
  const auto d = data_directory::open(disk, "/data", node_one(), random);
  REQUIRE(d.has_value());
  CHECK_FALSE((*d)->identity().created);
  CHECK((*d)->identity().incarnation == drawn);
  CHECK(read_identity(disk, "/data")->node_name == "n1");
}

// A wiped directory is another incarnation.
TEST_CASE("two directories have different incarnations") {
  memory_files disk;
  counting_entropy random(1);
  const auto a = data_directory::open(disk, "/a", node_one(), random);
  const auto b = data_directory::open(disk, "/b", node_one(), random);
  CHECK((*a)->identity().incarnation != (*b)->identity().incarnation);
}

// The wrong directory under the right configuration.
TEST_CASE("the directory of another cluster or node is refused by name") {
  memory_files disk;
  counting_entropy random(1);
  REQUIRE(data_directory::open(disk, "/data", node_one(), random).has_value());
  identity other = node_one();
  other.node = node_id(2);
  other.node_name = "n2";
  auto d = data_directory::open(disk, "/data", other, random);
  REQUIRE(d.has_error());
  CHECK(d.error().code == error_code::foreign);
  CHECK(d.error().message().find("'n1'") != std::string::npos);
  CHECK(d.error().message().find("'n2'") != std::string::npos);
  other = node_one();
  other.cluster = cluster_id(0xdef);
  d = data_directory::open(disk, "/data", other, random);
  REQUIRE(d.has_error());
  CHECK(d.error().message().find("0000000000000abc") != std::string::npos);
}

// Somebody's home directory is not taken over, and a lost identity is not drawn anew over data.
TEST_CASE("a directory that holds something else is refused") {
  memory_files disk;
  counting_entropy random(1);
  REQUIRE(disk.make_directory("/data/wal").has_value());
  const auto d = data_directory::open(disk, "/data", node_one(), random);
  REQUIRE(d.has_error());
  CHECK(d.error().code == error_code::foreign);
  CHECK(d.error().message().find("'wal'") != std::string::npos);
}

// Every bit of the identity counts.
TEST_CASE("a damaged identity is refused at every byte") {
  memory_files whole;
  counting_entropy random(1);
  REQUIRE(data_directory::open(whole, "/data", node_one(), random).has_value());
  const std::size_t bytes = whole.contents("/data/identity").size();
  for (std::size_t at = 0; at < bytes; ++at) {
    auto disk = whole.copy();
    disk->flip("/data/identity", at, std::byte{0x04});
    const auto d = data_directory::open(*disk, "/data", node_one(), random);
    REQUIRE(d.has_error());
    CHECK(d.error().code == error_code::corrupt);
  }
}

// A crash while the directory is made.
TEST_CASE("a crash at every operation of the creation leaves a directory that can be opened") {
  for (std::uint64_t at = 1; at < 10; ++at)
    for (std::uint64_t seed = 1; seed < 8; ++seed) {
      memory_files disk;
      counting_entropy random(seed);
      disk.set_hook([at](const memory_files::operation& o) {
        return o.changes() && o.number >= at ? memory_files::fault::freeze : memory_files::fault::none;
      });
      incarnation told;
      if (const auto d = data_directory::open(disk, "/data", node_one(), random)) told = (*d)->identity().incarnation;
      disk.set_hook({});
      disk.crash(seed);
      const auto d = data_directory::open(disk, "/data", node_one(), random);
      REQUIRE_MESSAGE(d.has_value(), d.error().message());
      if (told) CHECK((*d)->identity().incarnation == told);
    }
}

// Somebody has emptied or removed the log of a member that has lived, in the hope that it starts anew: it would, with
// its old incarnation and forgotten votes.
TEST_CASE("a member whose log was removed is refused, one that has never begun one is not") {
  memory_files disk;
  counting_entropy random(1);
  const auto open_all = [&](memory_files& d) -> result<void> {
    const auto directory = data_directory::open(d, "/data", node_one(), random);
    if (!directory) return directory.error();
    auto log = wal::open(d, (*directory)->wal_directory(), small_options(), random);
    if (!log) return log.error();
    return {};
  };
  // Interrupted before the log began, it begins with the next start.
  REQUIRE(data_directory::open(disk, "/data", node_one(), random).has_value());
  REQUIRE(open_all(disk).has_value());
  REQUIRE(open_all(disk).has_value());
  const auto remove = [](memory_files& d, const std::string& start) {
    for (const std::string& path : d.paths())
      if (path.starts_with(start)) REQUIRE(d.remove(path).has_value());
  };
  SUBCASE("the log alone") {
    remove(disk, "/data/wal/");
  }
  SUBCASE("all that names the log") {
    remove(disk, "/data/wal");
  }
  const auto refused = open_all(disk);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == error_code::corrupt);
  CHECK(refused.error().message().find("/data/wal") != std::string::npos);
  CHECK(refused.error().message().find("treat this member as lost") != std::string::npos);
}

// Two daemons on one directory would destroy it.
TEST_CASE("a second daemon on the directory is refused, with the first one's pid") {
  temporary_directory dir;
  posix_files fs;
  counting_entropy random(1);
  const std::string path = dir.path() + "/deep/data";
  {
    const auto first = data_directory::open(fs, path, node_one(), random);
    REQUIRE_MESSAGE(first.has_value(), first.error().message());
    const auto second = data_directory::open(fs, path, node_one(), random);
    REQUIRE(second.has_error());
    CHECK(second.error().code == error_code::locked);
    CHECK(second.error().message().find("pid " + std::to_string(::getpid())) != std::string::npos);
  }
  CHECK(data_directory::open(fs, path, node_one(), random).has_value());
}

// What the memory disk promises, the real one keeps too.
TEST_CASE("real files do what the seam says") {
  temporary_directory dir;
  posix_files fs;
  const std::string path = dir.path() + "/f";
  CHECK(fs.open(path, file_system::mode::read).error().code == error_code::not_found);
  CHECK(fs.remove(path).error().code == error_code::not_found);
  {
    auto f = fs.open(path, file_system::mode::create);
    REQUIRE(f.has_value());
    CHECK(fs.open(path, file_system::mode::create).error().code == error_code::exists);
    const std::vector<std::byte> bytes(10, std::byte{7});
    REQUIRE((*f)->write(5, bytes).has_value());
    CHECK(*(*f)->size() == 15);
    std::vector<std::byte> into(20);
    CHECK(*(*f)->read(3, into) == 12);
    CHECK(into[0] == std::byte{0});
    CHECK(into[2] == std::byte{7});
    REQUIRE((*f)->allocate(4096).has_value());
    CHECK(*(*f)->size() == 4096);
    REQUIRE((*f)->truncate(1).has_value());
    REQUIRE((*f)->sync().has_value());
  }
  REQUIRE(fs.rename(path, dir.path() + "/g").has_value());
  REQUIRE(fs.sync_directory(dir.path()).has_value());
  CHECK(*fs.list(dir.path()) == std::vector<std::string>{"g"});
  CHECK(*fs.free_bytes(dir.path()) > 0);
  CHECK(read_small_file(fs, dir.path() + "/g", 0).error().code == error_code::corrupt);
}

// After a power cut a directory is as gone as its name in the one above.
TEST_CASE("every directory that is made on the way is durable in the one above it") {
  const temporary_directory dir;
  posix_files fs;
  synced.clear();
  REQUIRE(fs.make_directory(dir.path() + "/a/b/c").has_value());
  CHECK(synced == std::set<std::string>{dir.path(), dir.path() + "/a", dir.path() + "/a/b"});
  synced.clear();
  REQUIRE(fs.make_directory(dir.path() + "/a/b/c").has_value());
  CHECK(synced.empty());
}

} // namespace quorumd::storage::test
