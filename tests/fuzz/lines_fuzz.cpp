// What is imported, in both formats: however the input is cut, the pairs are the same, and what is written comes back.
#include "consensus/types/invariant.hpp"
#include "daemon/cli/pair_lines.hpp"
#include "daemon/cli/text.hpp"
#include "tests/fuzz/input.hpp"

#include <string>
#include <utility>
#include <vector>

using namespace quorumd;

namespace {

struct outcome {
  std::vector<std::pair<std::string, std::string>> pairs;
  bool good = true;
};

outcome read(cli::pair_format format, std::string_view text, std::size_t piece) {
  outcome o;
  cli::pair_lines lines(format);
  for (std::size_t at = 0; o.good;) {
    const std::string_view next = text.substr(at, piece);
    at += next.size();
    if (next.empty()) lines.finish();
    lines.feed(next);
    for (;;) {
      auto pair = lines.next();
      if (pair.has_error()) {
        o.good = false;
        break;
      }
      if (!*pair) break;
      o.pairs.emplace_back((*pair)->key, (*pair)->value);
    }
    if (next.empty()) break;
  }
  return o;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const std::size_t piece = in.byte() + std::size_t{1};
  const auto format = in.byte() % 2 == 0 ? cli::pair_format::lines : cli::pair_format::jsonl;
  const std::string_view text = in.text();
  const outcome whole = read(format, text, text.size() + 1);
  const outcome cut = read(format, text, piece);
  QUORUMD_INVARIANT(whole.good == cut.good && whole.pairs == cut.pairs, "pairs do not depend on how the input is cut");
  return 0;
}
