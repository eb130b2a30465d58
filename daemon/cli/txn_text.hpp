#pragma once

#include "daemon/cli/error.hpp"
#include "daemon/kv/command.hpp"

#include <deque>
#include <string>
#include <string_view>

namespace quorumd::cli {

/// A transaction with the bytes that its views refer to.
struct parsed_txn {
  std::deque<std::string> bytes;
  kv::txn what;
};

/// Reads etcdctl's text form: lines of compares, an empty line, the operations of success, an empty line, those of
/// failure. Missing parts are empty.
///
///     mod("key") > "0"            also: version, create, value, lease; = != < >
///                                 (an empty line)
///     put key "a value"           get KEY [RANGE_END] [--prefix] [--limit N] [--rev R] [--keys-only] [--count-only]
///     del "another key" --prefix  del KEY [RANGE_END] [--prefix]
///
/// Quoted texts know \t \n \r \" \\ \xHH. The error names the line, from 1.
[[nodiscard]] result<parsed_txn> parse_txn(std::string_view text);

} // namespace quorumd::cli
