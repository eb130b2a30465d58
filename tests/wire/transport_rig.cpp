#include "tests/wire/transport_rig.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace quorumd::wire::test {
namespace {

constexpr auto patience = std::chrono::seconds(10);

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

bool ready(int fd, short what) {
  pollfd p{.fd = fd, .events = what, .revents = 0};
  return ::poll(&p, 1, 10000) == 1;
}

} // namespace

// --- the recorder ---

void recorder::note(std::string event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  changed_.notify_all();
}

namespace {
std::string name(node_id id) {
  return "n" + std::to_string(id.value());
}
} // namespace

void recorder::on_peer_up(node_id id, const peer_info& info) {
  note("up " + name(id) + " boot " + std::to_string(info.boot.value()));
}
void recorder::on_peer_down(node_id id, const std::string& reason) {
  note("down " + name(id) + ": " + reason);
}
void recorder::on_peer_messages(node_id from, std::vector<peer_message>& batch, inbound_hold hold) {
  {
    const std::lock_guard lock(mutex_);
    if (holding_) holds_.push_back(std::move(hold));
    for (peer_message& m : batch) {
      messages_.push_back(name(from) + " " + dump(m));
      kept_.push_back(std::move(m));
    }
  }
  changed_.notify_all();
}
void recorder::hold(bool on) {
  std::vector<inbound_hold> gone; // ends without the mutex
  const std::lock_guard lock(mutex_);
  holding_ = on;
  if (!on) gone.swap(holds_);
}
void recorder::on_peer_writable(node_id id, bool writable) {
  note(std::string(writable ? "writable " : "full ") + name(id));
}
std::optional<std::string> recorder::check_incarnation(node_id id, incarnation seen, log_index) {
  const std::lock_guard lock(mutex_);
  if (seen != refused_) return std::nullopt;
  return name(id) + " has another data directory than before";
}
void recorder::on_dial_failed(node_id id, const std::string& address, const std::string& reason) {
  note("dial failed " + name(id) + " " + address + ": " + reason);
}
void recorder::on_handshake_refused(node_id id, const std::string&, const std::string& reason) {
  note("refused " + name(id) + ": " + reason);
}
void recorder::on_refused_by_peer(node_id id, const std::string&, const std::string& reason) {
  note("refused by " + name(id) + ": " + reason);
}
void recorder::on_bad_frame(node_id id, const std::string&, const std::string& reason) {
  note("bad frame " + name(id) + ": " + reason);
}
void recorder::on_stream_ended(node_id id, const std::string&, const std::string& reason) {
  note("ended " + name(id) + ": " + reason);
}
void recorder::on_stream_replaced(node_id id, const std::string&, const std::string& reason) {
  note("replaced " + name(id) + ": " + reason);
}

template <class P>
bool recorder::wait(P p) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, p);
}

bool recorder::saw(const std::string& text, std::size_t skip) {
  return wait([&] {
    return static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(),
                                                  [&](const std::string& e) { return e.starts_with(text); })) > skip;
  });
}

bool recorder::received(std::size_t n) {
  return wait([&] { return messages_.size() >= n; });
}

std::vector<std::string> recorder::events() {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::vector<std::string> recorder::messages() {
  const std::lock_guard lock(mutex_);
  return messages_;
}

std::size_t recorder::count(const std::string& text) {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(events_.begin(), events_.end(), [&](const std::string& e) { return e.starts_with(text); }));
}

void recorder::refuse_incarnation(incarnation i) {
  const std::lock_guard lock(mutex_);
  refused_ = i;
}

// --- a node ---

local_identity identity(std::uint64_t id, std::uint64_t boot) {
  local_identity self;
  self.cluster = cluster_id(77);
  self.cluster_name = "demo";
  self.id = node_id(id);
  self.name = name(node_id(id));
  self.incarnation = incarnation(100 + id);
  self.boot = boot_id(boot == 0 ? 200 + id : boot);
  self.client_address = "127.0.0.1:2379";
  for (std::uint64_t m = 1; m <= 3; ++m)
    self.members.push_back({node_id(m), name(node_id(m)), name(node_id(m)) + ":1"});
  return self;
}

transport_options options_for(std::uint64_t id, std::uint64_t boot) {
  transport_options o;
  o.self = identity(id, boot);
  o.listen = {"127.0.0.1", 0};
  o.heartbeat = std::chrono::seconds(30); // the tests that are about silence say so
  o.redial_min = std::chrono::milliseconds(1);
  o.redial_max = std::chrono::milliseconds(20);
  return o;
}

rig_node::rig_node(coro::loop& l, named_network& net, transport_options o)
    : loop(l)
    , stopping_(l) {
  const std::string own = o.self.name;
  wire = std::make_unique<transport>(l, net, random_, std::move(o), seen, seen);
  on(l, [&] {
    REQUIRE(wire->start().has_value());
    port_ = wire->listening().port;
  });
  net.set(own, port_);
}

rig_node::~rig_node() {
  if (wire) stop();
}

namespace {
coro::task<void> stop_and_tell(transport* t, std::promise<void>* done) {
  coro::task<void> stopped = t->stop();
  co_await std::move(stopped);
  done->set_value();
}
} // namespace

void rig_node::stop() {
  std::promise<void> done;
  on(loop, [&] { stopping_.spawn(stop_and_tell(wire.get(), &done)); });
  done.get_future().get();
  on(loop, [] {}); // the task's own end
  on(loop, [&] { wire.reset(); });
}

// --- a raw peer ---

raw_peer::raw_peer(std::uint16_t port)
    : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const sockaddr_in at = loopback(port);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
}

raw_peer::raw_peer(int fd, bool)
    : fd_(fd) {}

std::unique_ptr<raw_peer> raw_peer::accepted(int listener) {
  REQUIRE(ready(listener, POLLIN));
  const int fd = ::accept(listener, nullptr, nullptr);
  REQUIRE(fd >= 0);
  return std::unique_ptr<raw_peer>(new raw_peer(fd, true));
}

raw_peer::~raw_peer() {
  ::close(fd_);
}

void raw_peer::say(const byte_buffer& bytes) {
  std::span<const std::byte> rest = bytes.bytes();
  while (!rest.empty()) {
    const ssize_t n = ::send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
    REQUIRE(n > 0);
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
}

void raw_peer::say_hello(const hello& h) {
  byte_buffer words;
  encode_hello(words, h);
  say(words);
}

std::vector<std::byte> raw_peer::hear() {
  for (;;) {
    const auto frame = reader_.next();
    REQUIRE(frame.has_value());
    if (*frame) return {(*frame)->begin(), (*frame)->end()};
    if (!ready(fd_, POLLIN)) return {};
    const std::span<std::byte> room = reader_.prepare();
    const ssize_t n = ::recv(fd_, room.data(), room.size(), 0);
    if (n <= 0) return {};
    reader_.commit(static_cast<std::size_t>(n));
  }
}

std::optional<hello> raw_peer::hear_hello() {
  const std::vector<std::byte> frame = hear();
  const auto said = decode_greeting(frame);
  if (!said || !std::holds_alternative<hello>(*said)) return std::nullopt;
  return std::get<hello>(*said);
}

std::string raw_peer::hear_goodbye() {
  for (;;) {
    const std::vector<std::byte> frame = hear();
    if (frame.empty()) return "the stream ended";
    const auto said = decode_greeting(frame);
    if (said && std::holds_alternative<goodbye>(*said)) return std::get<goodbye>(*said).reason;
  }
}

raw_listener::raw_listener()
    : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in at = loopback(0);
  REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(fd_, 8) == 0);
  socklen_t length = sizeof at;
  REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &length) == 0);
  port_ = ntohs(at.sin_port);
}

raw_listener::~raw_listener() {
  ::close(fd_);
}

} // namespace quorumd::wire::test
