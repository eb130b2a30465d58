#include "daemon/kv/codec/command_codec.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/commands.hpp"

#include <utility>

// What a client of a run does in a session.
namespace quorumd::sim {

using namespace std::chrono_literals;

namespace {
/// Times that a write is sent again before its client gives it up.
constexpr unsigned tries_max = 12;
} // namespace

void clients::open_session(client& c, node_id at) {
  c.what = client::doing::opening;
  c.asked = at;
  watch(c);
  send_command(c, kv::open_session{.nonce = random_.next(), .idle_ms_max = random_.between(1000, 4000)});
}

/// Some close theirs, others are just not seen again.
void clients::maybe_leave_session(client& c) {
  if (!c.call || random_.below(40) != 0) return;
  const kv::command close = kv::close_session{std::exchange(c.call, {}).session};
  if (random_.coin()) send_to_nobody(close, {});
}

/// Nobody waits for what comes of it.
void clients::send_to_nobody(const kv::command& command, const kv::session_call& call) {
  const node_id at = some_node();
  if (!at) return;
  std::vector<node::write_request> batch(1);
  batch[0].deadline = clock_.now() + 1s;
  batch[0].command = kv::encode_command(arena_, command, call);
  batch[0].grows = node::may_grow(command);
  batch[0].level = kv::needed_level(command, call);
  cluster_.the_node(at).submit(batch);
}

/// What an earlier try that was on its way for long would be: a command comes whose answer the client has.
void clients::send_settled(client& c) {
  if (!c.settled || c.settled->first.session != c.call.session || random_.below(8) != 0) return;
  send_to_nobody(command_of(history_[c.settled->second]), c.settled->first);
}

/// The outcome of what it sent is unknown: whether it is sent again, as the same command of its session.
bool clients::try_again(client& c) {
  if (!c.call || !history_[c.current].writes() || c.tries == tries_max) return false;
  ++c.tries;
  ++counters_[counter::repeated_commands];
  send_again_soon(c);
  return true;
}

void clients::send_again_soon(client& c) {
  ++c.generation; // what is said of the earlier try comes too late
  clock_.after(random_.between(coro::duration(1ms), coro::duration(200ms)),
               [this, n = c.number, g = c.generation] { send_again(n, g); });
}

void clients::send_again(std::uint32_t number, std::uint32_t generation) {
  client& c = clients_[number];
  if (c.generation != generation) return;
  const node_id at = some_node();
  if (!at) {
    clock_.after(50ms, [this, number, generation] { send_again(number, generation); });
    return;
  }
  c.asked = at;
  watch(c);
  clock_.record("again", at.value(), history_[c.current].id, c.tries);
  if (c.what == client::doing::asking_again)
    send_command(c, command_of(history_[c.current]));
  else
    send_write(c, history_[c.current]);
}

/// An operation is over. Some clients send it again though they have its answer: whether this one does.
bool clients::ask_again(client& c) {
  const operation& o = history_[c.current];
  if (!c.call || !o.writes()) return false;
  if (o.result == outcome::ok && !stopped_ && random_.below(8) == 0) {
    c.what = client::doing::asking_again;
    send_again_soon(c);
    return true;
  }
  if (random_.below(4) != 0) {
    if (o.result == outcome::ok) c.settled.emplace(c.call, c.current);
    c.call.answered = c.call.sequence;
  }
  return false;
}

/// A session was opened, or something was asked for again.
void clients::ended_in_session(client& c, const kv::result<kv::reply>& r) {
  if (c.what == client::doing::opening) {
    if (const auto* opened = r ? std::get_if<kv::open_session_reply>(&(*r).body) : nullptr) {
      c.call = {.session = opened->session};
      ++counters_[counter::sessions];
    }
    return rest(c);
  }
  const operation& o = history_[c.current];
  operation told = o;
  if (r && (!take_reply(*r, told) || told.revision != o.revision || told.succeeded != o.succeeded ||
            told.results != o.results))
    cluster_.complain("a session's command was answered otherwise when it was sent again: " + describe(o) + ", then " +
                      describe(told));
  if (!r && r.error().code() != kv::errc::session_unknown && r.error().code() != kv::errc::answer_not_kept)
    cluster_.complain("a session's command failed when it was sent again: " + describe(o) + ": " + r.error().message());
  if (!r && r.error().code() == kv::errc::session_unknown) c.call = {};
  ++counters_[counter::answers_repeated];
  rest(c);
}

/// The store's own word on an operation of a session.
void clients::refused_in_session(client& c, const kv::error& e) {
  if (e.code() == kv::errc::session_answered || e.code() == kv::errc::session_call)
    cluster_.complain("a session's command is refused: " + e.message());
  const bool ended = e.code() == kv::errc::session_unknown;
  if (ended) c.call = {};
  const bool open = e.code() == kv::errc::answer_not_kept || (ended && c.tries != 0);
  close(c, open ? outcome::unknown : outcome::not_applied);
}

} // namespace quorumd::sim
