#pragma once

#include "daemon/cli/json.hpp"
#include "daemon/kv/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::cli {

/// How keys and values stand in a line.
enum class spelling : std::uint8_t {
  escaped, ///< \t \n \\ \xHH where they must be
  hex,     ///< every byte as \xHH, as etcdctl's --hex
};

enum class shown_part : std::uint8_t { both, key, value };

void append_spelled(std::string& out, spelling how, std::string_view bytes);

/// A single value: byte for byte, but a text that does not end its line is given an end.
void append_single_value(std::string& out, spelling how, std::string_view value);

/// key<TAB>value with a line end, or one of the two.
void append_line(std::string& out, spelling how, shown_part part, const kv::key_value_view& v);

/// An object with key, value, create_revision, mod_revision and version.
void append_json(json_writer& w, shown_part part, const kv::key_value_view& v);

} // namespace quorumd::cli
