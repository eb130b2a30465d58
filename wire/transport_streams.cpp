#include "wire/transport_impl.hpp"

#include <algorithm>
#include <utility>

/// How streams come into being, by being accepted or dialed, and which of two of one pair stays.
namespace quorumd::wire {
namespace {

using stream_ptr = std::unique_ptr<coro::stream>;

/// A greeting and what little may come right behind it.
constexpr std::size_t greeting_read_bytes = std::size_t{16} * 1024;

/// A stream that lasted this long was no failure.
constexpr auto lasting = std::chrono::seconds(1);

/// Counts while it lives.
class counted {
 public:
  explicit counted(std::size_t& n)
      : n_(n) {
    ++n_;
  }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --n_; }

 private:
  std::size_t& n_;
};

/// Whether the complaint is not the last one again.
bool news(std::string& last, const std::string& complaint) {
  if (last == complaint) return false;
  last = complaint;
  return true;
}

} // namespace

std::optional<std::string> transport::impl::objection(const hello& other, node_id dialed) {
  if (auto reason = check_hello(options_.self, other, dialed)) return reason;
  return handler_.check_incarnation(other.id, other.incarnation, other.members_index);
}

// --- one stream a pair ---

/// A newer boot of the member takes the place at once. Between equal boots the stream dialed by the smaller id stays;
/// of two dialed by the same end, the newer: it would not have dialed if it still had the older.
transport::impl::verdict transport::impl::judge(const transport_peer& p, boot_id boot, bool dialed_here) const {
  const peer_stream* holder = p.incumbent();
  if (holder == nullptr || holder->info().boot != boot) return verdict::take;
  if (holder->dialed_here() == dialed_here) return verdict::take;
  const bool dialed_by_smaller = dialed_here == (options_.self.id < p.id);
  return dialed_by_smaller ? verdict::take : verdict::duplicate;
}

bool transport::impl::adopt(transport_peer& p, greeting& g, const hello& other, bool dialed_here) {
  if (judge(p, other.boot, dialed_here) == verdict::duplicate) return false;
  peer_info info = make_peer_info(options_.self, other);
  if (const peer_stream* holder = p.incumbent()) {
    const bool same = holder->info().boot == info.boot;
    const std::string why = same ? "another stream of the pair took its place" : "the member started anew";
    observer_.on_stream_replaced(p.id, holder->remote(), why);
    if (p.current && !p.current->ended()) p.current->end(same ? goodbye::cause::duplicate : goodbye::cause::error, why);
  }
  coro::stream& raw = g.stream();
  raw.limit_unsent(options_.unsent_bytes_max);
  stream_ptr s = g.take_stream();
  frame_reader reader = g.take_reader();
  reader.set_read_bytes(options_.read_bytes);
  p.next = std::make_unique<peer_stream>(loop, options_, std::move(s), std::move(reader), std::move(info), dialed_here,
                                         p, p.counters);
  p.dial_complaint.clear();
  p.accept_complaint.clear();
  p.changed.set();
  return true;
}

/// Runs the member's streams, one after the other.
coro::task<void> transport::impl::run_streams(transport_peer* p) {
  for (;;) {
    while (!p->next) {
      coro::task<void> come = p->changed.wait();
      co_await std::move(come);
    }
    p->current = std::move(p->next);
    ++p->counters.streams;
    p->connected.store(true, std::memory_order_release);
    p->writable.store(true, std::memory_order_release);
    handler_.on_peer_up(p->id, p->current->info());
    p->current->start();
    while (!p->current->ended()) {
      coro::task<void> end = p->changed.wait();
      co_await std::move(end);
    }
    coro::task<void> joined = p->current->join();
    co_await std::move(joined);
    p->failures = loop.now() - p->current->since() >= lasting ? 0 : p->failures + 1;
    const std::string reason = p->current->reason();
    if (!p->current->replaced()) observer_.on_stream_ended(p->id, p->current->remote(), reason);
    p->current.reset();
    handler_.on_peer_down(p->id, reason);
    p->lost.set();
  }
}

// --- accepting ---

coro::task<void> transport::impl::run_listener() {
  for (;;) {
    coro::task<boost::system::result<stream_ptr>> come = acceptor->accept(loop);
    boost::system::result<stream_ptr> accepted = co_await std::move(come);
    if (!accepted) {
      observer_.on_accept_failed(accepted.error().message());
      coro::task<void> pause = loop.timers().sleep_for(std::chrono::milliseconds(100));
      co_await std::move(pause);
    } else if (accepted_ungreeted_ >= options_.handshakes_max) {
      (*accepted)->close();
    } else {
      tasks_.spawn(run_greeting(std::move(*accepted)));
    }
  }
}

coro::task<void> transport::impl::run_greeting(stream_ptr s) {
  const counted one(accepted_ungreeted_);
  greeting g(greetings_, loop.now() + options_.handshake_timeout, std::move(s), greeting_read_bytes);
  coro::task<greeting::heard> words = g.listen();
  greeting::heard heard = co_await std::move(words);
  if (auto* other = std::get_if<hello>(&heard.first)) {
    hello said = std::move(*other);
    coro::task<void> answered = answer(g, std::move(said));
    co_await std::move(answered);
  } else if (std::holds_alternative<std::monostate>(heard.first)) {
    observer_.on_handshake_refused(node_id(), g.remote(), heard.error);
  }
}

/// `g` is the caller's, who waits.
coro::task<void> transport::impl::answer(greeting& g, hello other) {
  std::optional<std::string> reason = objection(other, node_id());
  goodbye::cause why = goodbye::cause::refused;
  transport_peer* p = find(other.id);
  if (!reason && p == nullptr) { // it knows of a change of members that this node does not
    if (strangers() >= options_.strangers_max)
      reason = "too many nodes that are no members have a stream to this one";
    else
      p = &find_or_add(other.id);
  }
  if (!reason && judge(*p, other.boot, false) == verdict::duplicate) {
    why = goodbye::cause::duplicate;
    reason = "another stream of the pair stays";
    // The member would not have dialed if it saw that stream alive: find out now.
    if (p->current && !p->current->ended()) p->current->probe();
  }
  if (reason) {
    coro::task<void> refused = refuse(g, other.id, why, *reason);
    co_await std::move(refused);
    co_return;
  }
  byte_buffer words;
  encode_hello(words, make_hello(options_.self, other.id));
  coro::task<std::string> said = g.say(std::move(words));
  const std::string error = co_await std::move(said);
  if (error.empty()) adopt(*p, g, other, false); // unless a better one came meanwhile: then this one ends here
}

coro::task<void> transport::impl::refuse(greeting& g, node_id id, goodbye::cause why, std::string reason) {
  byte_buffer words;
  encode_goodbye(words, why, reason);
  if (why == goodbye::cause::refused) {
    transport_peer* p = find(id);
    if (p == nullptr || news(p->accept_complaint, reason)) observer_.on_handshake_refused(id, g.remote(), reason);
  }
  coro::task<std::string> said = g.say(std::move(words));
  co_await std::move(said);
}

// --- dialing ---

coro::duration transport::impl::backoff(unsigned failures) {
  if (failures == 0) return coro::duration::zero();
  const unsigned doublings = std::min(failures - 1, 16U);
  const coro::duration whole = std::min(options_.redial_max, options_.redial_min * (std::int64_t{1} << doublings));
  // Between half and all of it, so that two nodes do not stay in step.
  const auto half = whole / 2;
  return half + coro::duration(
                    static_cast<coro::duration::rep>(random_.next() % (static_cast<std::uint64_t>(half.count()) + 1)));
}

coro::task<void> transport::impl::run_dialer(transport_peer* p) {
  for (;;) {
    while (p->has_stream() || p->address.empty()) {
      coro::task<void> lost = p->lost.wait();
      co_await std::move(lost);
    }
    const coro::duration pause = backoff(p->failures);
    if (pause > coro::duration::zero()) {
      coro::task<void> slept = loop.timers().sleep_for(pause);
      co_await std::move(slept);
    }
    if (p->has_stream() || p->address.empty()) continue;
    coro::task<bool> dialed = dial(p);
    const bool up = co_await std::move(dialed);
    if (!up) ++p->failures;
  }
}

coro::task<bool> transport::impl::dial(transport_peer* p) {
  const std::string address = p->address; // it may have another meanwhile
  const auto at = coro::parse_endpoint(address);
  if (!at) {
    const std::string reason = "it is no HOST:PORT";
    if (news(p->dial_complaint, reason)) observer_.on_dial_failed(p->id, address, reason);
    co_return false;
  }
  coro::task<boost::system::result<stream_ptr>> come = net_.connect(loop, *at, options_.connect_timeout);
  boost::system::result<stream_ptr> connected = co_await std::move(come);
  if (!connected) {
    const std::string reason = connected.error().message();
    if (news(p->dial_complaint, reason)) observer_.on_dial_failed(p->id, address, reason);
    co_return false;
  }
  coro::task<bool> greeted = greet(p, std::move(*connected));
  co_return co_await std::move(greeted);
}

/// True when the member has a stream afterwards, this one or another.
coro::task<bool> transport::impl::greet(transport_peer* p, stream_ptr s) {
  greeting g(greetings_, loop.now() + options_.handshake_timeout, std::move(s), greeting_read_bytes);
  byte_buffer words;
  encode_hello(words, make_hello(options_.self, p->id));
  coro::task<std::string> said = g.say(std::move(words));
  std::string error = co_await std::move(said);
  greeting::heard heard;
  if (error.empty()) {
    coro::task<greeting::heard> answer = g.listen();
    heard = co_await std::move(answer);
    error = heard.error;
  }
  if (const auto* bye = std::get_if<goodbye>(&heard.first)) {
    if (bye->why == goodbye::cause::refused && news(p->dial_complaint, bye->reason))
      observer_.on_refused_by_peer(p->id, g.remote(), bye->reason);
    co_return p->has_stream();
  }
  const auto* other = std::get_if<hello>(&heard.first);
  if (other == nullptr) {
    if (news(p->dial_complaint, error)) observer_.on_dial_failed(p->id, p->address, error);
    co_return p->has_stream();
  }
  if (std::optional<std::string> reason = objection(*other, p->id)) {
    coro::task<void> refused = refuse(g, p->id, goodbye::cause::refused, *reason);
    co_await std::move(refused);
    co_return false;
  }
  const bool adopted = adopt(*p, g, *other, true);
  co_return adopted || p->has_stream();
}

} // namespace quorumd::wire
