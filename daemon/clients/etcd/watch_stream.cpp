#include "daemon/clients/etcd/watch_stream.hpp"

#include "daemon/clients/etcd/responses.hpp"
#include "daemon/node/group.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

/// What a watch takes besides its key and range_end.
constexpr std::size_t watch_overhead = 512;
/// What a response takes besides its events.
constexpr std::size_t response_overhead = 128;
/// After which it is looked again whether all watches have everything.
constexpr auto progress_pause = std::chrono::milliseconds(20);
/// Of the stream itself, not of a watch.
constexpr std::int64_t no_watch = -1;

} // namespace

void watch_stream::begin() {
  node::group& g = the_group();
  if (g.state().is_witness())
    return end({grpc_code::unavailable, "etcdserver: this member is a witness, which holds no data to watch"});
  if (!g.corrupt().empty()) return state_lost();
  g.watching().add(*this);
  if (!options_.needs_leader) return;
  if (g.leaderless()) return leader_lost();
  g.watching().need_leader(*this);
}

void watch_stream::create(const watch_create& w) {
  if (ended()) return;
  const bool to_the_end = w.range_end == std::string_view("\0", 1);
  if (!w.range_end.empty() && !to_the_end && w.range_end <= w.key) return refuse("mvcc: watcher range is empty");
  if (w.id != 0 && watches_.contains(w.id)) return refuse("mvcc: duplicate watch ID provided on the WatchStream");
  const std::size_t held = w.key.size() + w.range_end.size() + watch_overhead;
  if (held > asks().memory().watches.left())
    return refuse("etcdserver: the watches of all clients take as much memory as this member gives them "
                  "(limits.watches_bytes_max)");
  const auto start = revision(static_cast<std::uint64_t>(w.start_revision < 0 ? 1 : w.start_revision));
  const std::int64_t next = next_id_;
  const std::int64_t id = name_for(w.id);
  const auto added = the_group().watching().hub().add({.key = w.key,
                                                       .range_end = w.range_end,
                                                       .start = start,
                                                       .no_put = w.no_put,
                                                       .no_delete = w.no_delete,
                                                       .prev_kv = w.prev_kv},
                                                      *this, static_cast<std::uint64_t>(id));
  if (!added && added.error().code() != kv::errc::compacted) {
    next_id_ = next; // it has none
    return refuse("mvcc: watcher range is empty");
  }
  respond({.revision = current(), .id = id, .created = true});
  if (!added) return respond({.id = id, .canceled = true, .compact_revision = added.error().bound().value()});
  asks().memory().watches.take(held);
  watches_.emplace(
      id,
      watch{.id = *added, .starts = start, .held = held, .progress_notify = w.progress_notify, .fragment = w.fragment});
  if (!w.progress_notify || next_progress_ != coro::time_point::max()) return;
  next_progress_ = the_group().now() + interval();
  wake_again();
}

std::int64_t watch_stream::name_for(std::int64_t asked) {
  if (asked != 0) return asked;
  while (watches_.contains(next_id_)) ++next_id_;
  return next_id_++;
}

void watch_stream::cancel(std::int64_t id) {
  const auto found = watches_.find(id);
  if (ended() || found == watches_.end()) return;
  the_group().watching().hub().cancel(found->second.id);
  forget(id);
  respond({.revision = current(), .id = id, .canceled = true});
}

void watch_stream::refuse(std::string_view reason) {
  respond({.revision = current(), .id = no_watch, .created = true, .canceled = true, .reason = reason});
}

std::uint64_t watch_stream::current() const {
  return the_group().state().store().current().value();
}

void watch_stream::respond(const notice& n) {
  response_header h = header_now(asks().node());
  h.revision = n.revision;
  say([&](wire::byte_buffer& out) {
    return writer_.append(out, [&](auto& m) {
      write_header(m, h);
      m.number(2, static_cast<std::uint64_t>(n.id));
      m.number(3, n.created ? 1 : 0);
      m.number(4, n.canceled ? 1 : 0);
      m.number(5, n.compact_revision);
      m.bytes(6, n.reason);
      m.number(7, n.fragment ? 1 : 0);
      m.fields(n.events);
    });
  });
}

bool watch_stream::has_room(std::uint64_t, std::size_t bytes) {
  if (!call_stream::has_room(bytes + response_overhead)) return false;
  if (bytes != 0) promised(bytes + response_overhead);
  return true;
}

void watch_stream::deliver(const kv::delivery& d, std::span<const std::uint64_t> tags) {
  said();
  const std::span<const std::byte> events = encoder_.encode(d);
  for (const std::uint64_t tag : tags) {
    const auto id = static_cast<std::int64_t>(tag);
    deliver_to(id, watches_.find(id)->second, d, events);
  }
}

void watch_stream::deliver_to(std::int64_t id, watch& w, const kv::delivery& d, std::span<const std::byte> events) {
  if (w.refused) return;
  w.quiet = false;
  const revision last = std::max(d.through, d.events.back().kv.mod_revision);
  const bool whole = w.fragment || (!d.more && !w.joined);
  if (!whole && !join(w, events)) {
    w.refused = true;
    too_large_.push_back({id, d.events.back().kv.mod_revision});
    return wake_again();
  }
  if (d.more && !w.fragment) return;
  respond({.revision = last.value(),
           .id = id,
           .fragment = d.more,
           .events = whole ? events : std::span<const std::byte>(w.joined->bytes())});
  drop_joined(w);
}

/// False: it would be too much.
bool watch_stream::join(watch& w, std::span<const std::byte> events) {
  if (joined_bytes_ + events.size() > options_.joined_bytes_max || events.size() > asks().memory().replies.left())
    return false;
  if (!w.joined) w.joined = std::make_unique<wire::byte_buffer>(0);
  w.joined->append(events);
  joined_bytes_ += events.size();
  asks().memory().replies.take(events.size());
  return true;
}

void watch_stream::drop_joined(watch& w) {
  if (!w.joined) return;
  joined_bytes_ -= w.joined->size();
  asks().memory().replies.give(w.joined->size());
  w.joined.reset();
}

void watch_stream::cancelled(std::uint64_t tag, revision floor) {
  const auto id = static_cast<std::int64_t>(tag);
  forget(id);
  respond({.id = id, .canceled = true, .compact_revision = floor.value()});
}

void watch_stream::forget(std::int64_t id) {
  const auto found = watches_.find(id);
  drop_joined(found->second);
  asks().memory().watches.give(found->second.held);
  watches_.erase(found);
}

void watch_stream::give_up() {
  node::watches& all = the_group().watching();
  all.forget(*this);
  for (auto& [id, w] : watches_) {
    all.hub().cancel(w.id);
    drop_joined(w);
    asks().memory().watches.give(w.held);
  }
  watches_.clear();
}

void watch_stream::resume() {
  the_group().watching().hub().resume(*this);
}

void watch_stream::leader_lost() {
  end({grpc_code::unavailable, "etcdserver: no leader"});
}

void watch_stream::state_lost() {
  end(status_of(wire::request_errc::corrupt, {}));
}

void watch_stream::ask_progress() {
  if (ended() || watches_.empty()) return;
  progress_asked_ = true;
  answer_progress(the_group().now());
  wake_again();
}

void watch_stream::time_came(coro::time_point now) {
  cancel_too_large();
  if (now >= ask_again_) answer_progress(now);
  if (now >= next_progress_) send_progress(now);
  wake_again();
}

void watch_stream::cancel_too_large() {
  for (const auto& [id, at] : std::exchange(too_large_, {})) {
    const auto found = watches_.find(id);
    if (found == watches_.end() || !found->second.refused) continue; // cancelled, and maybe made anew
    the_group().watching().hub().cancel(found->second.id);
    forget(id);
    const std::string why = "etcdserver: the events of revision " + std::to_string(at.value()) +
                            " are too large for one response: watch with fragments";
    respond({.revision = current(), .id = id, .canceled = true, .reason = why});
  }
}

void watch_stream::answer_progress(coro::time_point now) {
  ask_again_ = coro::time_point::max();
  if (!progress_asked_) return;
  if (!the_group().watching().hub().in_step(*this)) {
    ask_again_ = now + progress_pause;
    return;
  }
  progress_asked_ = false;
  respond({.revision = current(), .id = no_watch});
}

/// To those that were sent nothing since the last time, and have everything.
void watch_stream::send_progress(coro::time_point now) {
  kv::watch_hub& hub = the_group().watching().hub();
  const revision latest(current());
  bool anybody = false;
  for (auto& [id, w] : watches_) {
    if (!w.progress_notify) continue;
    anybody = true;
    if (std::exchange(w.quiet, true) && w.starts <= latest && hub.progress(w.id) == latest && has_room(0, 0))
      respond({.revision = latest.value(), .id = id});
  }
  next_progress_ = anybody ? now + interval() : coro::time_point::max();
}

coro::duration watch_stream::interval() {
  return options_.progress_interval + options_.progress_interval * (options_.number % 64) / 640;
}

void watch_stream::wake_again() {
  if (ended()) return;
  const coro::time_point due = too_large_.empty() ? std::min(ask_again_, next_progress_) : the_group().now();
  the_group().watching().wake_at(*this, due);
}

} // namespace quorumd::clients::etcd
