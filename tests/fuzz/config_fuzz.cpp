// The configuration file: any text is a configuration or a mistake that is named.
#include "config/config.hpp"
#include "consensus/types/invariant.hpp"
#include "tests/fuzz/input.hpp"

using namespace quorumd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto parsed = config::parse(in.text(), "input");
  if (parsed.has_error()) QUORUMD_INVARIANT(!parsed.error().text().empty(), "a mistake has a message");
  return 0;
}
