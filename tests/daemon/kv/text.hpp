#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/kv/store.hpp"

#include <string>
#include <string_view>

namespace quorumd::kv::test {

/// As the end of a range: every key from its beginning.
inline constexpr std::string_view rest{"\0", 1};

// Replies as text, so that a test states what it expects in one readable line and a mismatch shows both sides.
//   a version        a=1 c2 m3 v2            (create, mod revision, version)
//   a put            put, put was [a=1 c2 m2 v1]
//   a deletion       deleted 2 [a=1 …, b=2 …]
//   a range          r3 2/5 more [a=1 …, b=2 …]   (store's revision, keys given / counted)
//   a transaction    yes {put; deleted 0 []}
//   a whole reply    r3: …
[[nodiscard]] std::string text(const key_value_view& kv);
[[nodiscard]] std::string text(const range_reply& r);
[[nodiscard]] std::string text(const result<range_reply>& r);
[[nodiscard]] std::string text(const result<reply>& r);

/// A store with the log index that its next command gets.
struct machine {
  store s{options{}};
  log_index index;

  std::string operator()(const command& c, const session_call& call = {}) {
    index = index.next();
    return text(s.apply(index, c, call));
  }
  /// The keys of a lease, in one line.
  [[nodiscard]] std::string keys(std::uint64_t lease) const {
    std::string out = std::to_string(s.leases().key_count(lease_id(lease))) + ":";
    for (const std::string_view key : s.leases().keys(lease_id(lease), {}, 100)) (out += ' ') += key;
    return out;
  }
  /// Begins a session.
  session_id open(std::uint64_t idle_ms_max = 60'000, std::uint64_t nonce = 0) {
    index = index.next();
    const result<reply> r = s.apply(index, open_session{.nonce = nonce, .idle_ms_max = idle_ms_max});
    return r ? std::get<open_session_reply>(r->body).session : session_id();
  }
  [[nodiscard]] std::string range(const range_request& r) const { return text(s.range(r)); }
  /// Every key as of a revision; 0: now.
  [[nodiscard]] std::string all(std::uint64_t at = 0) const {
    return range({.key = {"\0", 1}, .range_end = {"\0", 1}, .revision = revision(at)});
  }
  void finish_compaction() {
    while (s.compact_step(1)) {
    }
  }
};

} // namespace quorumd::kv::test
