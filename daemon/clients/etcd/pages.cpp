#include "daemon/clients/etcd/calls.hpp"

#include <algorithm>

/// Ranges that are answered page by page.
namespace quorumd::clients::etcd {

void calls::ask_for_page(std::int32_t id, call& c) {
  const client::range_read r = c.pages->next();
  asks().range(static_cast<std::uint64_t>(id), slot_of(method::range_in_pages, r.request.limit), c.until, r);
}

/// What is not whole is in nobody's way: it leaves room for the next page, here and for all clients.
void calls::take_page(const staged& page) {
  const auto found = calls_.find(page.stream);
  if (found == calls_.end() || !found->second.pages) return;
  call& c = found->second;
  const std::size_t most = asks().options().queue_bytes_max / 2;
  const bool fits = page_bytes_ + page.content.size() + kv::reply_bytes_max + kv::reply_bytes_max / 2 <= most;
  const std::size_t before = c.pages->bytes();
  const bool taken = fits && !asks().memory().replies.nearly_full() && c.pages->take(page.content);
  page_bytes_ += c.pages->bytes() - before;
  if (!taken) {
    drop_pages(c);
    return finish(page.stream, range_too_large(std::max(most, 3 * kv::reply_bytes_max) - 2 * kv::reply_bytes_max));
  }
  ask_for_page(page.stream, c);
}

/// False: there are none, and the answer is whole.
bool calls::finish_pages(const staged& last) {
  const auto found = calls_.find(last.stream);
  if (found == calls_.end() || !found->second.pages || !found->second.pages->begun()) return false;
  wire::byte_buffer whole(0);
  found->second.pages->finish(whole, last.content.subspan(prefix_bytes));
  drop_pages(found->second);
  carrier_.answer(last.stream, whole.bytes());
  return true;
}

/// The revision of the first page may have been compacted away meanwhile.
bool calls::begin_pages_anew(const staged& end) {
  const auto found = calls_.find(end.stream);
  if (end.code != grpc_code::out_of_range || found == calls_.end() || !found->second.pages) return false;
  call& c = found->second;
  page_bytes_ -= c.pages->bytes();
  const bool again = c.pages->begin_anew();
  page_bytes_ += c.pages->bytes();
  if (again) ask_for_page(end.stream, c);
  return again;
}

void calls::drop_pages(call& c) {
  if (!c.pages) return;
  page_bytes_ -= c.pages->bytes();
  c.pages.reset();
}

} // namespace quorumd::clients::etcd
