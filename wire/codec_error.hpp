#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace quorumd::wire {

/// Why bytes from outside were refused.
enum class codec_errc : std::uint8_t {
  none = 0,
  frame_segments,  ///< the frame announces more than one segment
  frame_empty,     ///< the frame has no content
  frame_too_large, ///< the frame is longer than this stream allows
  malformed,       ///< not a message of the schema
  unknown_kind,    ///< a message or enumerator that this version does not know
  number,          ///< a term, index or identifier out of range
  count,           ///< more items than allowed
  length,          ///< a text or blob longer than allowed
  entries,         ///< the entries of an append are not what it says
  depth,           ///< transactions nested too deeply
  checksum,        ///< a checksum does not hold
  packing,         ///< a packed chunk that cannot be unpacked
};

/// Bytes of a name, an address or a reason: a longer one is cut when it is encoded, and refused when it is decoded.
inline constexpr std::size_t text_bytes_max = 4096;

/// What a decoder refuses, and what exactly was wrong, for a person.
class codec_error {
 public:
  codec_error() = default;
  codec_error(codec_errc code, std::string what)
      : code_(code)
      , what_(std::move(what)) {}

  [[nodiscard]] codec_errc code() const { return code_; }
  [[nodiscard]] const std::string& what() const { return what_; }

 private:
  codec_errc code_ = codec_errc::none;
  std::string what_;
};

/// How boost::system::result turns an error that nobody looked at into an exception.
[[noreturn]] void throw_exception_from_error(const codec_error& e, const boost::source_location& where);

template <class T>
using decoded = boost::system::result<T, codec_error>;

} // namespace quorumd::wire
