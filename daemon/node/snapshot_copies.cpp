#include "daemon/node/snapshot_copies.hpp"

#include "daemon/node/witness.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

namespace quorumd::node {
namespace {

snapshot_answer refused(wire::request_errc why, std::string text) {
  return {.error = why, .text = std::move(text), .reply = {}};
}

} // namespace

void snapshot_copies::ask(const client::snapshot_request& r, receiver done) {
  const std::uint64_t ticket = ++tickets_;
  if (context_.witness) return done(refused(wire::request_errc::refused, witness_refusal));
  if (context_.corrupt())
    return done(refused(wire::request_errc::corrupt, "what this node holds differs from what the other members hold: "
                                                     "ask another"));
  if (r.handle != 0) {
    const auto found = copies_.find(r.handle);
    if (found == copies_.end())
      return done(refused(wire::request_errc::refused,
                          "the snapshot is not open any more: nothing of it was asked for in 30 s, or the node was "
                          "started anew. Begin again"));
    if (std::exchange(found->second.busy, true))
      return done(refused(wire::request_errc::overloaded, "one piece of a snapshot is read at a time"));
    waiting_.emplace(ticket, std::move(done));
    tasks_.spawn(read(ticket, r.handle, r.offset));
    return;
  }
  if (!has_place())
    return done(refused(wire::request_errc::overloaded, "so many clients copy a snapshot of this node already: try "
                                                        "again later, or ask another"));
  const log_index wanted = r.at_least ? r.at_least : context_.state.applied();
  if (!wanted || wanted > context_.state.applied())
    return done(refused(wire::request_errc::no_quorum, "the node has not applied what the snapshot is to hold"));
  ++opening_;
  waiting_.emplace(ticket, std::move(done));
  tasks_.spawn(open(ticket, wanted));
}

/// One that was copied to its end is only kept in case its last piece is asked for again.
bool snapshot_copies::has_place() {
  if (copies_.size() + opening_ < copies_max) return true;
  const auto ended =
      std::find_if(copies_.begin(), copies_.end(), [](const auto& c) { return c.second.ended && !c.second.busy; });
  if (ended == copies_.end()) return false;
  copies_.erase(ended);
  return true;
}

coro::task<void> snapshot_copies::open(std::uint64_t ticket, log_index wanted) {
  auto job = [place = context_.place] {
    return storage::open_newest_snapshot(place.files, place.directory, place.group);
  };
  auto opened = co_await coro::run_on(context_.worker, context_.loop, std::move(job));
  --opening_;
  const bool there = opened.has_value() && *opened && (*opened)->info().mark.index >= wanted;
  if (!there) {
    taker_.take_now();
    snapshot_answer later;
    later.reply.index = wanted;
    later.reply.note = taker_.last_failure();
    answer(ticket, later);
    co_return;
  }
  const std::uint64_t handle =
      kv::hash_of(std::array{ticket, static_cast<std::uint64_t>(context_.loop.now().time_since_epoch().count())}) | 1;
  copy& c = copies_[handle];
  c.file = std::move(*opened);
  c.asked = context_.loop.now();
  snapshot_answer a;
  a.reply = {.handle = handle, .index = c.file->info().mark.index, .total = c.file->bytes(), .bytes = {}, .note = {}};
  answer(ticket, a);
}

coro::task<void> snapshot_copies::read(std::uint64_t ticket, std::uint64_t handle, std::uint64_t offset) {
  const std::shared_ptr<storage::snapshot_reader> file = copies_.at(handle).file;
  std::vector<std::byte> piece(std::min<std::uint64_t>(client::snapshot_piece_max, file->bytes()));
  auto job = [file, offset, into = std::span(piece)] { return file->read_raw(offset, into); };
  const coro::time_point begun = context_.loop.now();
  auto got = co_await coro::run_on(context_.worker, context_.loop, std::move(job));
  snapshot_answer a;
  if (got) {
    a.reply = {.handle = handle,
               .index = file->info().mark.index,
               .total = file->bytes(),
               .bytes = {reinterpret_cast<const char*>(piece.data()), *got},
               .note = {}};
    co_await context_.pace.after_piece(*got, context_.loop.now() - begun);
  } else {
    a = refused(wire::request_errc::internal, got.error().message());
  }
  if (const auto found = copies_.find(handle); found != copies_.end()) {
    found->second.busy = false;
    found->second.asked = context_.loop.now();
    if (got && (*got == 0 || offset + *got >= file->bytes())) found->second.ended = true;
    if (!got) copies_.erase(found);
  }
  answer(ticket, a);
}

void snapshot_copies::answer(std::uint64_t ticket, const snapshot_answer& a) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const receiver done = std::move(found->second);
  waiting_.erase(found);
  done(a);
  context_.wake(); // what was answered leaves at the end of a turn
}

void snapshot_copies::keep_house() {
  const coro::time_point now = context_.loop.now();
  std::erase_if(copies_, [&](const auto& c) { return !c.second.busy && now - c.second.asked > idle_max; });
}

void snapshot_copies::end() {
  for (const auto& [ticket, done] : std::exchange(waiting_, {}))
    done(refused(wire::request_errc::shutting_down, "the node is stopping"));
  copies_.clear();
}

} // namespace quorumd::node
