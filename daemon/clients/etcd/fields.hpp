#pragma once

#include "daemon/kv/result.hpp"

#include <cstdint>

/// Messages that others hold, said to a message_writer's sink.
namespace quorumd::clients::etcd {

/// What every answer says of who gave it.
struct response_header {
  std::uint64_t cluster = 0;
  std::uint64_t member = 0;
  std::uint64_t term = 0;
  std::uint64_t revision = 0; ///< 0: it is left out
};

/// etcdserverpb.ResponseHeader, in field 1.
template <class Sink>
void write_header(Sink& s, const response_header& h) {
  s.message(1, [&](auto& m) {
    m.number(1, h.cluster);
    m.number(2, h.member);
    m.number(3, h.revision);
    m.number(4, h.term);
  });
}

/// mvccpb.KeyValue.
template <class Sink>
void write_version(Sink& s, std::uint32_t field, const kv::key_value_view& kv) {
  s.message(field, [&](auto& m) {
    m.bytes(1, kv.key);
    m.number(2, kv.create_revision.value());
    m.number(3, kv.mod_revision.value());
    m.number(4, kv.version);
    m.bytes(5, kv.value);
    m.number(6, kv.lease.value());
  });
}

} // namespace quorumd::clients::etcd
