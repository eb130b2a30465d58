#include "daemon/kv/command.hpp"

#include <algorithm>

namespace quorumd::kv {
namespace {

bool only_reads(const std::vector<operation>& list) {
  return std::all_of(list.begin(), list.end(), [](const operation& o) {
    if (const auto* nested = std::get_if<txn>(&o.what)) return kv::only_reads(*nested);
    return std::holds_alternative<range_request>(o.what);
  });
}

} // namespace

bool only_reads(const txn& t) {
  return only_reads(t.success) && only_reads(t.failure);
}

bool is_leaders_own(const command& c) {
  return std::holds_alternative<pass_time>(c) || std::holds_alternative<raise_level>(c) ||
         std::holds_alternative<expire_lease>(c) || std::holds_alternative<checkpoint_leases>(c);
}

std::uint16_t needed_level(const command& c, const session_call& call) {
  if (std::holds_alternative<grant_lease>(c) || std::holds_alternative<revoke_lease>(c) ||
      std::holds_alternative<expire_lease>(c) || std::holds_alternative<checkpoint_leases>(c) ||
      std::holds_alternative<lease_question>(c))
    return lease_level;
  if (const auto* s = std::get_if<configure>(&c); s != nullptr && s->keep_for_ms) return age_level;
  const bool sessions = call || std::holds_alternative<open_session>(c) || std::holds_alternative<close_session>(c) ||
                        std::holds_alternative<pass_time>(c) || std::holds_alternative<raise_level>(c);
  return sessions ? session_level : 0;
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    const auto last = static_cast<unsigned char>(end.back());
    if (last != 0xff) {
      end.back() = static_cast<char>(last + 1);
      return end;
    }
    end.pop_back();
  }
  return std::string(1, '\0');
}

} // namespace quorumd::kv
