#pragma once

#include "coro/net.hpp"

namespace quorumd::coro {

/// TCP (with no delay) and Unix sockets through Asio. Holds no state.
class asio_network final : public network {
 public:
  task<boost::system::result<std::unique_ptr<stream>>> connect(loop& owner, endpoint to, duration timeout) override;
  task<boost::system::result<std::unique_ptr<stream>>> connect_local(loop& owner, std::string path) override;
  boost::system::result<std::unique_ptr<acceptor>> listen(loop& owner, endpoint at) override;
  boost::system::result<std::unique_ptr<acceptor>> listen_local(loop& owner, const std::string& path) override;
};

} // namespace quorumd::coro
