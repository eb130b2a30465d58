#pragma once

#include "consensus/types/ids.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace quorumd::storage {

enum class error_code : std::uint8_t {
  none = 0,
  io,        ///< the disk refused a read, a write or a sync: what it holds is unknown
  no_space,  ///< the volume is full; nothing is lost, and it may be tried again once there is room
  corrupt,   ///< what the disk holds contradicts itself: never served, never repaired by guessing
  locked,    ///< another process uses the data directory
  foreign,   ///< the files belong to another cluster or node
  not_found, ///< there is no such file
  exists,    ///< there is such a file already
  compacted, ///< the log no longer holds (or does not hold yet) what was asked for
  stopped,   ///< the log failed earlier and takes nothing any more
  version,   ///< written by another version of quorumd, and only that can read it
};
[[nodiscard]] const char* describe(error_code code);

/// The one error type of this module: what happened, to what, and what to do about it.
class error {
 public:
  error() = default;
  /// `detail` says what happened and what to do, in words.
  error(error_code c, std::string file, std::string what)
      : code(c)
      , path(std::move(file))
      , detail(std::move(what)) {}

  [[nodiscard]] error&& at(std::uint64_t where) && {
    offset = where;
    return std::move(*this);
  }
  [[nodiscard]] error&& of(group_id g, log_index i) && {
    group = g;
    index = i;
    return std::move(*this);
  }
  /// For a person: code, path, offset, group, index, detail.
  [[nodiscard]] std::string message() const;

  error_code code = error_code::none;
  std::string path;
  std::optional<std::uint64_t> offset; ///< bytes from the file's beginning
  std::optional<group_id> group;
  std::optional<log_index> index;
  std::string detail;
};

template <class T>
using result = boost::system::result<T, error>;

/// What value() of a failed result throws: std::runtime_error with the message.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

} // namespace quorumd::storage
