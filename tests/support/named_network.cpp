#include "tests/support/named_network.hpp"

#include <boost/asio/error.hpp>

#include <utility>

namespace quorumd::testing {

void named_network::set(const std::string& name, std::uint16_t port) {
  const std::lock_guard lock(mutex_);
  ports_[name] = port;
}

coro::task<boost::system::result<std::unique_ptr<coro::stream>>>
named_network::connect(coro::loop& owner, coro::endpoint to, coro::duration timeout) {
  coro::endpoint real{"127.0.0.1", 0};
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = ports_.find(to.host); at != ports_.end()) real.port = at->second;
  }
  if (real.port == 0) co_return boost::asio::error::make_error_code(boost::asio::error::connection_refused);
  auto connecting = sockets_.connect(owner, real, timeout);
  co_return co_await std::move(connecting);
}

coro::task<boost::system::result<std::unique_ptr<coro::stream>>> named_network::connect_local(coro::loop& owner,
                                                                                              std::string path) {
  return sockets_.connect_local(owner, std::move(path));
}

boost::system::result<std::unique_ptr<coro::acceptor>> named_network::listen(coro::loop& owner, coro::endpoint at) {
  return sockets_.listen(owner, at);
}

boost::system::result<std::unique_ptr<coro::acceptor>> named_network::listen_local(coro::loop& owner,
                                                                                   const std::string& path) {
  return sockets_.listen_local(owner, path);
}

} // namespace quorumd::testing
