#include "coro/name_lookups.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace quorumd::coro {
namespace {

boost::system::error_code error_of(int code) {
  switch (code) {
  case 0:
    return {};
  case EAI_AGAIN:
    return boost::asio::error::host_not_found_try_again;
  case EAI_MEMORY:
    return boost::asio::error::no_memory;
  default:
    return boost::asio::error::host_not_found;
  }
}

name_lookups::outcome ask_the_system(const std::string& host) {
  name_lookups::outcome out;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  out.error = error_of(::getaddrinfo(host.c_str(), nullptr, &hints, &list));
  for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
    if (a->ai_family == AF_INET) {
      sockaddr_in at{};
      std::memcpy(&at, a->ai_addr, sizeof at);
      out.found.emplace_back(boost::asio::ip::address_v4(ntohl(at.sin_addr.s_addr)));
    } else if (a->ai_family == AF_INET6) {
      sockaddr_in6 at{};
      std::memcpy(&at, a->ai_addr, sizeof at);
      boost::asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &at.sin6_addr, bytes.size());
      out.found.emplace_back(boost::asio::ip::address_v6(bytes, at.sin6_scope_id));
    }
  }
  if (list != nullptr) ::freeaddrinfo(list);
  return out;
}

} // namespace

/// What the threads that may be left behind hold on to.
struct name_lookups::shared {
  struct waiter {
    loop* owner;
    std::shared_ptr<receiver> receive; ///< empty once its ticket is gone
  };

  void end(const std::string& host, outcome o) {
    const std::lock_guard lock(mutex);
    const auto found = open.find(host);
    const auto result = std::make_shared<const outcome>(std::move(o));
    // Under the lock: a ticket that ends waits for it, so that the loop is still there.
    for (const waiter& w : found->second)
      boost::asio::post(w.owner->get_executor(), [r = std::weak_ptr<receiver>(w.receive), result] {
        if (const auto alive = r.lock()) (*alive)(*result);
      });
    open.erase(found);
  }

  std::mutex mutex; ///< held to move a few pointers
  std::size_t names_max = 0;
  resolver resolve = ask_the_system;
  std::map<std::string, std::vector<waiter>> open; ///< by host
};

namespace {
template <class Shared, class Receiver>
class held_ticket final : public name_lookups::ticket {
 public:
  held_ticket(std::shared_ptr<Shared> s, std::string host, std::shared_ptr<Receiver> r)
      : shared_(std::move(s))
      , host_(std::move(host))
      , receive_(std::move(r)) {}
  ~held_ticket() override {
    const std::lock_guard lock(shared_->mutex);
    const auto found = shared_->open.find(host_);
    if (found != shared_->open.end())
      std::erase_if(found->second, [this](const auto& w) { return w.receive == receive_; });
  }

 private:
  std::shared_ptr<Shared> shared_;
  std::string host_;
  std::shared_ptr<Receiver> receive_; ///< what is posted already finds it gone
};
} // namespace

name_lookups::name_lookups(std::size_t names_max)
    : shared_(std::make_shared<shared>()) {
  shared_->names_max = names_max;
}

name_lookups::~name_lookups() = default;

void name_lookups::replace_resolver(resolver r) {
  const std::lock_guard lock(shared_->mutex);
  shared_->resolve = std::move(r);
}

std::unique_ptr<name_lookups::ticket> name_lookups::start(loop& l, const std::string& host, receiver r) {
  auto receive = std::make_shared<receiver>(std::move(r));
  const auto fail = [&](boost::system::error_code why) {
    boost::asio::post(l.get_executor(), [w = std::weak_ptr<receiver>(receive), why] {
      if (const auto alive = w.lock()) (*alive)({.error = why, .found = {}});
    });
  };
  const std::lock_guard lock(shared_->mutex);
  const auto [at, is_new] = shared_->open.try_emplace(host);
  if (is_new && shared_->open.size() > shared_->names_max) {
    shared_->open.erase(at);
    fail(boost::asio::error::try_again);
  } else {
    at->second.push_back({&l, receive});
    if (is_new) {
      try {
        std::thread([s = shared_, host, resolve = shared_->resolve] { s->end(host, resolve(host)); }).detach();
      } catch (const std::system_error&) { // no thread to be had now
        shared_->open.erase(at);
        fail(boost::asio::error::try_again);
      }
    }
  }
  return std::make_unique<held_ticket<shared, receiver>>(shared_, host, std::move(receive));
}

} // namespace quorumd::coro
