#pragma once

#include "daemon/client/schema.hpp"

#include "daemon/client/members.hpp"

namespace quorumd::client::detail {

[[nodiscard]] std::size_t words_behind(const member_change& c);
[[nodiscard]] std::size_t words_behind(const join_request& j);
[[nodiscard]] std::size_t words_behind(const members_reply& m);

void fill(schema::MemberChange::Builder to, const member_change& c);
void fill(schema::JoinRequest::Builder to, const join_request& j);
/// Texts beyond their bounds are cut, rows beyond member_rows_max left out.
void fill(schema::MembersReply::Builder to, const members_reply& m);

[[nodiscard]] std::string read_member_name(capnp::Text::Reader from);
[[nodiscard]] member_change read(schema::MemberChange::Reader from);
[[nodiscard]] join_request read(schema::JoinRequest::Reader from);
[[nodiscard]] members_reply read(schema::MembersReply::Reader from);

} // namespace quorumd::client::detail
