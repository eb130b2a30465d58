#include "coro/entropy.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/support/named_network.hpp"
#include "wire/transport.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;

namespace {

constexpr std::string_view leader_address = "198.51.100.2:2379";

/// The other member of two: says that it leads, and then of every command that it is sent that it does not.
class deposed_leader final : private wire::peer_handler, private wire::peer_observer {
 public:
  explicit deposed_leader(std::uint16_t n1)
      : loop_("n2", clock_)
      , transport_(loop_, network_, entropy_, options(), *this, *this) {
    network_.set("127.0.0.1", n1);
    loop_.start();
    boost::asio::co_spawn(loop_.get_executor(), start(), boost::asio::use_future).get();
  }
  ~deposed_leader() override {
    boost::asio::co_spawn(loop_.get_executor(), transport_.stop(), boost::asio::use_future).get();
    loop_.stop();
  }
  void lead() {
    transport_.send(node_id(1), wire::raft_message{.group = group_id(1), .body = raft::heartbeat{.term = term(5)}});
  }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  static wire::transport_options options() {
    wire::transport_options o;
    o.self = node_rig::identity(2, 2);
    o.self.incarnation = incarnation(2);
    o.self.boot = boot_id(2);
    o.self.client_address = leader_address;
    o.listen = {"127.0.0.1", 0};
    return o;
  }
  coro::task<void> start() {
    REQUIRE(transport_.start().has_value());
    co_return;
  }
  void on_peer_up(node_id, const wire::peer_info&) override {}
  void on_peer_down(node_id, const std::string&) override {}
  void on_peer_writable(node_id, bool) override {}
  std::optional<std::string> check_incarnation(node_id, incarnation, log_index) override { return std::nullopt; }
  void on_peer_messages(node_id from, std::vector<wire::peer_message>& batch, wire::inbound_hold) override {
    for (const wire::peer_message& m : batch) {
      const auto* f = std::get_if<wire::forward_request>(&m);
      if (f == nullptr) continue;
      ++asked_;
      transport_.send(from,
                      wire::forward_reply{.id = f->id, .error = request_errc::not_leader, .text = {}, .result = {}});
    }
  }

  std::atomic<int> asked_{0};
  coro::steady_clock clock_;
  coro::system_entropy entropy_;
  named_network network_;
  coro::loop loop_;
  wire::transport transport_;
};

} // namespace

// A follower sends a put on to the member that it takes for the leader, which is none any more: the client hears
// not_leader, with the client address of whom the follower takes for the leader by then.
TEST_CASE("not_leader names the leader's client address") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig::options two = with(loops);
    two.members = 2;
    node_rig rig(two);
    deposed_leader n2(rig.peer_port());
    raw_connection c(at(rig));
    wire::byte_buffer out;
    put(out, 1, "key", "value");
    REQUIRE(c.send(out));
    CHECK(comes_true([&] {
      n2.lead();
      std::this_thread::sleep_for(5ms); // a leader's heartbeats, until the put was sent on
      return n2.asked() == 1;
    }));
    const auto r = c.receive(10s);
    REQUIRE(r.has_value());
    REQUIRE(code_of(*r) == request_errc::not_leader);
    CHECK(std::get<client::client_error>(r->body).leader == leader_address);
  }
}
