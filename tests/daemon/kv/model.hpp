#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/kv/snapshot.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::kv::test {

/// etcd's data model written down as plainly as it goes: every version ever is kept and searched one by one. What the
/// store is measured by. Judges commands in its own way where that is more than reading fields.
class model {
 public:
  [[nodiscard]] result<reply> apply(const command& c, log_index at = {});
  [[nodiscard]] result<range_reply> range(const range_request& r) const;
  [[nodiscard]] std::uint64_t current() const { return current_; }
  [[nodiscard]] std::uint64_t compacted() const { return compacted_; }
  [[nodiscard]] std::uint64_t keys() const { return find({"\0", 1}, {"\0", 1}, current_).size(); }
  [[nodiscard]] const std::optional<kv::settings>& settings() const { return settings_; }
  /// By their ids.
  [[nodiscard]] const std::map<std::uint64_t, lease_record>& leases() const { return leases_; }
  [[nodiscard]] std::vector<std::string> keys_of(lease_id id) const;
  /// What a snapshot of the state must yield.
  [[nodiscard]] std::vector<record_view> records() const;

 private:
  struct entry {
    std::string value;
    std::uint64_t create = 0, mod = 0, version = 0;
    std::uint32_t sub = 0;
    lease_id lease;
  };
  struct touched { // a change of a transaction, and the branches taken to come to it
    std::string_view key, end;
    bool is_put = false;
    std::vector<std::pair<const txn*, bool>> branches;
  };

  [[nodiscard]] std::vector<key_value_view> find(std::string_view key, std::string_view end, std::uint64_t at) const;
  [[nodiscard]] range_reply read(const range_request& r, std::uint64_t at, std::uint64_t header) const;
  [[nodiscard]] bool holds(const compare& c, std::uint64_t at) const;
  [[nodiscard]] result<void> check(const operation& o, std::uint64_t at) const;
  result<reply> grant(const grant_lease& g, log_index at);
  result<reply> end(lease_id id);
  void checkpoint(const checkpoint_leases& c);
  operation_reply run(const operation& o, std::uint64_t compared_at);
  operation_reply run(const put& p);
  operation_reply run(const delete_range& d);
  void add(std::string_view key, entry e);
  static void gather(const std::vector<operation>& list, std::vector<std::pair<const txn*, bool>>& branches,
                     std::vector<touched>& out);
  static bool clash(const touched& a, const touched& b);

  std::map<std::string, std::deque<entry>, std::less<>> keys_; // a deque never moves what it holds
  std::map<std::uint64_t, lease_record> leases_;
  std::optional<kv::settings> settings_;
  std::uint64_t current_ = 1;
  std::uint64_t compacted_ = 0;
  std::uint32_t subs_ = 0;
};

} // namespace quorumd::kv::test
