#include "daemon/clients/native/session.hpp"

#include <optional>
#include <utility>
#include <variant>

/// What a session passes on to its group's member_admin.
namespace quorumd::clients {
namespace {

constexpr std::size_t member_row_bytes = 1024; // with texts of the usual length

} // namespace

/// False if the request is of another kind.
bool session::take_members(const client::client_request& r, service::time_limits until) {
  using ask =
      std::variant<client::members_request, client::member_change, client::leader_transfer, client::join_request>;
  std::optional<ask> what;
  std::visit(
      [&](const auto& body) {
        if constexpr (std::is_constructible_v<ask, decltype(body)>) what.emplace(body);
      },
      r.body);
  if (!what) return false;
  const std::size_t held = asks().node().members().size() * member_row_bytes;
  asks().call(r.id, 0, held, true, [this, until, what = std::move(*what)](node::group& g, const node::reply_to& to) {
    const auto reply = [this, to, &g](const node::member_answer& a) {
      asks().reply(g, to, [&](wire::byte_buffer& b) {
        const bool elsewhere = a.error == wire::request_errc::not_leader;
        if (a.error == wire::request_errc::none)
          client::encode_reply(b, to.id, a.reply);
        else
          encode(b, to, a.error, a.text, elsewhere ? g.leader_address() : std::string_view());
      });
    };
    node::member_admin& admin = g.members();
    if (const auto* c = std::get_if<client::member_change>(&what))
      admin.change(*c, until.deadline, reply);
    else if (const auto* t = std::get_if<client::leader_transfer>(&what))
      admin.transfer(*t, until.deadline, reply);
    else if (const auto* j = std::get_if<client::join_request>(&what))
      reply(admin.join(*j));
    else
      reply({.error = wire::request_errc::none, .text = {}, .reply = admin.now()});
  });
  return true;
}

} // namespace quorumd::clients
