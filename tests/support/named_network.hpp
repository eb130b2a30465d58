#pragma once

#include "coro/asio_network.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace quorumd::testing {

/// The kernel's sockets, but members are dialed by host: `n2:1` is wherever n2 listens now, if it does.
class named_network final : public coro::network {
 public:
  void set(const std::string& name, std::uint16_t port);
  coro::task<boost::system::result<std::unique_ptr<coro::stream>>> connect(coro::loop& owner, coro::endpoint to,
                                                                           coro::duration timeout) override;
  coro::task<boost::system::result<std::unique_ptr<coro::stream>>> connect_local(coro::loop& owner,
                                                                                 std::string path) override;
  boost::system::result<std::unique_ptr<coro::acceptor>> listen(coro::loop& owner, coro::endpoint at) override;
  boost::system::result<std::unique_ptr<coro::acceptor>> listen_local(coro::loop& owner,
                                                                      const std::string& path) override;

 private:
  coro::asio_network sockets_;
  std::mutex mutex_; // a test says where members are while their loops dial
  std::map<std::string, std::uint16_t> ports_;
};

} // namespace quorumd::testing
