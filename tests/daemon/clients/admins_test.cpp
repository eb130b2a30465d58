#include "daemon/admin/admin_socket.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using quorumd::admin::admins;

// Root, the daemon's own user and whoever is named, by user or by any of their groups, may use the admin socket; others
// are told who they are.
TEST_CASE("the admin socket is for root, the daemon's user and those named") {
  admins a;
  CHECK(a.add({"4001"}, {"5001"}).empty());
  CHECK_FALSE(a.judge({.uid = 0, .gid = 77, .groups = {}}));
  CHECK_FALSE(a.judge({.uid = ::geteuid(), .gid = 77, .groups = {}}));
  CHECK_FALSE(a.judge({.uid = 4001, .gid = 77, .groups = {}}));
  CHECK_FALSE(a.judge({.uid = 4002, .gid = 5001, .groups = {}}));
  CHECK_FALSE(a.judge({.uid = 4002, .gid = 77, .groups = {78, 5001}}));
  const auto why = a.judge({.uid = 4002, .gid = 77, .groups = {78}});
  REQUIRE(why);
  CHECK(why->find("4002") != std::string::npos);
}

// A name that nobody has is reported and lets nobody in.
TEST_CASE("an unknown name in admin.users or admin.groups is said") {
  admins a;
  const auto unknown = a.add({"no-such-user-here"}, {"no-such-group-here"});
  REQUIRE(unknown.size() == 2);
  CHECK(unknown[0].find("no-such-user-here") != std::string::npos);
  CHECK(unknown[1].find("no-such-group-here") != std::string::npos);
}
