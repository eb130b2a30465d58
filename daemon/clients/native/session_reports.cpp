#include "daemon/clients/native/session.hpp"

/// What a session answers without its group: what this node measured, and profiles of it.
namespace quorumd::clients {

void session::take_metrics(std::uint64_t id) {
  if (helpers_.reports == nullptr) return refuse(id, wire::request_errc::invalid, "this node measures nothing");
  if (!asks().take_place(id)) return;
  const bool begun = helpers_.reports->report(asks().loop(), [this, id](const client::metrics_reply& m) {
    asks().leave_place();
    if (broken()) return;
    reply_at_once(id, m);
    wake_writer();
  });
  if (begun) return;
  asks().leave_place();
  refuse(id, wire::request_errc::overloaded, node::describe(wire::request_errc::overloaded));
}

void session::take_profile(std::uint64_t id, const client::profile_request& p) {
  if (helpers_.profiles == nullptr)
    return refuse(id, wire::request_errc::denied, "a profile is taken on the admin socket only");
  if (!asks().take_place(id)) return;
  const auto refused = helpers_.profiles->begin(this, p, asks().loop(), [this, id](const profiler::outcome& o) {
    asks().leave_place();
    if (broken()) return;
    if (o.error.empty())
      reply_at_once(id, client::profile_reply{.note = o.note, .bytes = o.bytes});
    else
      refuse(id, wire::request_errc::internal, o.error);
    wake_writer();
  });
  if (!refused) return;
  asks().leave_place();
  refuse(id, wire::request_errc::invalid, *refused);
}

/// Nobody is there to read a profile.
void session::reading_ended() {
  if (helpers_.profiles != nullptr) helpers_.profiles->cancel(this);
  end_watches();
}

} // namespace quorumd::clients
