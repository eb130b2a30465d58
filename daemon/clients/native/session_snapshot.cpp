#include "daemon/clients/native/session.hpp"

/// What a session passes on of a snapshot that its client copies.
namespace quorumd::clients {

void session::take_snapshot(std::uint64_t id, const client::snapshot_request& r) {
  asks().call(id, 0, 0, false, [this, r](node::group& g, const node::reply_to& to) {
    const auto reply = [this, to, &g](const node::snapshot_answer& a) {
      asks().reply(g, to, [&](wire::byte_buffer& b) {
        if (a.error == wire::request_errc::none)
          client::encode_reply(b, to.id, a.reply);
        else
          encode(b, to, a.error, a.text, {});
      });
    };
    // Whoever pipelines pieces and reads none is told so, and no memory is taken for them.
    if (!asks().has_room(to))
      return reply(
          {.error = wire::request_errc::overloaded, .text = "read the pieces that were asked for", .reply = {}});
    g.copies().ask(r, reply);
  });
}

} // namespace quorumd::clients
