#include "daemon/cli/lease_name.hpp"

#include "daemon/cli/text.hpp"

#include <charconv>
#include <cstdint>

namespace quorumd::cli {

result<lease_id> lease_named(const std::string& text) {
  std::uint64_t id = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (wrong == std::errc() && end == text.data() + text.size() && id != 0) return lease_id(id);
  return usage(shown(text) + " is no lease: ids are hexadecimal, as 'quorumd lease list' prints them");
}

} // namespace quorumd::cli
