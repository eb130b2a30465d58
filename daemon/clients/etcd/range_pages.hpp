#pragma once

#include "daemon/client/protocol.hpp"
#include "daemon/kv/result.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// A range in the order of keys whose answer takes more than the group makes at once (kv::reply_bytes_max): it is asked
/// for page by page, at the revision of the first, and sent as one message. The fields of the pages, one after the
/// other, are that message. Belongs to the connection's loop.
class range_pages {
 public:
  /// Whether the read is one of those.
  [[nodiscard]] static bool can_be(const client::range_read& r);
  explicit range_pages(const client::range_read& r);

  /// What is to be asked for now: the first page, or the next one. Views of this.
  [[nodiscard]] client::range_read next() const;
  /// A page that was staged; false: it is none.
  [[nodiscard]] bool take(std::span<const std::byte> page);
  /// The last page, a message, makes these the whole: appends the prefix and the message.
  void finish(wire::byte_buffer& out, std::span<const std::byte> message) const;
  /// The revision of the first page was compacted away. False: it is of no use to begin anew.
  [[nodiscard]] bool begin_anew();
  [[nodiscard]] bool begun() const { return static_cast<bool>(revision_); }
  [[nodiscard]] std::size_t bytes() const { return fields_.size(); }

 private:
  client::range_read asked_;
  std::string key_;
  std::string range_end_;
  std::string after_; ///< where the next page begins
  revision revision_; ///< of the first page; 0: there is none
  std::uint64_t count_ = 0;
  std::uint64_t found_ = 0;
  unsigned tries_ = 0;
  wire::byte_buffer fields_{0};
};

/// On the group's loop: a page, of which more follows.
void stage_page(wire::byte_buffer& out, std::uint64_t stream, const kv::range_reply& r);

} // namespace quorumd::clients::etcd
