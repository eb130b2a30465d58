#include "daemon/clients/native/watch_waits.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace quorumd::clients {
namespace {

constexpr std::chrono::milliseconds wait_max{60'000};

} // namespace

class watch_waits::wait final : public node::watch_client {
 public:
  wait(std::shared_ptr<watch_waits> all, node::group& g, const node::reply_to& to, kv::change_place start)
      : all_(std::move(all))
      , group_(g)
      , to_(to)
      , start_(start) {}

  std::list<std::unique_ptr<wait>>::iterator self;
  kv::watch_id id; ///< 0: the hub has it no more

  void answer(kv::change_place next, std::span<const kv::event> events) {
    finish([&](wire::byte_buffer& b) { client::encode_reply(b, to_.id, next, events); });
  }
  void fail(const kv::error& e) {
    finish([&](wire::byte_buffer& b) { client::encode_reply(b, to_.id, kv::result<kv::range_reply>(e)); });
  }
  /// The node's state counts for nothing.
  void refuse() {
    finish([&](wire::byte_buffer& b) {
      client::encode_reply(b, to_.id,
                           client::client_error{.code = wire::request_errc::corrupt, .text = group_.corrupt()});
    });
  }
  /// It leaves the group, and is no more.
  void leave() {
    if (!answered_) {
      const auto through = group_.watching().hub().progress(id);
      answer(std::max(start_, kv::change_place{through ? through->next() : revision()}), {});
    }
    group_.watching().forget(*this);
    if (id) group_.watching().hub().cancel(id);
    const std::shared_ptr<watch_waits> all = std::move(all_);
    all->waits_.erase(self);
  }

  [[nodiscard]] bool has_room(std::uint64_t, std::size_t) override { return !answered_ && all_->asks_.has_room(to_); }
  void deliver(const kv::delivery& d, std::span<const std::uint64_t>) override {
    if (answered_) return;
    const kv::event& last = d.events.back();
    answer(d.more ? kv::change_place{last.kv.mod_revision, last.sub + 1} : kv::change_place{d.through.next()},
           d.events);
    leave_soon();
  }
  void cancelled(std::uint64_t, revision floor) override {
    id = kv::watch_id();
    if (!answered_) fail(kv::error(kv::errc::compacted, floor));
    leave_soon();
  }
  void time_came(coro::time_point) override { leave(); }
  void leader_lost() override {}
  void state_lost() override {
    if (!answered_) refuse();
    leave_soon();
  }

 private:
  template <class Encode>
  void finish(Encode encode) {
    answered_ = true;
    all_->asks_.reply(group_, to_, encode);
  }
  /// The hub is not to be called now.
  void leave_soon() { group_.watching().wake_at(*this, group_.now()); }

  std::shared_ptr<watch_waits> all_;
  node::group& group_;
  const node::reply_to to_;
  const kv::change_place start_;
  bool answered_ = false;
};

watch_waits::watch_waits(service& asks)
    : asks_(asks) {}

watch_waits::~watch_waits() = default;

void watch_waits::begin(node::group& g, const node::reply_to& to, client::watch_request w) {
  const bool asks_where = !w.start.at;
  if (asks_where) w.start = {g.state().store().current().next()};
  waits_.push_front(std::make_unique<wait>(shared_from_this(), g, to, w.start));
  wait& one = *waits_.front();
  one.self = waits_.begin();
  g.watching().add(one);
  if (!g.corrupt().empty()) {
    one.refuse();
    return one.leave();
  }
  const auto added = g.watching().hub().add({.key = w.key,
                                             .range_end = w.range_end,
                                             .start = w.start.at,
                                             .start_sub = w.start.sub,
                                             .no_put = w.no_put,
                                             .no_delete = w.no_delete,
                                             .prev_kv = w.prev_kv},
                                            one, 0);
  if (added)
    one.id = *added;
  else
    one.fail(added.error());
  if (added && asks_where) one.answer(w.start, {});
  if (!added || asks_where) return one.leave();
  g.watching().wake_at(one, g.now() + std::clamp(w.wait, std::chrono::milliseconds(0), wait_max));
}

void watch_waits::resume(node::group& g) {
  for (const auto& one : waits_) g.watching().hub().resume(*one);
}

void watch_waits::end_all() {
  while (!waits_.empty()) waits_.front()->leave();
}

} // namespace quorumd::clients
