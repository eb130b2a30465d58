#include "consensus/storage/error.hpp"

#include <boost/throw_exception.hpp>

#include <stdexcept>

namespace quorumd::storage {

const char* describe(error_code code) {
  switch (code) {
  case error_code::none:
    return "no error";
  case error_code::io:
    return "disk error";
  case error_code::no_space:
    return "no space left";
  case error_code::corrupt:
    return "corrupt";
  case error_code::locked:
    return "in use";
  case error_code::foreign:
    return "does not belong here";
  case error_code::not_found:
    return "not found";
  case error_code::exists:
    return "exists already";
  case error_code::compacted:
    return "not in the log";
  case error_code::stopped:
    return "log stopped";
  case error_code::version:
    return "of another version";
  }
  return "unknown error";
}

std::string error::message() const {
  std::string text = path.empty() ? std::string() : path + ": ";
  text += describe(code);
  std::string where;
  const auto add = [&](const char* name, std::uint64_t value) {
    where += (where.empty() ? " (" : ", ") + std::string(name) + ' ' + std::to_string(value);
  };
  if (offset) add("offset", *offset);
  if (group) add("group", group->value());
  if (index) add("index", index->value());
  if (!where.empty()) text += where + ')';
  if (!detail.empty()) text += ": " + detail;
  return text;
}

void throw_exception_from_error(const error& e, const boost::source_location& where) {
  boost::throw_with_location(std::runtime_error(e.message()), where);
}

} // namespace quorumd::storage
