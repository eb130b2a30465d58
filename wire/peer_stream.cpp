#include "wire/peer_stream.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace quorumd::wire {
namespace {

using boost::system::error_code;
using boost::system::result;

bool would_block(const error_code& error) {
  return error == boost::asio::error::would_block || error == boost::asio::error::try_again;
}

outbound_options queue_options(const transport_options& o) {
  outbound_options q;
  q.pause_bytes = o.queue_pause_bytes;
  q.bytes_max = o.queue_bytes_max;
  q.block_bytes = o.block_bytes;
  q.coalesce_bytes = o.coalesce_bytes;
  q.bulk_first = o.bulk_first;
  return q;
}

} // namespace

peer_stream::peer_stream(coro::loop& l, const transport_options& o, std::unique_ptr<coro::stream> s,
                         frame_reader reader, peer_info info, bool dialed_here, peer_stream_events& events,
                         peer_counters& counters)
    : loop_(l)
    , options_(o)
    , stream_(std::move(s))
    , reader_(std::move(reader))
    , info_(std::move(info))
    , dialed_here_(dialed_here)
    , events_(events)
    , counters_(counters)
    , queue_(queue_options(o))
    , window_(std::make_shared<inbound_window>(l, o.inbound_bytes_max))
    , since_(l.now())
    , heard_(l.now())
    , wake_(l)
    , tasks_(l) {}

peer_stream::~peer_stream() {
  window_->close();
}

void peer_stream::start() {
  since_ = heard_ = loop_.now();
  tasks_.spawn(run_reader());
  tasks_.spawn(run_writer());
}

void peer_stream::end(goodbye::cause why, const std::string& reason) {
  if (ended_) return;
  ended_ = true;
  replaced_ = why == goodbye::cause::duplicate;
  reason_ = reason;
  if (!queue_.mid_block()) {
    byte_buffer last;
    encode_goodbye(last, why, reason);
    (void)stream_->write_some(last.bytes()); // a stream that takes no more ends without a word
  }
  stream_->close();
  tasks_.cancel();
  events_.on_ended();
}

coro::task<void> peer_stream::join() {
  return tasks_.join();
}

void peer_stream::fail_io(const char* doing, const error_code& error) {
  end(goodbye::cause::error, error == boost::asio::error::eof ? "the other end closed the stream"
                                                              : std::string(doing) + ": " + error.message());
}

// --- reading ---

coro::task<void> peer_stream::run_reader() {
  decode_frames(); // what came behind the greeting
  deliver();
  while (!ended_) {
    if (window_->full()) {
      paused_ = true;
      coro::task<void> room = window_->wait();
      co_await std::move(room);
      paused_ = false;
      continue;
    }
    coro::task<void> ready = stream_->readable();
    co_await std::move(ready);
    read_batch();
    deliver();
  }
}

/// Hands over what was decoded; also what came whole before the stream ended.
void peer_stream::deliver() {
  if (batch_.empty()) return;
  counters_.messages_in += batch_.size();
  events_.on_messages(batch_, window_->hold(std::exchange(batch_bytes_, 0)));
  batch_.clear();
}

/// Reads what the socket has, up to a bound, and decodes it.
void peer_stream::read_batch() {
  std::size_t total = 0;
  while (!ended_ && total < options_.batch_bytes_max) {
    const std::span<std::byte> room = reader_.prepare();
    const result<std::size_t> got = stream_->read_some(room);
    ++counters_.reads;
    if (!got) {
      if (would_block(got.error())) return;
      fail_io("reading", got.error());
      return;
    }
    reader_.commit(*got);
    total += *got;
    batch_bytes_ += *got;
    counters_.bytes_in += *got;
    heard_ = loop_.now();
    probed_ = false;
    decode_frames();
    if (*got < room.size()) return;
  }
}

void peer_stream::decode_frames() {
  while (!ended_) {
    const auto frame = reader_.next();
    if (frame && !*frame) return;
    std::string bad;
    if (!frame) {
      bad = frame.error().what();
    } else {
      const std::size_t before = batch_.size();
      const auto signal = decode_peer(**frame, reader_, arena_, batch_);
      if (!signal) {
        batch_.resize(before); // of a list that is refused, nothing counts
        bad = signal.error().what();
      } else if (const auto* said = std::get_if<goodbye>(&*signal)) {
        const bool replaced = said->why == goodbye::cause::duplicate;
        end(replaced ? said->why : goodbye::cause::error, "the other end said: " + said->reason);
      } else if (std::get<peer_signal>(*signal) == peer_signal::probe) {
        note_queueing();
        queue_.push(traffic::control, encode_probe_reply);
        queued();
      }
    }
    if (bad.empty()) continue;
    events_.on_bad_frame(bad);
    end(goodbye::cause::error, "a bad frame: " + bad);
  }
}

// --- writing ---

coro::task<void> peer_stream::run_writer() {
  bool full = false;
  while (!ended_) {
    const std::span<const std::byte> block = queue_.next();
    if (block.empty()) {
      coro::task<void> woken = wake_.wait();
      co_await std::move(woken);
      continue;
    }
    const result<std::size_t> put = stream_->write_some(block);
    ++counters_.writes;
    if (put) {
      // Room that came back is a sign of life: over a slow line the answer to a probe waits behind a large frame.
      if (std::exchange(full, false)) {
        heard_ = loop_.now();
        probed_ = false;
      }
      queue_.written(*put);
      counters_.bytes_out += *put;
      counters_.write_bytes.record(*put);
      const coro::time_point now = loop_.now();
      counters_.queue_waits.record(now - std::exchange(queued_since_, now)); // what came since is about as old
      note_room();
      continue;
    }
    if (!would_block(put.error())) {
      fail_io("writing", put.error());
      break;
    }
    full = true;
    coro::task<void> ready = stream_->writable();
    co_await std::move(ready);
  }
}

void peer_stream::send(const peer_message& m) {
  if (ended_) return;
  note_queueing();
  queue_.push(m);
  ++counters_.messages_out;
  queued();
}

void peer_stream::send(group_id group, const raft::message& m) {
  if (ended_) return;
  note_queueing();
  queue_.push(group, m);
  ++counters_.messages_out;
  queued();
}

void peer_stream::note_queueing() {
  if (queue_.empty()) queued_since_ = loop_.now();
}

void peer_stream::queued() {
  wake_.set();
  events_.on_queue(queue_.bytes());
  if (queue_.over_limit()) {
    end(goodbye::cause::error, "more than " + std::to_string(options_.queue_bytes_max) +
                                   " bytes wait to be written: the other end does not read");
    return;
  }
  if (writable_ && queue_.full()) {
    writable_ = false;
    events_.on_writable(false);
  }
}

void peer_stream::note_room() {
  events_.on_queue(queue_.bytes());
  if (writable_ || queue_.full()) return;
  writable_ = true;
  events_.on_writable(true);
}

// --- signs of life ---

void peer_stream::probe() {
  if (ended_ || probed_) return;
  probed_ = true;
  probed_at_ = loop_.now();
  note_queueing();
  queue_.push(traffic::control, encode_probe);
  queued();
}

coro::time_point peer_stream::watch(coro::duration heartbeat) {
  const coro::duration patience = 3 * heartbeat;
  const coro::time_point now = loop_.now();
  if (paused_) heard_ = now; // it is this node that does not listen
  const coro::time_point due = (probed_ ? probed_at_ : heard_) + patience;
  if (ended_ || now < due) return due;
  if (probed_) {
    const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_);
    end(goodbye::cause::error, "silent for " + std::to_string(silent.count()) + " ms");
  } else {
    probe();
  }
  return now + patience;
}

} // namespace quorumd::wire
