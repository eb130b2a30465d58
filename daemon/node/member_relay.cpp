#include "daemon/node/member_relay.hpp"

#include "daemon/client/protocol.hpp"
#include "wire/frame.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>
#include <vector>

namespace quorumd::node {
namespace {

using wire::request_errc;

/// A frame's content, which is what a message of the peers carries.
std::vector<std::byte> content(const wire::byte_buffer& frame) {
  const auto bytes = frame.bytes().subspan(wire::frame_header_bytes);
  return {bytes.begin(), bytes.end()};
}

member_answer unknown(const std::string& why) {
  return {.error = request_errc::unknown, .text = why, .reply = {}};
}

member_answer read_answer(const wire::relay_reply& m) {
  const auto reply = client::decode_reply(m.reply);
  if (!reply) return unknown("the leader's answer cannot be read: " + reply.error().what());
  if (const auto* r = std::get_if<client::members_reply>(&reply->body))
    return {.error = request_errc::none, .text = {}, .reply = *r};
  if (const auto* e = std::get_if<client::client_error>(&reply->body))
    return {.error = e->code, .text = std::string(e->text), .reply = {}};
  return unknown("the leader answered another question");
}

} // namespace

void member_relay::ask(node_id leader, const client::member_change& c, coro::time_point now, coro::time_point deadline,
                       member_admin::receiver done) {
  const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
  if (remaining.count() <= 0 || waiting_.size() >= waiting_max)
    return done({.error = request_errc::overloaded,
                 .text = "too many changes of the members are asked for at a time",
                 .reply = {}});
  const std::uint64_t id = next_id_++;
  const std::chrono::milliseconds its = wire::remaining_behind(remaining);
  wire::byte_buffer frame;
  client::encode_request(frame, id, its, c);
  waiting_.emplace(id, question{.leader = leader, .deadline = deadline, .done = std::move(done)});
  transport_.send(leader, wire::relay_request{.id = id, .group = group_, .remaining = its, .request = content(frame)});
}

void member_relay::answered(node_id from, const wire::relay_reply& m) {
  const auto found = waiting_.find(m.id);
  if (found == waiting_.end() || found->second.leader != from) return;
  const member_admin::receiver done = std::move(found->second.done);
  waiting_.erase(found);
  done(read_answer(m));
}

template <class Over>
void member_relay::fail_if(Over over, const char* why) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!over(it->second)) {
      ++it;
      continue;
    }
    const member_admin::receiver done = std::move(it->second.done);
    it = waiting_.erase(it);
    done(unknown(why));
  }
}

void member_relay::broken(node_id leader) {
  fail_if([leader](const question& q) { return q.leader == leader; },
          "the leader was lost: the list of members shows whether the change was made");
}

void member_relay::expire(coro::time_point now) {
  fail_if([now](const question& q) { return q.deadline <= now; },
          "the leader did not answer in time: the list of members shows whether the change was made");
}

void member_relay::end() {
  fail_if([](const question&) { return true; }, "this node is stopping");
}

std::optional<client::member_change> relayed_change(const wire::relay_request& m) {
  const auto request = client::decode_request(m.request);
  if (!request) return std::nullopt;
  const auto* c = std::get_if<client::member_change>(&request->body);
  return c == nullptr ? std::nullopt : std::optional(*c);
}

wire::relay_reply relayed_answer(std::uint64_t id, const member_answer& a) {
  wire::byte_buffer frame;
  if (a.error == request_errc::none)
    client::encode_reply(frame, id, a.reply);
  else
    client::encode_reply(frame, id, client::client_error{.code = a.error, .text = a.text});
  return {.id = id, .reply = content(frame)};
}

} // namespace quorumd::node
