#include "daemon/client/watch_schema.hpp"

#include <algorithm>

namespace quorumd::client::detail {
namespace {

/// More than a whole reply of the smallest events can hold.
constexpr std::size_t reply_events_max = client_reply_frame_max / word_bytes / struct_words<schema::WatchEvent>;

} // namespace

std::size_t words_behind(const watch_request& w) {
  return data_words(w.key.size()) + data_words(w.range_end.size());
}

void fill(schema::WatchRequest::Builder to, const watch_request& w) {
  to.setKey(data(w.key));
  if (!w.range_end.empty()) to.setRangeEnd(data(w.range_end));
  to.setStart(w.start.at.value());
  to.setStartSub(w.start.sub);
  to.setNoPut(w.no_put);
  to.setNoDelete(w.no_delete);
  to.setPrevKv(w.prev_kv);
  to.setWaitMs(static_cast<std::uint32_t>(std::clamp<std::int64_t>(w.wait.count(), 0, UINT32_MAX)));
}

watch_request read(schema::WatchRequest::Reader from) {
  return {.key = view(from.getKey()),
          .range_end = view(from.getRangeEnd()),
          .start = {number<revision>(from.getStart()), from.getStartSub()},
          .no_put = from.getNoPut(),
          .no_delete = from.getNoDelete(),
          .prev_kv = from.getPrevKv(),
          .wait = std::chrono::milliseconds(from.getWaitMs())};
}

std::size_t words_behind(std::span<const kv::event> events) {
  std::size_t words = list_words<schema::WatchEvent>(events.size());
  for (const kv::event& e : events) words += item_words(e.kv) + (e.prev ? item_words(*e.prev) : 0);
  return words;
}

void fill(schema::WatchReply::Builder to, kv::change_place next, std::span<const kv::event> events) {
  to.setNext(next.at.value());
  to.setNextSub(next.sub);
  auto list = to.initEvents(static_cast<unsigned>(events.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    fill_item(list[i].initKv(), events[i].kv);
    if (events[i].prev) fill_item(list[i].initPrev(), *events[i].prev);
  }
}

watch_reply read(schema::WatchReply::Reader from) {
  watch_reply w{.next = {number<revision>(from.getNext()), from.getNextSub()}, .events = {}};
  const auto list = from.getEvents();
  require(list.size() <= reply_events_max, codec_errc::count, "a reply has more events than fit it");
  w.events.reserve(list.size());
  for (const schema::WatchEvent::Reader e : list) {
    kv::event& to = w.events.emplace_back(kv::event{.kv = read_item(e.getKv()), .prev = {}});
    if (e.hasPrev()) to.prev = read_item(e.getPrev());
  }
  return w;
}

} // namespace quorumd::client::detail
