#include "daemon/cli/kv_output.hpp"

#include "daemon/cli/text.hpp"

namespace quorumd::cli {

void append_spelled(std::string& out, spelling how, std::string_view bytes) {
  if (how == spelling::hex)
    for (const char c : bytes) append_hex_escape(out, static_cast<std::uint8_t>(c));
  else
    append_escaped(out, bytes);
}

void append_single_value(std::string& out, spelling how, std::string_view value) {
  if (how == spelling::hex) {
    append_spelled(out, how, value);
    out += '\n';
    return;
  }
  out += value;
  if (is_utf8(value) && value.find('\0') == std::string_view::npos && !value.ends_with('\n')) out += '\n';
}

void append_line(std::string& out, spelling how, shown_part part, const kv::key_value_view& v) {
  if (part != shown_part::value) append_spelled(out, how, v.key);
  if (part == shown_part::both) out += '\t';
  if (part != shown_part::key) append_spelled(out, how, v.value);
  out += '\n';
}

void append_json(json_writer& w, shown_part part, const kv::key_value_view& v) {
  w.begin_object();
  if (part != shown_part::value) w.bytes("key", v.key);
  if (part != shown_part::key) w.bytes("value", v.value);
  w.key("create_revision").number(v.create_revision.value()).key("mod_revision").number(v.mod_revision.value());
  w.key("version").number(v.version).end_object();
}

} // namespace quorumd::cli
