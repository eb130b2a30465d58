#pragma once

#include "wire/members.hpp"
#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include "wire/schema/client.capnp.h"

namespace quorumd::wire::detail {

[[nodiscard]] std::size_t words_behind(const member_change& c);
void fill(schema::MemberChange::Builder to, const member_change& c);
[[nodiscard]] member_change read(schema::MemberChange::Reader from);

[[nodiscard]] std::size_t words_behind(const join_request& r);
void fill(schema::JoinRequest::Builder to, const join_request& r);
[[nodiscard]] join_request read(schema::JoinRequest::Reader from);

[[nodiscard]] std::size_t words_behind(const members_reply& r);
void fill(schema::MembersReply::Builder to, const members_reply& r);
[[nodiscard]] members_reply read(schema::MembersReply::Reader from);

} // namespace quorumd::wire::detail
