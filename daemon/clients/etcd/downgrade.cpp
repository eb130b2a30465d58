#include "daemon/clients/etcd/downgrade.hpp"

#include "rpc.pb.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>

namespace quorumd::clients::etcd {
namespace {

using etcdserverpb::DowngradeRequest;

/// Takes what stands behind the mark off; false: it is no identifier.
bool take_identifier(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return true;
  const std::string_view id = text.substr(at + 1);
  text = text.substr(0, at);
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  });
}

bool is_version_number(std::string_view text) {
  std::int64_t n = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), n);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

bool is_in_three_parts(std::string_view text) {
  if (!take_identifier(text, '+') || !take_identifier(text, '-')) return false;
  for (int part = 0; part < 2; ++part) {
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || !is_version_number(text.substr(0, dot))) return false;
    text.remove_prefix(dot + 1);
  }
  return is_version_number(text);
}

} // namespace

bool is_version(std::string_view text) {
  return is_in_three_parts(text) || is_in_three_parts(std::string(text) + ".0");
}

grpc_status downgrade_refusal(int action, std::string_view version) {
  switch (action) {
  case DowngradeRequest::VALIDATE:
  case DowngradeRequest::ENABLE:
    if (!is_version(version)) return {grpc_code::invalid_argument, "etcdserver: wrong downgrade target version format"};
    return {grpc_code::invalid_argument, "etcdserver: invalid downgrade target version"};
  case DowngradeRequest::CANCEL:
    return {grpc_code::failed_precondition, "etcdserver: no inflight downgrade job"};
  default:
    return {grpc_code::unknown, "etcdserver: unknown method"};
  }
}

} // namespace quorumd::clients::etcd
