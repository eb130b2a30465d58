#include "coro/asio_network.hpp"

#include "coro/event.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <charconv>
#include <utility>

namespace quorumd::coro {
namespace {

using boost::system::error_code;
using boost::system::result;
using tcp = boost::asio::ip::tcp;
using local = boost::asio::local::stream_protocol;

template <class F>
class on_exit {
 public:
  explicit on_exit(F f)
      : f_(std::move(f)) {}
  on_exit(const on_exit&) = delete;
  on_exit& operator=(const on_exit&) = delete;
  ~on_exit() { f_(); }

 private:
  F f_;
};

constexpr auto as_tuple = boost::asio::as_tuple(use_task);

/// An end that is gone without a word (its power, its network) is noticed within a minute: by the probes of an idle
/// connection, or because what was sent is not acknowledged or not taken.
constexpr int idle_seconds = 20;
constexpr int probe_seconds = 10;
constexpr int probes = 3;
constexpr int untaken_ms = (idle_seconds + probe_seconds * probes) * 1000;

void tune(boost::asio::basic_stream_socket<tcp, executor>& s) {
  error_code ignored; // a socket that is already reset says so at the first read
  s.set_option(tcp::no_delay(true), ignored);
  s.set_option(boost::asio::socket_base::keep_alive(true), ignored);
  const std::pair<int, int> options[] = {{TCP_KEEPIDLE, idle_seconds},
                                         {TCP_KEEPINTVL, probe_seconds},
                                         {TCP_KEEPCNT, probes},
                                         {TCP_USER_TIMEOUT, untaken_ms}};
  for (const auto& [name, value] : options)
    ::setsockopt(s.native_handle(), IPPROTO_TCP, name, &value, sizeof value); // refused likewise
}
void tune(boost::asio::basic_stream_socket<local, executor>&) {}

std::string name_of(const boost::asio::basic_stream_socket<tcp, executor>& s) {
  error_code error;
  const tcp::endpoint e = s.remote_endpoint(error);
  return error ? "a closed connection" : to_string(endpoint{e.address().to_string(), e.port()});
}
std::string name_of(const boost::asio::basic_stream_socket<local, executor>&) {
  return "a local socket";
}

template <class Protocol>
class asio_stream final : public stream {
 public:
  using socket = boost::asio::basic_stream_socket<Protocol, executor>;

  explicit asio_stream(socket s)
      : socket_(std::move(s))
      , remote_(name_of(socket_)) {
    error_code error;
    socket_.non_blocking(true, error);
    tune(socket_);
  }

  result<std::size_t> read_some(std::span<std::byte> into) override {
    if (*reset_) return error_code(boost::asio::error::connection_reset);
    error_code error;
    const std::size_t n = socket_.read_some(boost::asio::buffer(into.data(), into.size()), error);
    if (error) return error;
    return n;
  }

  result<std::size_t> write_some(std::span<const std::byte> from) override {
    error_code error;
    const std::size_t n = socket_.write_some(boost::asio::buffer(from.data(), from.size()), error);
    if (error) return error;
    return n;
  }

  task<void> readable() override { return wait(socket::wait_read); }
  task<void> writable() override { return wait(socket::wait_write); }

  void close() override {
    error_code ignored; // nothing is left to be done about a socket that will not close
    socket_.shutdown(socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

  void abort() override {
    if constexpr (!std::is_same_v<Protocol, tcp>) return close();
    error_code ignored;
    socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored); // a reset instead of the end
    socket_.close(ignored);
  }

  /// The kernel goes on giving out what it had received before a reset. The reactor tells of an error before it tells
  /// of bytes, so nothing of them is read by whoever awaits readable(); it takes no system call a read.
  void heed_abort() override {
    if constexpr (std::is_same_v<Protocol, tcp>) { // a local socket is as much in error once the other end has closed
      if (!socket_.is_open()) return;
      socket_.async_wait(socket::wait_error, [reset = reset_](error_code none) {
        if (!none) *reset = true; // or urgent data, which no peer of ours sends
      });
    }
  }

  void limit_unsent(std::size_t bytes) override {
    if constexpr (std::is_same_v<Protocol, tcp>) {
      const int value = static_cast<int>(bytes);
      ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, sizeof value);
    }
  }

  const std::string& remote() const override { return remote_; }

  std::optional<credentials> peer_credentials() const override {
    if constexpr (std::is_same_v<Protocol, tcp>) {
      return std::nullopt;
    } else {
      const int fd = const_cast<socket&>(socket_).native_handle();
      ucred who{};
      socklen_t length = sizeof who;
      if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return std::nullopt;
      credentials c{who.uid, who.gid, {}};
      length = 0;
      ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &length); // fails and says how much room it takes
      c.groups.resize(length / sizeof(gid_t));
      if (length != 0 && ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, c.groups.data(), &length) != 0) c.groups.clear();
      return c;
    }
  }

 private:
  /// Asio answers a wait on a closed socket with "bad descriptor"; here closed is closed, before the wait as during it.
  task<void> wait(typename socket::wait_type what) {
    return boost::asio::async_initiate<const use_task_t, void(error_code)>(
        [this, what](auto handler) {
          if (socket_.is_open()) {
            socket_.async_wait(what, std::move(handler));
            return;
          }
          const error_code aborted = boost::asio::error::operation_aborted;
          boost::asio::post(socket_.get_executor(), [h = std::move(handler), aborted]() mutable { h(aborted); });
        },
        use_task);
  }

  socket socket_;
  std::string remote_;
  std::shared_ptr<bool> reset_ = std::make_shared<bool>(false); ///< the wait for it may outlive the stream
};

endpoint endpoint_of(const tcp::endpoint& e) {
  return {e.address().to_string(), e.port()};
}
endpoint endpoint_of(const local::endpoint& e) {
  return {e.path(), 0};
}

template <class Protocol>
class asio_acceptor final : public acceptor {
 public:
  using socket_acceptor = boost::asio::basic_socket_acceptor<Protocol, executor>;

  explicit asio_acceptor(socket_acceptor a)
      : acceptor_(std::move(a)) {}

  task<result<std::unique_ptr<stream>>> accept(loop& owner) override {
    if (!acceptor_.is_open()) throw boost::system::system_error(boost::asio::error::operation_aborted);
    typename asio_stream<Protocol>::socket peer(owner.get_executor());
    auto [error] = co_await acceptor_.async_accept(peer, as_tuple);
    if (error == boost::asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error) co_return error;
    co_return std::unique_ptr<stream>(std::make_unique<asio_stream<Protocol>>(std::move(peer)));
  }

  void close() override {
    error_code ignored;
    acceptor_.close(ignored);
  }

  endpoint local() const override {
    error_code error;
    const auto e = acceptor_.local_endpoint(error);
    return error ? endpoint{} : endpoint_of(e);
  }

 private:
  socket_acceptor acceptor_;
};

template <class Protocol>
result<std::unique_ptr<acceptor>> listen_at(loop& owner, const typename Protocol::endpoint& at) {
  error_code error;
  typename asio_acceptor<Protocol>::socket_acceptor a(owner.get_executor());
  a.open(at.protocol(), error);
  if (error) return error;
  if constexpr (std::is_same_v<Protocol, tcp>) {
    a.set_option(tcp::acceptor::reuse_address(true), error);
    if (error) return error;
  }
  a.bind(at, error);
  if (error) return error;
  a.listen(boost::asio::socket_base::max_listen_connections, error);
  if (error) return error;
  return std::unique_ptr<acceptor>(std::make_unique<asio_acceptor<Protocol>>(std::move(a)));
}

/// One connect(). Its handlers share it.
struct dial {
  using timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>, executor>;

  explicit dial(loop& owner)
      : socket(owner.get_executor())
      , limit(owner.get_executor())
      , changed(owner) {}

  void leave() {
    limit.cancel();
    lookup.reset();
  }

  asio_stream<tcp>::socket socket;
  std::unique_ptr<name_lookups::ticket> lookup;
  timer limit;
  event changed; // the look-up has ended, or the time has
  bool expired = false;
  bool found_ended = false;
  std::vector<tcp::endpoint> found;
  error_code error = boost::asio::error::host_not_found;
};

void start_limit(const std::shared_ptr<dial>& d, duration timeout) {
  d->limit.expires_after(timeout);
  d->limit.async_wait([d](error_code error) {
    if (error) return;
    d->expired = true;
    error_code ignored;
    d->socket.close(ignored); // nothing, if it has become a stream's
    d->changed.set();
  });
}

/// An address needs no look-up, and so no wait for the look-ups of others.
void start_lookup(const std::shared_ptr<dial>& d, name_lookups& names, loop& owner, const endpoint& to) {
  error_code not_an_address;
  const auto address = boost::asio::ip::make_address(to.host, not_an_address);
  if (!not_an_address) {
    d->found.emplace_back(address, to.port);
    d->found_ended = true;
    return;
  }
  d->lookup = names.start(owner, to.host, [w = std::weak_ptr<dial>(d), port = to.port](const name_lookups::outcome& o) {
    const auto alive = w.lock();
    if (!alive) return;
    if (o.error) alive->error = o.error;
    for (const auto& address : o.found) alive->found.emplace_back(address, port);
    alive->found_ended = true;
    alive->changed.set();
  });
}

/// A dial to a port that nobody listens on may get this port for its own end, and TCP then connects it to itself.
bool connected_to_itself(const asio_stream<tcp>::socket& s) {
  error_code error;
  const tcp::endpoint here = s.local_endpoint(error);
  if (error) return false;
  return here == s.remote_endpoint(error) && !error;
}

} // namespace

std::string to_string(const endpoint& e) {
  const bool v6 = e.host.find(':') != std::string::npos;
  return (v6 ? "[" + e.host + "]" : e.host) + ":" + std::to_string(e.port);
}

std::optional<endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.back() != ']' || host.find(':') == std::string_view::npos) return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.find_first_of("[] \t\r\n/") != std::string_view::npos) return std::nullopt;
  std::uint16_t number = 0;
  const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (failed != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return endpoint{std::string(host), number};
}

task<result<std::unique_ptr<stream>>> asio_network::connect(loop& owner, endpoint to, duration timeout) {
  const auto d = std::make_shared<dial>(owner);
  const on_exit leave([d] { d->leave(); });
  start_limit(d, timeout);
  start_lookup(d, names_, owner, to);
  while (!d->found_ended && !d->expired) co_await d->changed.wait();

  for (const tcp::endpoint& address : d->found) {
    if (d->expired) break;
    error_code ignored;
    d->socket.close(ignored);
    auto [error] = co_await d->socket.async_connect(address, as_tuple);
    d->error = error;
    if (!error && connected_to_itself(d->socket)) d->error = boost::asio::error::connection_refused;
    if (!d->error) break;
  }
  if (d->expired) co_return boost::asio::error::make_error_code(boost::asio::error::timed_out);
  if (d->error == boost::asio::error::operation_aborted) throw boost::system::system_error(d->error);
  if (d->error) co_return d->error;
  co_return std::unique_ptr<stream>(std::make_unique<asio_stream<tcp>>(std::move(d->socket)));
}

task<result<std::unique_ptr<stream>>> asio_network::connect_local(loop& owner, std::string path) {
  asio_stream<local>::socket s(owner.get_executor());
  if (path.size() > 107) co_return boost::asio::error::make_error_code(boost::asio::error::name_too_long);
  const local::endpoint at(path);
  auto [error] = co_await s.async_connect(at, as_tuple);
  if (error == boost::asio::error::operation_aborted) throw boost::system::system_error(error);
  if (error) co_return error;
  // When the listener's queue is full the kernel says "again", and Asio takes the wait that follows for a connection.
  s.remote_endpoint(error);
  if (error) co_return boost::asio::error::make_error_code(boost::asio::error::try_again);
  co_return std::unique_ptr<stream>(std::make_unique<asio_stream<local>>(std::move(s)));
}

result<std::unique_ptr<acceptor>> asio_network::listen(loop& owner, endpoint at) {
  error_code error;
  boost::asio::ip::basic_resolver<tcp, executor> names(owner.get_executor());
  const auto found = names.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, error);
  if (error) return error;
  if (found.empty()) return boost::asio::error::make_error_code(boost::asio::error::host_not_found);
  return listen_at<tcp>(owner, found.begin()->endpoint());
}

result<std::unique_ptr<acceptor>> asio_network::listen_local(loop& owner, const std::string& path) {
  if (path.size() > 107) return boost::asio::error::make_error_code(boost::asio::error::name_too_long);
  return listen_at<local>(owner, local::endpoint(path));
}

} // namespace quorumd::coro
