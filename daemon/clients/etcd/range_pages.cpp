#include "daemon/clients/etcd/range_pages.hpp"

#include "consensus/types/little_endian.hpp"
#include "daemon/clients/etcd/fields.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/message_writer.hpp"
#include "daemon/clients/etcd/staging.hpp"

#include <chrono>
#include <cstring>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

/// Revision, count, how many keys, and the last key's length, in front of a page.
constexpr std::size_t page_head_bytes = 32;
constexpr unsigned tries_max = 3;
/// The next page is asked for within that time.
constexpr std::chrono::milliseconds page_kept{5'000};
constexpr std::uint32_t count_field = 4;

} // namespace

bool range_pages::can_be(const client::range_read& r) {
  const kv::range_request& q = r.request;
  return !q.range_end.empty() && !q.count_only && q.target == kv::sort_target::key &&
         q.order != kv::sort_order::descend;
}

range_pages::range_pages(const client::range_read& r)
    : asked_(r)
    , key_(r.request.key)
    , range_end_(r.request.range_end)
    , after_(key_) {}

client::range_read range_pages::next() const {
  client::range_read r = asked_;
  r.request.key = after_;
  r.request.range_end = range_end_;
  if (!begun()) return r;
  r.serializable = true; // this node has it
  r.keep = page_kept;
  r.request.revision = revision_;
  r.request.skip_count = true;
  if (r.request.limit != 0) r.request.limit -= found_;
  return r;
}

bool range_pages::take(std::span<const std::byte> page) {
  if (page.size() < page_head_bytes) return false;
  const auto key_bytes = load_le<std::uint64_t>(page.data() + 24);
  if (page.size() - page_head_bytes < key_bytes) return false;
  if (!begun()) {
    const revision current(load_le<std::uint64_t>(page.data()));
    revision_ = asked_.request.revision ? asked_.request.revision : current;
    count_ = load_le<std::uint64_t>(page.data() + 8);
  }
  found_ += load_le<std::uint64_t>(page.data() + 16);
  after_.assign(reinterpret_cast<const char*>(page.data()) + page_head_bytes, key_bytes);
  after_ += '\0';
  fields_.append(page.subspan(page_head_bytes + key_bytes));
  return true;
}

void range_pages::finish(wire::byte_buffer& out, std::span<const std::byte> message) const {
  const std::size_t before = out.size();
  std::byte* const prefix = out.prepare(prefix_bytes);
  std::memset(prefix, 0, prefix_bytes);
  out.commit(prefix_bytes);
  out.append(fields_.bytes());
  out.append(message);
  message_writer writer; // the last page has counted itself alone: what comes last holds
  writer.append(out, [&](auto& m) { m.number(count_field, count_); });
  write_prefix(out.at(before), out.size() - before - prefix_bytes);
}

bool range_pages::begin_anew() {
  if (!begun() || asked_.request.revision || ++tries_ == tries_max) return false;
  revision_ = {};
  found_ = 0;
  after_ = key_;
  fields_.clear();
  return true;
}

void stage_page(wire::byte_buffer& out, std::uint64_t stream, const kv::range_reply& r) {
  const std::string_view last = r.kvs.back().key;
  const std::size_t before = out.size();
  const std::size_t head = staged_head_bytes + page_head_bytes + last.size();
  std::byte* at = out.prepare(head);
  std::memset(at, 0, staged_head_bytes);
  at[4] = static_cast<std::byte>(staged_kind::page);
  store_le(at + 8, stream);
  at += staged_head_bytes;
  store_le(at, r.revision.value());
  store_le(at + 8, r.count);
  store_le(at + 16, std::uint64_t{r.kvs.size()});
  store_le(at + 24, std::uint64_t{last.size()});
  std::memcpy(at + page_head_bytes, last.data(), last.size());
  out.commit(head);
  message_writer writer;
  writer.append(out, [&](auto& m) {
    for (const kv::key_value_view& v : r.kvs) write_version(m, 2, v);
  });
  store_le(out.at(before), static_cast<std::uint32_t>(out.size() - before - staged_head_bytes));
}

} // namespace quorumd::clients::etcd
