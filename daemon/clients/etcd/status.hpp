#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "wire/request_error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// How a call ends, by gRPC's numbers.
enum class grpc_code : std::uint32_t {
  ok = 0,
  canceled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

struct grpc_status {
  grpc_code code = grpc_code::ok;
  std::string text;
};

/// As etcd says it: its clients compare these texts. What etcd knows no error for has a text of quorumd's own.
[[nodiscard]] grpc_status status_of(const kv::error& e);
[[nodiscard]] grpc_status status_of(wire::request_errc why, std::string_view text);

/// Of a range whose answer would take more than `most` bytes.
[[nodiscard]] grpc_status range_too_large(std::size_t most = kv::reply_bytes_max);

/// Of a lease with more keys, or more leases, than one answer holds.
[[nodiscard]] grpc_status lease_too_large();

/// As it travels in grpc-message: what is not printable ASCII, and the percent sign, as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);

} // namespace quorumd::clients::etcd
