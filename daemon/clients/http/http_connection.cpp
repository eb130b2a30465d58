#include "daemon/clients/http/http_connection.hpp"

#include "daemon/clients/http/etcd_metrics.hpp"
#include "daemon/clients/http/http_text.hpp"
#include "daemon/clients/http/prometheus.hpp"
#include "daemon/clients/web_rules.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::clients {
namespace {

namespace http = boost::beast::http;

constexpr std::size_t read_room = std::size_t{16} * 1024;
constexpr std::uint32_t header_bytes_max = 16 * 1024;
/// Of a request that is no call of etcd's API.
constexpr std::size_t body_bytes_max = std::size_t{64} * 1024;

/// As etcd answers.
std::string version_text(const emulated_etcd& as) {
  return std::string(R"({"etcdserver":")") + as.version + R"(","etcdcluster":")" + as.cluster_version + "\"}";
}

/// What may stand in a JSON string, of a text for people.
std::string json_text(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x20) out += c == '"' || c == '\\' ? '\'' : c;
  return out;
}

constexpr std::string_view corrupt_trouble = "ALARM CORRUPT";

/// A line a check, in etcd's form; what was not come to is left out.
std::string checks_text(bool live, std::string_view trouble) {
  const std::string_view read = live ? "serializable_read" : "linearizable_read";
  const auto passed = [](std::string_view check) { return "[+]" + std::string(check) + " ok\n"; };
  const auto failed = [&](std::string_view check) {
    return "[-]" + std::string(check) + " failed: " + std::string(trouble) + "\n";
  };
  if (trouble == corrupt_trouble) return failed("data_corruption");
  return (live ? std::string() : passed("data_corruption")) + (trouble.empty() ? passed(read) + "ok\n" : failed(read));
}

} // namespace

http_connection::http_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o,
                                 observer& watcher, const helpers& h, etcd::event_encoder& events,
                                 std::span<const std::byte> begun)
    : connection(p, std::move(s), o, watcher)
    , reports_(h.reports)
    , profiles_(h.profiles)
    , calls_(asks(), *this, events)
    , answered_(p.loop)
    , since_(since()) {
  asks().read_at(since());
  expect_request();
  read_.append(begun);
}

http_connection::~http_connection() {
  hold_text(0);
}

void http_connection::expect_request() {
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(header_bytes_max);
  parser_->body_limit(2 * etcd::message_bytes_max(asks().options())); // JSON takes more
  begun_ = false;
  routed_ = false;
  since_ = asks().loop().now();
}

coro::task<bool> http_connection::read_once() {
  // Who does not read its answers, or asks for more than there is room for, is not read either.
  if ((under_way_ && !lasts()) || !asks().may_ask()) {
    co_await answered_.wait();
    co_return true;
  }
  if (std::exchange(more_, false)) { // what came with the request that is answered now
    const bool good = take_bytes();
    asks().submit();
    co_return good;
  }
  if (!keep_ && !lasts()) co_return false;
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

/// False: nothing more is to be read.
bool http_connection::take_bytes() {
  if (socket_) return take_frames();
  while ((!under_way_ || takes_more()) && (keep_ || lasts()) && !read_.empty()) {
    begun_ = true;
    boost::system::error_code wrong;
    const std::size_t used = parser_->put(boost::asio::buffer(read_.bytes().data(), read_.size()), wrong);
    read_.consume(used);
    const bool large = wrong == http::error::header_limit || wrong == http::error::body_limit;
    if (wrong && wrong != http::error::need_more) return reject(large ? 413 : 400, wrong.message());
    if (parser_->is_header_done() && !std::exchange(routed_, true)) take_head();
    if (socket_) return take_frames();
    if (!take_parsed()) return false;
    if (used == 0 || wrong) break;
  }
  more_ = under_way_ && !lasts() && !read_.empty();
  if (read_.size() <= read_room) return true;
  watcher().bad_client(remote(), "it sends request after request behind one that goes on");
  break_off();
  return false;
}

/// What was parsed of the request. False: nothing more is to be read.
bool http_connection::take_parsed() {
  if (!routed_) return true;
  const bool whole = parser_->is_done();
  if (whole) {
    heard();
    keep_ = keep_ && parser_->keep_alive();
  }
  if (call_) {
    std::string& body = parser_->get().body();
    if ((whole || !body.empty()) && !feed_call(body, whole)) return false;
    if (whole) expect_request();
    return true;
  }
  if (parser_->get().body().size() > body_bytes_max) return reject(413, "body limit exceeded");
  if (!whole) return true;
  const parser::value_type request = parser_->release();
  expect_request();
  take(request);
  return true;
}

etcd::method http_connection::find_call(std::string_view path) {
  return etcd::known_to(*asks().options().etcd, etcd::find_json_method(path));
}

/// Its head is whole: whether it is a call of etcd's API.
void http_connection::take_head() {
  const auto& request = parser_->get();
  const std::string_view target(request.target().data(), request.target().size());
  const etcd::method what = find_call(target.substr(0, target.find('?')));
  take_web_rules();
  if (what != etcd::method::none && !asks().options().only_watched && !astray_ && !foreign_) {
    if (boost::beast::websocket::is_upgrade(request)) return begin_socket(what);
    if (request.method() == http::verb::post) begin_call(what);
  }
  if (request.version() < 11 || request[http::field::expect] != "100-continue") return;
  write_text(out(), "HTTP/1.1 100 Continue\r\n\r\n");
  recount();
  wake_writer();
}

/// What a web page may do that sends it, and whether it is meant for this node.
void http_connection::take_web_rules() {
  const auto& request = parser_->get();
  static const web_rules none;
  const web_rules& rules = asks().options().web ? *asks().options().web : none;
  const auto text_of = [&](http::field f) {
    const auto text = request[f];
    return std::string_view(text.data(), text.size());
  };
  cors_.clear();
  const std::string_view host = text_of(http::field::host);
  const std::string_view origin = text_of(http::field::origin);
  astray_ = !rules.is_called(host);
  foreign_ = !rules.may_call(origin, host);
  if (astray_ || !rules.reads(origin)) return;
  cors_ = "Access-Control-Allow-Origin: " + std::string(origin) +
          "\r\nAccess-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
          "Access-Control-Allow-Headers: accept, content-type, authorization\r\nVary: Origin\r\n";
}

/// It does not keep to HTTP.
bool http_connection::reject(unsigned status, std::string_view why) {
  keep_ = false;
  watcher().bad_client(remote(), "it does not keep to HTTP/1.1: " + std::string(why));
  if (call_)
    fail_call({etcd::grpc_code::invalid_argument, std::string(why)});
  else
    answer(status, "text/plain", std::string(why) + "\n");
  return false;
}

void http_connection::take(const parser::value_type& request) {
  const std::string_view target(request.target().data(), request.target().size());
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string_view query = path.size() < target.size() ? target.substr(path.size() + 1) : std::string_view();
  if (astray_) return answer(421, "text/plain", "the host that is asked for is none of http.host_whitelist\n");
  if (!cors_.empty() && request.method() == http::verb::options) return answer(200, "text/plain", {});
  const bool only_watched = asks().options().only_watched;
  if (foreign_ && etcd::is_json_path(path))
    return answer(403, "text/plain",
                  "pages of that origin may not call this: http.cors_origins names those that may\n");
  if (etcd::is_json_path(path) && !only_watched) {
    const bool known = find_call(path) != etcd::method::none;
    const etcd::grpc_status why = known ? etcd::grpc_status{etcd::grpc_code::unimplemented, "Method Not Allowed"}
                                        : etcd::grpc_status{etcd::grpc_code::not_found, "Not Found"};
    return answer(known ? 405 : 404, "application/json", etcd::json_error(why));
  }
  if (is_pprof_path(path)) return take_pprof(request.method() == http::verb::get, path, query);
  const bool known =
      path == "/health" || path == "/livez" || path == "/readyz" || path == "/version" || path == "/metrics";
  if (!known)
    return answer(404, "text/plain",
                  std::string("there is nothing here but ") + (only_watched ? "" : "/v3, ") +
                      "/health, /livez, /readyz, /version, /metrics and /debug/pprof\n");
  if (request.method() != http::verb::get) return answer(405, "text/plain", "only GET is answered here\n");
  if (path == "/version") return answer(200, "application/json", version_text(*asks().options().etcd));
  if (path == "/metrics") return ask_metrics(has_parameter(query, "compat=etcd"));
  if (path != "/health") {
    const bool live = path == "/livez";
    if (has_parameter(query, "verbose") || parameter_of(query, "verbose"))
      return ask_health(live ? asked::live_verbose : asked::ready_verbose, live);
    return ask_health(live ? asked::live : asked::ready, live);
  }
  const bool but_space = has_parameter(query, "exclude=NOSPACE");
  ask_health(but_space ? asked::health_but_for_space : asked::health, has_parameter(query, "serializable=true"));
}

void http_connection::ask_health(asked how, bool serializable) {
  under_way_ = true;
  const client::range_read any{.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true},
                               .serializable = serializable};
  asks().range(health_id, static_cast<std::uint32_t>(how), asks().limits({}), any, true);
}

void http_connection::ask_metrics(bool etcd_too) {
  if (reports_ == nullptr || asks().options().only_health)
    return answer(503, "text/plain", "this node has no metrics to give now\n");
  if (!asks().take_place(health_id)) return;
  under_way_ = true;
  const bool begun = reports_->report(asks().loop(), [this, etcd_too](const client::metrics_reply& m) {
    asks().leave_place();
    answered();
    if (broken()) return;
    const std::string more = etcd_too ? etcd_metrics_text(m, asks().options().etcd->version) : std::string();
    answer(200, "text/plain; version=0.0.4; charset=utf-8", prometheus_text(m) + process_metrics_text(m) + more);
  });
  if (begun) return;
  asks().leave_place();
  answered();
  answer(503, "text/plain", "too many ask at a time\n");
}

void http_connection::answer(unsigned status, std::string_view type, std::string_view body, std::string_view more) {
  const std::string lines = cors_ + std::string(more);
  write_head(out(), {.status = status, .type = type, .length = body.size(), .keep = keep_, .more = lines});
  write_text(out(), body);
  recount();
  wake_writer();
}

/// Another may be taken.
void http_connection::answered() {
  under_way_ = false;
  answered_.set();
}

void http_connection::say_health(asked how, std::string_view trouble) {
  const bool healthy = trouble.empty();
  const unsigned status = healthy ? 200 : 503;
  if (how == asked::live || how == asked::ready)
    return answer(status, "text/plain", healthy ? "ok" : std::string(trouble) + "\n");
  if (how == asked::live_verbose || how == asked::ready_verbose)
    return answer(status, "text/plain", checks_text(how == asked::live_verbose, trouble));
  std::string body = std::string(R"({"health":")") + (healthy ? "true" : "false") + '"';
  if (!asks().options().etcd->before_3_5) body += R"(,"reason":")" + json_text(trouble) + '"';
  answer(status, "application/json", body + '}');
}

/// On the group's loop: what say_health() is to say.
void http_connection::stage_health(wire::byte_buffer& out, const node::reply_to& to, std::string_view trouble) {
  node::group& g = asks().node().the_group();
  const auto how = static_cast<asked>(to.slot);
  if (!g.corrupt().empty()) trouble = corrupt_trouble;
  if (trouble.empty() && how == asked::health && g.is_full()) trouble = "ALARM NOSPACE";
  etcd::stage_message(out, etcd::staged_kind::answer, health_id, [&](wire::byte_buffer& b) {
    const auto first = static_cast<std::byte>(to.slot);
    b.append({&first, 1});
    write_text(b, trouble);
    return 1 + trouble.size();
  });
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (to.id == health_id) return stage_health(out, to, {});
  calls_.encode(out, to, r);
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) {
  calls_.encode(out, to, r);
}

void http_connection::encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why,
                             std::string_view text, std::string_view) {
  if (to.id == health_id) return stage_health(out, to, text);
  calls_.encode(out, to, why, text);
}

void http_connection::refuse(std::uint64_t id, node::request_errc why, std::string_view text) {
  if (id != health_id) return calls_.refuse(id, why, text);
  answered();
  answer(503, "text/plain", std::string(text) + "\n");
}

void http_connection::refuse(std::uint64_t id, const kv::error& why) {
  if (id != health_id) return calls_.refuse(id, why);
  answered();
  answer(503, "text/plain", why.message() + "\n");
}

std::size_t http_connection::take_from(service& s) {
  std::size_t bytes = 0;
  const std::size_t answers = calls_.take_from(s, bytes);
  answers_came(bytes);
  recount();
  close_ended();
  return answers;
}

void http_connection::stop_reading() {
  stopping_ = true;
  calls_.stop();
  connection::stop_reading();
}

/// What lasts has nobody any more who hears it, unless this end stops.
void http_connection::reading_ended() {
  const bool nobody_hears = lasts() && !stopping_;
  if (profiling_) profiles_->cancel(this);
  if (nobody_hears) break_off();
  calls_.close_streams();
}

void http_connection::sent(std::size_t bytes) {
  answers_left(bytes);
  left_ += bytes;
  for (; !parts_.empty() && parts_.front().end <= left_; parts_.pop_front())
    calls_.left(parts_.front().id, parts_.front().message_bytes);
}

void http_connection::recount() {
  answers_hold(out().size() + calls_.page_bytes());
}

void http_connection::drop_replies() {
  calls_.drop();
  parts_.clear();
  left_ += out().size();
  out().clear();
  recount();
}

std::string http_connection::complaint(coro::time_point now) {
  calls_.look(now);
  const bool late = now - since_ >= asks().options().handshake_timeout;
  const bool waits = lasts() ? takes_more() && call_->json.bytes() != 0 : begun_ && !under_way_;
  if (late && waits) return "it does not go on with a request that it began";
  return connection::complaint(now);
}

} // namespace quorumd::clients
