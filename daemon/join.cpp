#include "daemon/join.hpp"

#include "consensus/storage/data_directory.hpp"
#include "coro/loop.hpp"
#include "daemon/client/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace quorumd::daemon {
namespace {

constexpr std::chrono::seconds between_questions{1};
constexpr std::chrono::seconds question_timeout{5};

/// What the member answered, or why there is no answer.
struct told {
  std::optional<client::members_reply> reply;
  std::string why;
};

coro::task<told> ask(coro::loop* l, const newcomer* who, const join_seams* s) {
  client::client_options o;
  o.endpoints = {{.tcp = {who->member.host, who->member.port}, .socket_path = {}}};
  const auto c = std::make_unique<client::client>(*l, s->network, s->entropy, o);
  client::client_body body = client::join_request{.name = who->name, .address = who->peer.text()};
  const coro::time_point deadline = l->now() + question_timeout;
  const client::call_result answer = co_await c->call(std::move(body), deadline);
  told t;
  if (answer.has_error())
    t.why = answer.error().message();
  else if (const auto* m = std::get_if<client::members_reply>(&answer->reply.body))
    t.reply = *m;
  else
    t.why = c->endpoint() + ": the server answered another question";
  co_await c->stop();
  co_return t;
}

told ask_once(const newcomer& who, const join_seams& s) {
  coro::loop loop("join", s.clock);
  loop.start();
  told t = boost::asio::co_spawn(loop.get_executor(), ask(&loop, &who, &s), boost::asio::use_future).get();
  loop.stop();
  return t;
}

} // namespace

storage::result<void> find_cluster(const newcomer& who, node::node_options& options, join_seams s,
                                   const std::function<void()>& waiting) {
  wire::local_identity& self = options.self;
  const auto known = storage::read_identity(s.files, options.data_dir);
  if (known) {
    self.cluster = known->cluster;
    self.id = known->node;
    if (self.cluster_name.empty()) self.cluster_name = known->cluster_name;
    return {};
  }
  if (known.error().code != storage::error_code::not_found) return known.error();

  spdlog::info("joining the cluster of {} as {}", who.member.text(), who.name);
  std::string said;
  for (;;) {
    waiting();
    told t = ask_once(who, s);
    if (t.reply) {
      const client::members_reply& m = *t.reply;
      if (!self.cluster_name.empty() && self.cluster_name != m.cluster_name)
        return storage::error(storage::error_code::foreign, who.member.text(),
                              "it is a member of cluster '" + m.cluster_name + "', and cluster.name is '" +
                                  self.cluster_name + "': correct the one or the other");
      self.cluster = m.cluster;
      self.cluster_name = m.cluster_name;
      for (const client::member_row& row : m.rows) { // by its address, if it was added without a name
        const bool unnamed_here = row.name == row.address && row.address == who.peer.text();
        if (row.name == who.name || (unnamed_here && !self.id)) self.id = row.id;
      }
      options.joined = node::introduction_from(m);
      spdlog::info("cluster {} knows {} as a member: {} in all", m.cluster_name, who.name, m.rows.size());
      return {};
    }
    if (std::exchange(said, t.why) != t.why) spdlog::warn("cannot join yet: {}. Asking on, once a second", t.why);
    std::this_thread::sleep_for(between_questions); // no loop runs yet, and signals are heard by another thread
  }
}

} // namespace quorumd::daemon
