#include "daemon/clients/session.hpp"

/// What a session answers without its group: what this node measured, and profiles of it.
namespace quorumd::clients {

void session::take_metrics(std::uint64_t id) {
  if (reporter_ == nullptr) return refuse_request(id, wire::request_errc::invalid, "this node measures nothing");
  if (!admit(id)) return;
  const bool begun = reporter_->report(loop_, [this, id](const wire::metrics_reply& m) {
    answered_here();
    if (broken_) return;
    reply_at_once(id, m);
    wake_.set();
  });
  if (begun) {
    ++inflight_;
    return;
  }
  admission_.leave(1);
  refuse_request(id, wire::request_errc::overloaded, node::describe(wire::request_errc::overloaded));
}

void session::take_profile(std::uint64_t id, const wire::profile_request& p) {
  if (profiler_ == nullptr)
    return refuse_request(id, wire::request_errc::denied, "a profile is taken on the admin socket only");
  if (!admit(id)) return;
  const auto refused = profiler_->begin(this, p, loop_, [this, id](const profiler::outcome& o) {
    answered_here();
    if (broken_) return;
    if (o.error.empty())
      reply_at_once(id, wire::profile_reply{.note = o.note, .bytes = o.bytes});
    else
      refuse_request(id, wire::request_errc::internal, o.error);
    wake_.set();
  });
  if (!refused) {
    ++inflight_;
    return;
  }
  admission_.leave(1);
  refuse_request(id, wire::request_errc::invalid, *refused);
}

/// A request that no group had to do with is done with.
void session::answered_here() {
  --inflight_;
  admission_.leave(1);
  resume_.set();
  if (settled()) settled_.set();
}

} // namespace quorumd::clients
