#pragma once

#include "coro/name_lookups.hpp"
#include "coro/net.hpp"

namespace quorumd::coro {

/// TCP (with no delay) and Unix sockets through Asio.
class asio_network final : public network {
 public:
  task<boost::system::result<std::unique_ptr<stream>>> connect(loop& owner, endpoint to, duration timeout) override;
  task<boost::system::result<std::unique_ptr<stream>>> connect_local(loop& owner, std::string path) override;
  boost::system::result<std::unique_ptr<acceptor>> listen(loop& owner, endpoint at) override;
  boost::system::result<std::unique_ptr<acceptor>> listen_local(loop& owner, const std::string& path) override;

  [[nodiscard]] name_lookups& names() { return names_; }

 private:
  name_lookups names_;
};

} // namespace quorumd::coro
