#include "daemon/clients/session.hpp"

/// What a session passes on of a snapshot that its client copies.
namespace quorumd::clients {

void session::take_snapshot(std::uint64_t id, const wire::snapshot_request& r) {
  if (!admit(id)) return;
  ++inflight_;
  const node::reply_to to = answer(id, asked::plain, 0);
  node_.call([this, to, r](node::group& g) {
    const auto reply = [this, to, &g](const node::snapshot_answer& a) {
      if (!gone_) {
        if (a.error == wire::request_errc::none)
          wire::encode_reply(staged_, to.id, a.reply);
        else
          wire::encode_reply(staged_, to.id,
                             wire::client_error{.code = a.error, .text = a.text, .leader = {}, .store = {}});
      }
      answer_made(to);
      g.flush_later(*this);
    };
    // Whoever pipelines pieces and reads none is told so, and no memory is taken for them.
    if (!has_room(to))
      return reply(
          {.error = wire::request_errc::overloaded, .text = "read the pieces that were asked for", .reply = {}});
    g.copies().ask(r, reply);
  });
}

} // namespace quorumd::clients
