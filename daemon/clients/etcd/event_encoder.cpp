#include "daemon/clients/etcd/event_encoder.hpp"

#include "daemon/clients/etcd/fields.hpp"

namespace quorumd::clients::etcd {

std::span<const std::byte> event_encoder::encode(const kv::delivery& d) {
  if (d.number == number_) return bytes_.bytes();
  bytes_.clear();
  number_ = d.number;
  for (const kv::event& e : d.events)
    writer_.append(bytes_, [&](auto& m) {
      m.message(11, [&](auto& event) {
        event.number(1, e.deletion() ? 1 : 0);
        write_version(event, 2, e.kv);
        if (e.prev) write_version(event, 3, *e.prev);
      });
    });
  return bytes_.bytes();
}

} // namespace quorumd::clients::etcd
