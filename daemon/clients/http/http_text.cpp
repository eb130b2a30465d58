#include "daemon/clients/http/http_text.hpp"

#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <span>

namespace quorumd::clients {

void write_text(wire::byte_buffer& out, std::string_view text) {
  out.append(std::as_bytes(std::span(text)));
}

void write_head(wire::byte_buffer& out, const response_head& h) {
  const auto phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(h.status));
  std::string head = "HTTP/1.1 " + std::to_string(h.status) + " ";
  head.append(phrase.data(), phrase.size());
  head += "\r\nContent-Type: ";
  head += h.type;
  if (h.length) head += "\r\nContent-Length: " + std::to_string(*h.length);
  if (h.chunked) head += "\r\nTransfer-Encoding: chunked";
  head += "\r\nX-Content-Type-Options: nosniff\r\n";
  if (h.status == 405) head += h.type == "application/json" ? "Allow: POST\r\n" : "Allow: GET\r\n";
  if (!h.keep) head += "Connection: close\r\n";
  head += h.more;
  head += "\r\n";
  write_text(out, head);
}

bool has_parameter(std::string_view query, std::string_view pair) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    if (query.substr(0, end) == pair) return true;
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return false;
}

std::optional<std::string_view> parameter_of(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) return pair.substr(name.size() + 1);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

} // namespace quorumd::clients
