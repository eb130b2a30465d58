#include "config/config.hpp"

#include "config/variables.hpp"

#include <boost/throw_exception.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>
#include <variant>

namespace quorumd::config {

namespace {

/// More than this is no configuration.
constexpr std::size_t file_bytes_max = 256 * kib;

/// The file's text, or why it can't be read.
std::variant<std::string, mistake> read_file(const std::filesystem::path& file) {
  const auto refused = [&](std::string what) { return mistake{file.string(), 0, 0, std::move(what)}; };
  const auto failed = [&] { return refused(std::string("cannot be read: ") + std::strerror(errno)); };
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed();
  std::string text;
  while (text.size() <= file_bytes_max) {
    char block[16 * kib];
    const ssize_t n = ::read(fd, block, sizeof block);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      auto out = failed();
      ::close(fd);
      return out;
    }
    if (n == 0) break;
    text.append(block, static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (text.size() > file_bytes_max)
    return refused("expected a configuration of at most " + std::to_string(file_bytes_max / kib) + " KiB, got more");
  return text;
}

} // namespace

const member* cluster_settings::find(std::string_view member_name) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const member& m) { return m.name == member_name; });
  return found == members.end() ? nullptr : &*found;
}

std::string mistake::text() const {
  return place() + ": " + what;
}

std::string mistake::place() const {
  if (line == 0) return source;
  return source + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string mistakes::text() const {
  std::string out;
  for (const mistake& m : list_) out.append(m.text()).append("\n");
  return out;
}

void throw_exception_from_error(const mistakes& e, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(e.text()), where);
}

result<settings> load(const std::filesystem::path& file, overrides set, environment env) {
  auto read = read_file(file);
  if (auto* why = std::get_if<mistake>(&read); why != nullptr) return mistakes({std::move(*why)});
  return parse(std::get<std::string>(read), file.string(), set, env);
}

result<std::vector<value_origin>> explain(const std::filesystem::path& file, overrides set, environment env) {
  auto read = read_file(file);
  if (auto* why = std::get_if<mistake>(&read); why != nullptr) return mistakes({std::move(*why)});
  return explain_text(std::get<std::string>(read), file.string(), set, env);
}

} // namespace quorumd::config
