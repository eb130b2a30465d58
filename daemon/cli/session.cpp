#include "daemon/cli/session.hpp"

#include "config/exit_codes.hpp"
#include "coro/asio_network.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/target.hpp"
#include "daemon/cli/terminal.hpp"

#include <boost/asio/co_spawn.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <future>
#include <memory>
#include <utility>

namespace quorumd::cli {
namespace {

/// Everything that lives on the loop.
struct room {
  coro::loop& loop;
  coro::asio_network& network;
  coro::system_entropy& entropy;
  const client::client_options& options;
  std::chrono::milliseconds timeout;
  bool json;
  const std::function<coro::task<int>(session&)>& body;
};

coro::task<int> run_session(const room* r) {
  const auto client = std::make_unique<client::client>(r->loop, r->network, r->entropy, r->options);
  session s{r->loop, r->network, r->entropy, *client, r->options, r->timeout, r->json};
  int code = config::exit_code::ok;
  std::exception_ptr failed;
  try {
    code = co_await r->body(s);
  } catch (...) { // the client must be stopped first; thrown again below
    failed = std::current_exception();
  }
  co_await client->stop();
  if (failed) std::rethrow_exception(failed);
  co_return code;
}

} // namespace

int run_client(const invocation& in, const std::function<coro::task<int>(session&)>& body, bool patient) {
  auto endpoints = find_endpoints(in, {std::getenv(endpoint_variable), std::getenv(endpoints_variable)},
                                  ::access(default_socket, F_OK) == 0);
  if (endpoints.has_error()) return complain(endpoints.error());
  client::client_options options;
  options.endpoints = std::move(*endpoints);
  options.patient = patient;
  options.bulk = in.command().bulk;

  const coro::steady_clock clock;
  coro::loop loop("client", clock);
  coro::asio_network network;
  coro::system_entropy entropy;
  const room r{loop, network, entropy, options, in.duration("timeout", default_timeout), in.json(), body};
  std::promise<int> ended;
  auto code = ended.get_future();
  loop.start();
  loop.post([&] {
    boost::asio::co_spawn(loop.get_executor(), run_session(&r), [&](std::exception_ptr failed, int result) {
      if (failed)
        ended.set_exception(failed);
      else
        ended.set_value(result);
    });
  });
  code.wait();
  loop.stop();
  return code.get();
}

option_spec retry_option() {
  return {"retry", "", option_kind::flag, "send it again if its outcome is unknown; it takes effect once"};
}

again retry_of(const invocation& in) {
  return in.has("retry") ? again::yes : again::no;
}

coro::task<client::call_result> send(session* s, kv::command c, again a) {
  const coro::time_point deadline = s->deadline();
  client::client_body body(std::move(c));
  if (a == again::no) {
    client::call_result answer = co_await s->client.call(std::move(body), deadline);
    co_return answer;
  }
  client::client_session own(s->client, s->entropy);
  const auto opened = co_await own.open(deadline, session_idle_max);
  if (opened.has_error()) co_return opened.error();
  const client::client_session::turn only = own.begin();
  client::call_result answer =
      co_await s->client.call(std::move(body), deadline, client::client::repeat::idempotent, only.call());
  if (answer.has_value()) co_await own.close(s->loop.now() + session_close_max);
  co_return answer;
}

int complain(const client::call_error& e) {
  constexpr int code = config::exit_code::unavailable;
  if (!speaks_json()) {
    complain(e.message());
    return code;
  }
  std::string name = e.code() == wire::request_errc::none ? "unreachable" : wire::name_of(e.code());
  std::replace(name.begin(), name.end(), ' ', '_');
  std::string out;
  json_writer w(out);
  w.begin_object().key("error").text(e.message()).key("code").text(name).key("endpoint");
  if (e.endpoint().empty())
    w.null();
  else
    w.text(e.endpoint());
  w.key("exit_code").number(static_cast<std::uint64_t>(code)).end_object();
  write_message(std::move(out));
  return code;
}

} // namespace quorumd::cli
