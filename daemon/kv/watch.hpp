#pragma once

#include "daemon/kv/history.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quorumd::kv {

using watch_id = strong_u64<struct watch_id_tag>;

/// What a watcher wants to see. Views: only needed during the call.
struct watch_options {
  std::string_view key;        ///< empty: the least key, one zero byte
  std::string_view range_end;  ///< as everywhere (see command.hpp)
  revision start;              ///< nothing older; 0: from the next revision on
  std::uint32_t start_sub = 0; ///< nor the first so many changes of it
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false; ///< events come with what they took the place of
};

/// Events for watchers that want the same. Views hold during the call.
struct delivery {
  /// In order, of one revision or more, all that these watchers want of them.
  std::span<const event> events;
  /// Only a part of the last revision: more of it follows, which happens where one alone takes more than
  /// watch_hub_options::batch_bytes_max.
  bool more = false;
  /// With this the watchers have everything up to that revision.
  revision through;
  /// Deliveries of the same number have the same content: what is encoded of one is good for all. They follow each
  /// other, but for those of watchers that catch up between two slices. An event is the same in all deliveries of its
  /// revision, but for `prev`, which is there only if asked for.
  std::uint64_t number = 0;
};

/// Who takes what watchers are to see; he knows them by the tags that he gave. Calls nothing of the hub meanwhile.
class watch_sink {
 public:
  virtual ~watch_sink() = default;
  /// Whether the watcher can take a delivery of so many bytes, as event_bytes() counts. If not it gets none until
  /// watch_hub::resume(). Asked for every one before it, for many watchers before the calls that deliver to them; with
  /// 0 bytes before what it would get is looked for, of which nothing may come. A sink that holds nothing has room.
  [[nodiscard]] virtual bool has_room(std::uint64_t tag, std::size_t bytes) = 0;
  virtual void deliver(const delivery& d, std::span<const std::uint64_t> tags) = 0;
  /// The watcher is gone: what it needs next was compacted away. It may be added again from `floor` on, for what is
  /// left.
  virtual void cancelled(std::uint64_t tag, revision floor) = 0;
};

} // namespace quorumd::kv
