#pragma once

#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The small print of HTTP/1.1.
namespace quorumd::clients {

/// What an answer begins with.
struct response_head {
  unsigned status = 200;
  std::string_view type{};
  std::optional<std::size_t> length{}; ///< of the body
  bool chunked = false;
  bool keep = true;        ///< the connection goes on
  std::string_view more{}; ///< whole lines
};
void write_head(wire::byte_buffer& out, const response_head& h);
void write_text(wire::byte_buffer& out, std::string_view text);

/// Whether the query of a target has the parameter with that value: `exclude=NOSPACE`.
[[nodiscard]] bool has_parameter(std::string_view query, std::string_view pair);
/// What the first parameter of that name has for its value, as it is written.
[[nodiscard]] std::optional<std::string_view> parameter_of(std::string_view query, std::string_view name);

} // namespace quorumd::clients
