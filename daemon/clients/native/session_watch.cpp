#include "daemon/clients/native/session.hpp"

#include <memory>
#include <string>
#include <utility>

/// What a session passes on of what its client watches.
namespace quorumd::clients {
namespace {

/// The request with bytes of its own.
struct kept_watch {
  explicit kept_watch(const client::watch_request& w)
      : key(w.key)
      , range_end(w.range_end)
      , asked(w) {}
  [[nodiscard]] client::watch_request request() const {
    client::watch_request w = asked;
    w.key = key;
    w.range_end = range_end;
    return w;
  }
  std::string key;
  std::string range_end;
  client::watch_request asked;
};

/// What a wait takes while it lasts, besides its key and range_end: here and in the hub.
constexpr std::size_t wait_bytes = 512;

} // namespace

void session::take_watch(std::uint64_t id, const client::watch_request& w) {
  auto kept = std::make_shared<const kept_watch>(w);
  const std::size_t held = 2 * (w.key.size() + w.range_end.size()) + wait_bytes;
  asks().call(id, 0, held, false, [this, waits = waits_, kept](node::group& g, const node::reply_to& to) {
    if (g.state().is_witness())
      return asks().reply(g, to, [&](wire::byte_buffer& b) {
        encode(b, to, wire::request_errc::refused, "this node is a witness, which holds no data to watch", {});
      });
    waits->begin(g, to, kept->request());
  });
}

void session::reply_room_came() {
  asks().node().call([waits = waits_](node::group& g) { waits->resume(g); });
}

/// Otherwise they would keep the session until their time comes.
void session::end_watches() {
  asks().node().call([waits = waits_](node::group&) { waits->end_all(); });
}

} // namespace quorumd::clients
