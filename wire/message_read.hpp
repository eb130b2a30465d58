#pragma once

#include "wire/capnp.hpp"

#include "consensus/types/ids.hpp"
#include "wire/codec_error.hpp"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// Reading messages in place, for this folder's .cpp files.
namespace quorumd::wire::detail {

/// Leaves a reading; never leaves decoding().
class refusal final : public std::exception {
 public:
  explicit refusal(codec_error e)
      : error_(std::move(e)) {}
  [[nodiscard]] const char* what() const noexcept override { return error_.what().c_str(); }
  [[nodiscard]] const codec_error& error() const { return error_; }

 private:
  codec_error error_;
};

[[noreturn]] void refuse(codec_errc code, std::string what);
inline void require(bool holds, codec_errc code, const char* what) {
  if (!holds) [[unlikely]]
    refuse(code, what);
}

[[nodiscard]] inline std::string_view view(capnp::Data::Reader d) {
  return {reinterpret_cast<const char*>(d.begin()), d.size()};
}
[[nodiscard]] inline std::span<const std::byte> bytes_of(capnp::Data::Reader d) {
  return {reinterpret_cast<const std::byte*>(d.begin()), d.size()};
}
[[nodiscard]] inline std::string_view text(capnp::Text::Reader t) {
  require(t.size() <= text_bytes_max, codec_errc::length, "a text is longer than allowed");
  return {t.begin(), t.size()};
}
/// A term or index.
template <class Id>
[[nodiscard]] Id number(std::uint64_t value) {
  require(value <= number_max, codec_errc::number, "a term, index or revision is out of range");
  return Id(value);
}
template <class Enum>
[[nodiscard]] Enum enumerator(std::uint8_t value, Enum last) {
  require(value <= static_cast<std::uint8_t>(last), codec_errc::unknown_kind, "an enumerator is unknown");
  return static_cast<Enum>(value);
}

/// The one place where the errors of Cap'n Proto and of the readers become results.
template <class F>
[[nodiscard]] auto decoding(F f) -> decoded<std::invoke_result_t<F>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      f();
      return {};
    } else {
      return f();
    }
  } catch (const refusal& r) {
    return r.error();
  } catch (const kj::Exception& e) {
    return codec_error(codec_errc::malformed, std::string("not a message: ") + e.getDescription().cStr());
  }
}

/// Pointers behind pointers that a peer's message may have.
inline constexpr int nesting_max = 8;

/// Reads a segment in place: f(root). What it may visit is bounded by twice the message and 64 words.
template <class Root, class F>
[[nodiscard]] auto decode_segment(std::span<const std::byte> bytes, int nesting, F f) {
  return decoding([&] {
    require(!bytes.empty(), codec_errc::frame_empty, "a message is empty");
    require(bytes.size() % sizeof(capnp::word) == 0, codec_errc::malformed, "a message is not of whole words");
    require(reinterpret_cast<std::uintptr_t>(bytes.data()) % sizeof(capnp::word) == 0, codec_errc::malformed,
            "a message is not aligned");
    const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(bytes.data()),
                                                  bytes.size() / sizeof(capnp::word));
    capnp::ReaderOptions options;
    options.traversalLimitInWords = segment.size() * 2 + 64;
    options.nestingLimit = nesting;
    capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1), options);
    return f(reader.getRoot<Root>());
  });
}

} // namespace quorumd::wire::detail
