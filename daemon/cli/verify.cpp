#include "daemon/cli/verify.hpp"

#include "daemon/cli/text.hpp"

namespace quorumd::cli {
namespace {

/// Empty if the members do not say.
std::string where(const client::verification& v) {
  if (!v.unequal.revision) return {};
  const std::string to = std::to_string(v.unequal.revision.value());
  if (!v.equal.index) return "; they part at revision " + to + " or before";
  const revision from = std::min(v.equal.revision.next(), v.unequal.revision);
  return "; they part between revisions " + std::to_string(from.value()) + " and " + to;
}

} // namespace

std::string verification_text(const client::verification& v) {
  const std::string at = " at index " + std::to_string(v.at.value());
  if (!v.differ.empty() && v.same.empty()) return "the states of " + listed(v.differ) + " differ" + at + where(v);
  if (!v.differ.empty())
    return "the state of " + listed(v.differ) + " differs from that of " + listed(v.same) + at + where(v);
  if (!v.at) return "not compared: no index in common yet of " + listed(v.missing);
  std::string out = v.same.size() == 1 ? listed(v.same) + " stands alone" + at
                                       : "the states of " + listed(v.same) + " are equal" + at;
  if (!v.missing.empty()) out += "; not compared: " + listed(v.missing);
  return out;
}

} // namespace quorumd::cli
