#include "daemon/clients/http/http_connection.hpp"

#include "daemon/clients/emulated.hpp"
#include "daemon/clients/http/etcd_metrics.hpp"
#include "daemon/clients/http/prometheus.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::clients {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t read_room = std::size_t{16} * 1024;
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::uint64_t body_bytes_max = std::uint64_t{64} * 1024;

/// As etcd answers.
std::string version_text() {
  return std::string(R"({"etcdserver":")") + emulated_version + R"(","etcdcluster":")" + emulated_cluster_version +
         "\"}";
}

std::string_view reason_phrase(unsigned status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

/// Whether the query has the parameter with that value.
bool has_parameter(std::string_view query, std::string_view pair) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (query.substr(0, end) == pair) return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

/// What may stand in a JSON string, of a text for people.
std::string json_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x20) out += c == '"' || c == '\\' ? '\'' : c;
  return out;
}

} // namespace

http_connection::http_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o,
                                 observer& watcher, reporter* reports, std::span<const std::byte> begun)
    : connection(p, std::move(s), o, watcher)
    , reports_(reports)
    , since_(since()) {
  asks().read_at(since());
  expect_request();
  read_.append(begun);
}

void http_connection::expect_request() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(header_bytes_max);
  parser_->body_limit(body_bytes_max);
  begun_ = false;
  since_ = asks().loop().now();
}

coro::task<bool> http_connection::read_once() {
  if (under_way_) {
    co_await resumed();
    co_return true;
  }
  if (std::exchange(more_, false)) { // what came with the request that is answered now
    const bool good = take_bytes();
    asks().submit();
    co_return good;
  }
  if (!keep_) co_return false;
  std::byte* const room = read_.prepare(read_room);
  auto reading = read_into({room, read_room});
  const auto n = co_await std::move(reading);
  if (!n) co_return false;
  if (*n == 0) co_return true;
  read_.commit(*n);
  const bool good = take_bytes();
  auto turn = end_turn();
  co_await std::move(turn);
  co_return good;
}

/// False: it does not keep to HTTP, and nothing more is read.
bool http_connection::take_bytes() {
  while (!under_way_ && keep_ && !read_.empty()) {
    begun_ = true;
    boost::system::error_code wrong;
    const std::size_t used = parser_->put(boost::asio::buffer(read_.bytes().data(), read_.size()), wrong);
    read_.consume(used);
    if (wrong == http::error::need_more) return true;
    if (wrong) {
      keep_ = false;
      watcher().bad_client(remote(), "it does not keep to HTTP/1.1: " + wrong.message());
      const bool large = wrong == http::error::header_limit || wrong == http::error::body_limit;
      answer(large ? 413 : 400, "text/plain", wrong.message() + "\n");
      return false;
    }
    if (!parser_->is_done()) {
      if (used == 0) return true;
      continue;
    }
    heard();
    keep_ = parser_->get().keep_alive();
    const parser::value_type request = parser_->release();
    expect_request();
    take(request);
  }
  more_ = under_way_ && !read_.empty();
  return true;
}

void http_connection::take(const parser::value_type& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = path.size() < target.size() ? target.substr(path.size() + 1) : std::string_view();
  const bool known =
      path == "/health" || path == "/livez" || path == "/readyz" || path == "/version" || path == "/metrics";
  if (!known)
    return answer(404, "text/plain", "there is nothing here but /health, /livez, /readyz, /version and /metrics\n");
  if (request.method() != http::verb::get) return answer(405, "text/plain", "only GET is answered here\n");
  if (path == "/version") return answer(200, "application/json", version_text());
  if (path == "/metrics") return ask_metrics(has_parameter(query, "compat=etcd"));
  if (path != "/health") return ask_health(asked::ready, path == "/livez");
  const bool but_space = has_parameter(query, "exclude=NOSPACE");
  ask_health(but_space ? asked::health_but_for_space : asked::health, has_parameter(query, "serializable=true"));
}

void http_connection::ask_health(asked how, bool serializable) {
  under_way_ = true;
  const wire::range_read any{.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true},
                             .serializable = serializable};
  asks().range(0, static_cast<std::uint32_t>(how), asks().limits({}), any, true);
}

void http_connection::ask_metrics(bool etcd_too) {
  if (reports_ == nullptr || asks().options().only_health)
    return answer(503, "text/plain", "this node has no metrics to give now\n");
  if (!asks().take_place(0)) return;
  under_way_ = true;
  const bool begun = reports_->report(asks().loop(), [this, etcd_too](const wire::metrics_reply& m) {
    asks().leave_place();
    under_way_ = false;
    const std::string more = etcd_too ? etcd_metrics_text(m) : std::string();
    if (!broken()) answer(200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(m) + more);
  });
  if (begun) return;
  asks().leave_place();
  under_way_ = false;
  answer(503, "text/plain", "too many ask at a time\n");
}

/// On either loop: whoever calls owns `out`.
void http_connection::write(wire::byte_buffer& out, unsigned status, std::string_view type, std::string_view body) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += reason_phrase(status);
  head += "\r\nContent-Type: ";
  head += type;
  head += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nX-Content-Type-Options: nosniff\r\n";
  if (status == 405) head += "Allow: GET\r\n";
  if (!keep_) head += "Connection: close\r\n";
  head += "\r\n";
  out.append(std::as_bytes(std::span(head)));
  out.append(std::as_bytes(std::span(body)));
}

void http_connection::answer(unsigned status, std::string_view type, std::string_view body) {
  const std::size_t before = out().size();
  write(out(), status, type, body);
  asks().holds(out().size() - before);
  wake_writer();
}

void http_connection::say_health(wire::byte_buffer& out, asked how, bool healthy, std::string_view reason) {
  if (healthy && how == asked::health && asks().node().the_group().is_full()) {
    healthy = false;
    reason = "ALARM NOSPACE";
  }
  const unsigned status = healthy ? 200 : 503;
  if (how == asked::ready) return write(out, status, "text/plain", healthy ? "ok" : std::string(reason) + "\n");
  const std::string body =
      std::string(R"({"health":")") + (healthy ? "true" : "false") + R"(","reason":")" + json_text(reason) + "\"}";
  write(out, status, "application/json", body);
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>&) {
  say_health(out, static_cast<asked>(to.slot), true, {});
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>&) {
  say_health(out, static_cast<asked>(to.slot), true, {});
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc,
                             std::string_view text, std::string_view) {
  say_health(out, static_cast<asked>(to.slot), false, text);
}

void http_connection::refuse(std::uint64_t, node::request_errc, std::string_view text) {
  under_way_ = false;
  answer(503, "text/plain", std::string(text) + "\n");
}

void http_connection::refuse(std::uint64_t, const kv::error& why) {
  under_way_ = false;
  answer(503, "text/plain", why.message() + "\n");
}

std::size_t http_connection::take_from(service& s) {
  under_way_ = false;
  return s.take(out());
}

std::string http_connection::complaint(coro::time_point now) {
  if (begun_ && !under_way_ && now - since_ >= asks().options().handshake_timeout)
    return "it does not go on with a request that it began";
  return connection::complaint(now);
}

} // namespace quorumd::clients
