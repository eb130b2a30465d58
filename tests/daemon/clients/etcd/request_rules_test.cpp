#include "daemon/clients/etcd/request_rules.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <utility>
#include <vector>

using quorumd::clients::etcd::request_rules;

namespace {

using header_list = std::vector<std::pair<std::string_view, std::string_view>>;

/// Whether a request of those headers, with a body of so many bytes, keeps to them.
bool keeps(const header_list& headers, std::size_t body = 0) {
  request_rules r;
  for (const auto& [name, value] : headers)
    if (!r.header(name, value)) return false;
  return r.headers_ended() && (body == 0 || (r.data(body / 2) && r.data(body - body / 2))) && r.ended();
}

header_list with_more(const header_list& more) {
  header_list all{{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

} // namespace

TEST_CASE("request rules: what keeps to HTTP/2, and what does not") {
  CHECK(keeps(with_more({})));
  CHECK(keeps(with_more({{":authority", "#initially=[http://a:1]"}, {"te", "trailers"}, {"x-y_z", ""}}), 10));
  CHECK(keeps(with_more({{"content-length", "10"}}), 10));
  CHECK(keeps(with_more({{"content-length", "0"}})));
  CHECK_FALSE(keeps(with_more({{"content-length", "10"}}), 11));
  CHECK_FALSE(keeps(with_more({{"content-length", "10"}}), 9));
  for (const std::string_view length : {"", "-1", "1x", " 1", "99999999999999999999999"})
    CHECK_FALSE(keeps(with_more({{"content-length", length}}), 1));
  CHECK_FALSE(keeps(with_more({{"content-length", "1"}, {"content-length", "1"}}), 1));

  CHECK_FALSE(keeps({{":method", "POST"}, {":scheme", "http"}}));
  CHECK_FALSE(keeps({{":method", "POST"}, {":path", "/"}}));
  CHECK_FALSE(keeps({{":scheme", "http"}, {":path", "/"}}));
  CHECK_FALSE(keeps(with_more({{":path", "/twice"}})));
  CHECK_FALSE(keeps(with_more({{"x", "y"}, {":authority", "late"}})));
  CHECK_FALSE(keeps(with_more({{":protocol", "websocket"}})));
  for (const std::string_view name : {"Upper", "", "a b", "a:b", "connection", "transfer-encoding", "upgrade"})
    CHECK_FALSE(keeps(with_more({{name, "x"}})));
  for (const std::string_view value : {std::string_view("a\0b", 3), std::string_view("a\r\nb")})
    CHECK_FALSE(keeps(with_more({{"x", value}})));
}
