#include "daemon/node/snapshot_fetcher.hpp"

#include "coro/loop.hpp"
#include "coro/task_group.hpp"
#include "daemon/node/snapshot_chunks.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::node {
namespace {

constexpr auto ask_every = std::chrono::milliseconds(500);
constexpr auto look_every = std::chrono::milliseconds(100);
constexpr std::size_t check_bytes = std::size_t{4} * 1024 * 1024;

/// The receiving end. On its loop, but for wait().
class fetcher final : public wire::peer_handler {
 public:
  fetcher(const wanted_snapshot& wanted, storage::file_system& files, coro::loop& l, coro::network& network,
          coro::entropy& entropy, wire::peer_observer& observer)
      : wanted_(wanted)
      , files_(files)
      , loop_(l)
      , transport_(l, network, entropy, wanted.transport, *this, observer)
      , asking_(l) {}

  struct state {
    std::uint64_t received = 0;
    std::uint64_t total = 0;
    std::optional<storage::result<void>> ended; ///< it is here and durable, or cannot be
  };
  /// From another thread: as it is after a while.
  state wait(std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [this] { return state_.ended.has_value(); });
    return state_;
  }
  /// Once it ended well: from another thread, after stop().
  [[nodiscard]] storage::snapshot_receiver& receiver() { return *receiver_; }
  [[nodiscard]] storage::snapshot_reader& reader() { return *reader_; }

  coro::task<boost::system::result<void>> start() {
    auto started = transport_.start();
    if (started) asking_.spawn(run_asking());
    co_return started;
  }
  coro::task<void> stop() {
    asking_.cancel();
    co_await asking_.join();
    co_await transport_.stop();
  }

 private:
  coro::task<void> run_asking() {
    for (;;) {
      if (!receiver_)
        for (const node_id peer : up_)
          transport_.send(peer, wire::snapshot_credit{.group = wanted_.group,
                                                      .transfer = 0,
                                                      .offset = wanted_.at_least.value(),
                                                      .status = wire::snapshot_status::wanted,
                                                      .text = {}});
      co_await loop_.timers().sleep_for(ask_every); // whoever leads by then
    }
  }

  void on_peer_up(node_id id, const wire::peer_info&) override { up_.insert(id); }
  void on_peer_down(node_id id, const std::string&) override {
    up_.erase(id);
    if (id == from_) give_up();
  }
  void on_peer_messages(node_id from, std::vector<wire::peer_message>& batch, wire::inbound_hold) override {
    for (wire::peer_message& m : batch)
      if (auto* c = std::get_if<wire::snapshot_chunk>(&m)) take(from, *c);
  }
  void on_peer_writable(node_id, bool) override {}
  std::optional<std::string> check_incarnation(node_id, incarnation, log_index) override { return std::nullopt; }

  void take(node_id from, const wire::snapshot_chunk& c) {
    if (reader_) return; // it is all here
    if (c.mark.index < wanted_.at_least || (receiver_ && (from != from_ || c.transfer != number_))) {
      answer(from, c.transfer, 0, wire::snapshot_status::refused, "it is not the one that is wanted");
      return;
    }
    if (auto taken = write(from, c); !taken) {
      answer(from, c.transfer, 0, wire::snapshot_status::refused, taken.error().message());
      give_up();
      if (taken.error().code != storage::error_code::corrupt) end(taken.error());
    }
  }

  storage::result<void> write(node_id from, const wire::snapshot_chunk& c) {
    if (!receiver_) {
      auto begun = storage::snapshot_receiver::create(files_, wanted_.directory, wanted_.cluster, wanted_.group,
                                                      c.mark.index, c.mark.term, c.total_bytes);
      if (!begun) return begun.error();
      receiver_ = std::move(*begun);
      from_ = from;
      number_ = c.transfer;
    }
    if (c.offset <= receiver_->received())
      if (auto written = write_chunk(*receiver_, unpacker_, c); !written) return written;
    note(receiver_->received(), c.total_bytes);
    if (!receiver_->complete()) {
      answer(from, c.transfer, receiver_->received(), wire::snapshot_status::more, {});
      return {};
    }
    auto sealed = receiver_->seal();
    if (!sealed) return sealed.error();
    reader_ = std::move(*sealed);
    answer(from, c.transfer, c.total_bytes, wire::snapshot_status::done, {});
    end({});
    return {};
  }

  /// Another try may go on with what is there.
  void give_up() {
    if (reader_) return;
    receiver_.reset();
    from_ = node_id();
  }
  void answer(node_id to, std::uint64_t number, std::uint64_t offset, wire::snapshot_status status, std::string text) {
    transport_.send(
        to,
        wire::snapshot_credit{
            .group = wanted_.group, .transfer = number, .offset = offset, .status = status, .text = std::move(text)});
  }
  void note(std::uint64_t received, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    state_.received = received;
    state_.total = total;
  }
  void end(storage::result<void> how) {
    {
      const std::lock_guard lock(mutex_);
      state_.ended = std::move(how);
    }
    changed_.notify_all();
  }

  const wanted_snapshot& wanted_;
  storage::file_system& files_;
  coro::loop& loop_;
  wire::transport transport_;
  coro::task_group asking_;
  std::set<node_id> up_;
  node_id from_;
  std::uint64_t number_ = 0;
  std::unique_ptr<storage::snapshot_receiver> receiver_;
  wire::chunk_unpacker unpacker_;
  std::unique_ptr<storage::snapshot_reader> reader_;

  // The caller's thread waits for the loop; nobody else is there yet.
  std::mutex mutex_;
  std::condition_variable changed_;
  state state_;
};

/// Until it is here, or nothing came for so long.
storage::result<void> receive(fetcher& f, const wanted_snapshot& wanted, const coro::clock& clock,
                              const storage::snapshot_progress& progress, coro::duration patience) {
  std::uint64_t before = 0;
  for (coro::time_point since = clock.now();;) {
    const fetcher::state s = f.wait(look_every);
    if (s.ended) return *s.ended;
    if (std::exchange(before, s.received) != s.received) {
      since = clock.now();
      if (progress) progress(s.received, s.total);
    } else if (clock.now() - since >= patience) {
      return storage::error(storage::error_code::not_found, wanted.directory,
                            "no member that leads sent a snapshot within " +
                                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience).count()) +
                                " s");
    }
  }
}

} // namespace

storage::result<void> fetch_snapshot(const wanted_snapshot& wanted, storage::file_system& files,
                                     const coro::clock& clock, coro::network& network, coro::entropy& entropy,
                                     wire::peer_observer& observer, const storage::snapshot_progress& progress,
                                     coro::duration patience) {
  coro::loop loop("repair", clock);
  fetcher f(wanted, files, loop, network, entropy, observer);
  loop.start();
  const auto started = boost::asio::co_spawn(loop.get_executor(), f.start(), boost::asio::use_future).get();
  auto received = started ? receive(f, wanted, clock, progress, patience)
                          : storage::result<void>(storage::error(storage::error_code::io, wanted.directory,
                                                                 "cannot listen: " + started.error().message()));
  boost::asio::co_spawn(loop.get_executor(), f.stop(), boost::asio::use_future).get();
  loop.stop();
  if (!received) return received;
  for (bool more = true; more;) {
    const auto checked = f.reader().check_on(check_bytes);
    if (!checked) {
      f.receiver().abandon();
      return checked.error();
    }
    more = *checked;
    if (progress) progress(f.reader().position(), f.reader().bytes());
  }
  const auto published = f.receiver().publish(f.reader());
  if (!published) return published.error();
  return {};
}

} // namespace quorumd::node
