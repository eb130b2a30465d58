#include "daemon/admin/admin_socket.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace quorumd::admin {
namespace {

std::string sentence(const std::string& what, const std::string& path, int error) {
  return "the admin socket " + path + ": " + what + ": " + std::strerror(error);
}

std::optional<std::uint32_t> number(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

} // namespace

admin_socket::opened admin_socket::open(coro::loop& owner, coro::network& net, const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    return {nullptr, nullptr, "the admin socket " + path + ": the path is longer than the 107 bytes a socket can have"};
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode))
    return {nullptr, nullptr,
            "the admin socket " + path +
                ": something that is not a socket stands there: set listen.admin to another path"};
  std::error_code ignored; // what is missing is named by the open below
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const int lock = ::open((path + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (lock < 0) return {nullptr, nullptr, sentence("its lock cannot be opened", path, errno)};
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return {nullptr, nullptr, "the admin socket " + path + ": another daemon uses it; give each its own listen.admin"};
  }
  std::unique_ptr<admin_socket> socket(new admin_socket(path, lock)); // removes the path at its end: only with the lock
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return {nullptr, nullptr, sentence("a stale one cannot be removed", path, errno)};
  auto acceptor = net.listen_local(owner, path);
  if (!acceptor)
    return {nullptr, nullptr, "the admin socket " + path + ": cannot listen: " + acceptor.error().message()};
  if (::chmod(path.c_str(), 0666) != 0) return {nullptr, nullptr, sentence("its mode cannot be set", path, errno)};
  return {std::move(socket), std::move(*acceptor), {}};
}

admin_socket::~admin_socket() {
  ::unlink(path_.c_str());
  ::close(lock_);
}

std::vector<std::string> admins::add(const std::vector<std::string>& users, const std::vector<std::string>& groups) {
  std::vector<std::string> unknown;
  for (const std::string& user : users) {
    if (const auto id = number(user))
      users_.push_back(*id);
    else if (const passwd* found = ::getpwnam(user.c_str()))
      users_.push_back(found->pw_uid);
    else
      unknown.push_back("admin.users: there is no user '" + user + "' on this machine");
  }
  for (const std::string& name : groups) {
    if (const auto id = number(name))
      groups_.push_back(*id);
    else if (const ::group* found = ::getgrnam(name.c_str()))
      groups_.push_back(found->gr_gid);
    else
      unknown.push_back("admin.groups: there is no group '" + name + "' on this machine");
  }
  return unknown;
}

std::optional<std::string> admins::judge(const coro::credentials& c) const {
  const auto listed = [](const std::vector<std::uint32_t>& list, std::uint32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  if (c.uid == 0 || c.uid == ::geteuid() || listed(users_, c.uid) || listed(groups_, c.gid)) return std::nullopt;
  if (std::any_of(c.groups.begin(), c.groups.end(), [&](std::uint32_t g) { return listed(groups_, g); }))
    return std::nullopt;
  return "user " + std::to_string(c.uid) +
         " is neither root, the daemon's user, nor named in admin.users or admin.groups";
}

} // namespace quorumd::admin
