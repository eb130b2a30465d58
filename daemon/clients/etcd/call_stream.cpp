#include "daemon/clients/etcd/call_stream.hpp"

namespace quorumd::clients::etcd {

void call_stream::left(std::size_t bytes) {
  const std::size_t now = unsent_.fetch_sub(bytes) - bytes;
  // At half of what it may hold, so that what comes is worth the word.
  if (room_wanted_.load() && now <= unsent_max / 2) room_came();
}

void call_stream::room_came() {
  if (!room_wanted_.exchange(false)) return;
  asks_.node().call([self = shared_from_this()](node::group&) {
    if (!self->ended_) self->resume();
  });
}

void call_stream::close() {
  asks_.node().call([self = shared_from_this()](node::group&) { self->finish(nullptr); });
}

void call_stream::end(const grpc_status& s) {
  finish(&s);
}

/// Once.
void call_stream::finish(const grpc_status* s) {
  if (ended_) return;
  ended_ = true;
  give_up();
  asks_.reply(the_group(), place_, [&](wire::byte_buffer& out) {
    if (s != nullptr) stage_end(out, id_, *s);
  });
}

bool call_stream::has_room(std::size_t bytes) {
  const auto room = [&] {
    const std::size_t held = unsent_.load() + promised_;
    return (held == 0 || held + bytes <= unsent_max) && asks_.has_room(place_);
  };
  if (room()) return true;
  room_wanted_ = true;
  return room(); // or the word that there is room may have come just before
}

} // namespace quorumd::clients::etcd
