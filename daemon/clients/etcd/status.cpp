#include "daemon/clients/etcd/status.hpp"

#include "daemon/clients/etcd/call_counts.hpp"

#include <array>

namespace quorumd::clients::etcd {
namespace {

grpc_status says(grpc_code code, std::string_view text) {
  return {code, "etcdserver: " + std::string(text)};
}

} // namespace

grpc_status status_of(const kv::error& e) {
  switch (e.code()) {
  case kv::errc::compacted:
    return says(grpc_code::out_of_range, "mvcc: required revision has been compacted");
  case kv::errc::future_revision:
    return says(grpc_code::out_of_range, "mvcc: required revision is a future revision");
  case kv::errc::key_not_provided:
    return says(grpc_code::invalid_argument, "key is not provided");
  case kv::errc::key_not_found:
    return says(grpc_code::invalid_argument, "key not found");
  case kv::errc::value_provided:
    return says(grpc_code::invalid_argument, "value is provided");
  case kv::errc::lease_provided:
    return says(grpc_code::invalid_argument, "lease is provided");
  case kv::errc::lease_not_found:
    return says(grpc_code::not_found, "requested lease not found");
  case kv::errc::lease_exists:
    return says(grpc_code::failed_precondition, "lease already exists");
  case kv::errc::ttl_too_large:
    return says(grpc_code::out_of_range, "too large lease TTL");
  case kv::errc::too_many_operations:
    return says(grpc_code::invalid_argument, "too many operations in txn request");
  case kv::errc::duplicate_key:
    return says(grpc_code::invalid_argument, "duplicate key given in txn request");
  case kv::errc::request_too_large:
    return says(grpc_code::invalid_argument, "request is too large");
  case kv::errc::invalid_option:
    return says(grpc_code::invalid_argument, "invalid sort option");
  case kv::errc::reply_too_large:
  case kv::errc::too_many_visits:
  case kv::errc::too_many_leases:
    return says(grpc_code::resource_exhausted, e.message());
  default:
    return says(grpc_code::internal, e.message());
  }
}

grpc_status status_of(wire::request_errc why, std::string_view text) {
  using wire::request_errc;
  switch (why) {
  case request_errc::not_leader:
  case request_errc::not_applied:
    return says(grpc_code::unavailable, "leader changed");
  case request_errc::overloaded:
    return says(grpc_code::unknown, "too many requests");
  case request_errc::unknown:
    return says(grpc_code::unavailable, "request timed out, possibly due to previous leader failure");
  case request_errc::timeout:
  case request_errc::no_quorum:
    return says(grpc_code::unavailable, "request timed out");
  case request_errc::no_space:
    return says(grpc_code::resource_exhausted, "mvcc: database space exceeded");
  case request_errc::denied:
    return says(grpc_code::permission_denied, "permission denied");
  case request_errc::too_large:
    return says(grpc_code::invalid_argument, "request is too large");
  case request_errc::shutting_down:
    return says(grpc_code::unavailable, "server stopped");
  case request_errc::invalid:
    return says(grpc_code::invalid_argument, text);
  case request_errc::refused:
    return says(grpc_code::failed_precondition, text);
  case request_errc::corrupt:
    return says(grpc_code::data_loss, "corrupt cluster");
  default:
    return says(grpc_code::internal, text);
  }
}

grpc_status range_too_large(std::size_t most) {
  return says(grpc_code::resource_exhausted,
              "the range takes more than " + std::to_string(most / 1024) +
                  " KiB, which one answer holds: ask for a part at a time, with limit and the key behind the last one");
}

grpc_status lease_too_large() {
  return {grpc_code::resource_exhausted, "etcdserver: there are more keys or leases than fit into an answer"};
}

const char* code_name(std::size_t code) {
  static constexpr std::array<const char*, call_counts::codes> names{
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  return code < names.size() ? names[code] : "Unknown";
}

std::string percent_encoded(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      out += c;
      continue;
    }
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

} // namespace quorumd::clients::etcd
