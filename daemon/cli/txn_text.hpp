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
///     put key "a value"           put KEY VALUE [--prev-kv]
///     get key                     get KEY [RANGE_END] [--prefix] [--limit N] [--rev R] [--keys-only] [--count-only]
///     del 'another key' --prefix  del KEY [RANGE_END] [--prefix] [--prev-kv]
///
/// Texts in double quotes know \t \n \r \" \\ \xHH; in single quotes everything stands for itself. The error names line
/// and column, from 1.
[[nodiscard]] result<parsed_txn> parse_txn(std::string_view text);

} // namespace quorumd::cli
