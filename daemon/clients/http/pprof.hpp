#pragma once

#include "daemon/client/protocol.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

/// Profiles of this process where Go's programs have theirs, under /debug/pprof.
namespace quorumd::clients {

[[nodiscard]] bool is_pprof_path(std::string_view path);

/// A page that is said at once.
struct pprof_page {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body;
};

/// What such a path asks for: a profile, or else a page. `query` is what stands behind the question mark.
struct pprof_request {
  std::optional<client::profile_request> profile;
  pprof_page page;
};
[[nodiscard]] pprof_request pprof_request_of(std::string_view path, std::string_view query);

/// What is answered where profiles are not served.
[[nodiscard]] pprof_page pprof_is_off();

/// The head's lines for a profile: a name for its file.
[[nodiscard]] std::string pprof_file_lines(client::profile_kind what);
/// Of a page that says why there is none: by it `go tool pprof` shows the text.
inline constexpr std::string_view pprof_error_lines = "X-Go-Pprof: 1\r\n";

} // namespace quorumd::clients
