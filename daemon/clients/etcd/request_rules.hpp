#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quorumd::clients::etcd {

/// Whether a request keeps to HTTP/2's form (RFC 9113, 8.1 to 8.3): what its headers are called and their order, what
/// has to be there, and that the body is as long as it says. The authority may be any text, since etcd's Go client puts
/// there what it likes: a URL, a list of endpoints.
class request_rules {
 public:
  /// One header after the other.
  [[nodiscard]] bool header(std::string_view name, std::string_view value);
  /// All were there.
  [[nodiscard]] bool headers_ended() const;
  /// So many bytes of its body came.
  [[nodiscard]] bool data(std::size_t bytes);
  /// It is whole.
  [[nodiscard]] bool ended() const { return !length_ || *length_ == came_; }

 private:
  [[nodiscard]] bool pseudo_header(std::string_view name, std::string_view value);

  std::uint32_t seen_ = 0; ///< of the headers that begin with a colon, a bit each
  bool regular_ = false;   ///< others began
  std::optional<std::uint64_t> length_;
  std::uint64_t came_ = 0;
};

} // namespace quorumd::clients::etcd
