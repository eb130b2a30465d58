#include "daemon/cli/key_range.hpp"

#include "daemon/kv/command.hpp"

namespace quorumd::cli {

result<key_range> key_range_of(const invocation& in) {
  const std::string name = std::string(in.command().name) + ": ";
  const bool prefix = in.has("prefix");
  const bool from = in.has("from-key");
  const bool to = in.has("range-end");
  if (prefix + from + to > 1) return usage(name + "--prefix, --range-end and --from-key exclude each other");
  key_range out{in.argument(0), {}};
  const std::string zero(1, '\0'); // as a key the least there is, as an end that of all keys
  if (out.key.empty()) {
    if (!prefix && !from && !to) return usage(name + "the key is empty");
    out.key = zero;
  }
  if (prefix) out.range_end = kv::prefix_end(in.argument(0));
  if (from) out.range_end = zero;
  if (to) {
    out.range_end = in.text("range-end");
    if (out.range_end.empty()) return usage(name + "--range-end is empty; every key from KEY on is --from-key");
    if (out.range_end <= out.key) return usage(name + "--range-end is not behind KEY, so that the range is empty");
  }
  return out;
}

std::vector<option_spec> key_range_options() {
  return {{"prefix", "", option_kind::flag, "every key that begins with KEY; '' is every key"},
          {"range-end", "END", option_kind::text, "every key from KEY up to, and without, END"},
          {"from-key", "", option_kind::flag, "every key from KEY on"}};
}

} // namespace quorumd::cli
