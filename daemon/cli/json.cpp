#include "daemon/cli/json.hpp"

#include "daemon/cli/text.hpp"

#include <cmath>
#include <cstdio>
#include <optional>

namespace quorumd::cli {
namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

/// A copy in which each byte that is not of a UTF-8 character is replaced.
std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t n = 1;
    while (n <= 4 && n <= text.size() && !is_utf8(text.substr(0, n))) ++n;
    const bool good = n <= 4 && n <= text.size();
    out.append(good ? text.substr(0, n) : replacement);
    text.remove_prefix(good ? n : 1);
  }
  return out;
}

/// Reads one line of JSON, as far as two string members need it.
class pair_reader {
 public:
  explicit pair_reader(std::string_view line)
      : line_(line) {}

  result<json_pair> read() {
    if (!take('{')) return wrong("expected an object: {\"key\": …, \"value\": …}");
    do {
      auto name = read_string();
      if (name.has_error()) return name.error();
      if (!take(':')) return wrong("expected a colon");
      auto text = read_string();
      if (text.has_error()) return text.error();
      if (auto stored = store(*name, std::move(*text)); stored.has_error()) return stored.error();
    } while (take(','));
    if (!take('}')) return wrong("expected a comma or a closing brace");
    skip_space();
    if (at_ != line_.size()) return wrong("nothing may follow the object");
    if (!key_) return wrong("the member \"key\" is missing");
    if (!value_) return wrong("the member \"value\" is missing");
    return json_pair{std::move(*key_), std::move(*value_)};
  }

 private:
  error wrong(const std::string& what) const { return usage("column " + std::to_string(at_ + 1) + ": " + what); }

  void skip_space() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r')) ++at_;
  }

  bool take(char c) {
    skip_space();
    if (at_ == line_.size() || line_[at_] != c) return false;
    ++at_;
    return true;
  }

  result<void> store(std::string_view name, std::string text) {
    constexpr std::string_view suffix = "_base64";
    if (name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
      auto bytes = decode_base64(text);
      if (!bytes) return wrong("this is not base64");
      text = std::move(*bytes);
    }
    if (name != "key" && name != "value")
      return wrong("the member " + shown(name) + " is not known: expected key, value, key_base64 or value_base64");
    auto& slot = name == "key" ? key_ : value_;
    if (slot) return wrong("the " + std::string(name) + " is given twice");
    slot = std::move(text);
    return {};
  }

  std::optional<std::uint32_t> read_unit() {
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < line_.size() ? line_[at_] : '\0';
      std::uint32_t digit = 0;
      if (c >= '0' && c <= '9')
        digit = static_cast<std::uint32_t>(c - '0');
      else if (c >= 'a' && c <= 'f')
        digit = static_cast<std::uint32_t>(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F')
        digit = static_cast<std::uint32_t>(c - 'A' + 10);
      else
        return std::nullopt;
      unit = unit * 16 + digit;
    }
    return unit;
  }

  /// The rest of \uXXXX, and its second half if it is one of a pair.
  result<void> read_unicode(std::string& out) {
    auto c = read_unit();
    if (!c) return wrong("\\u is followed by four hexadecimal digits");
    if (*c >= 0xd800 && *c < 0xdc00) {
      const bool pair = line_.substr(at_).starts_with("\\u");
      if (pair) at_ += 2;
      const auto low = pair ? read_unit() : std::nullopt;
      if (!low || *low < 0xdc00 || *low > 0xdfff) return wrong("half of a surrogate pair");
      c = 0x10000 + ((*c - 0xd800) << 10) + (*low - 0xdc00);
    } else if (*c >= 0xdc00 && *c <= 0xdfff) {
      return wrong("half of a surrogate pair");
    }
    append_utf8(out, *c);
    return {};
  }

  result<std::string> read_string() {
    if (!take('"')) return wrong("expected a string");
    std::string out;
    while (at_ < line_.size() && line_[at_] != '"') {
      const char c = line_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return wrong("a control character inside a string");
      ++at_;
      if (c != '\\') {
        out += c;
        continue;
      }
      constexpr std::string_view names = "\"\\/bfnrt";
      constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
      const char kind = at_ < line_.size() ? line_[at_] : '\0';
      const std::size_t which = kind == '\0' ? std::string_view::npos : names.find(kind);
      if (which == std::string_view::npos && kind != 'u') return wrong("not an escape of JSON");
      ++at_;
      if (kind == 'u') {
        if (auto read = read_unicode(out); read.has_error()) return read.error();
      } else {
        out += meanings[which];
      }
    }
    if (at_ == line_.size()) return wrong("the string has no end");
    ++at_;
    if (!is_utf8(out)) return wrong("the string is not UTF-8: use the member's _base64 form");
    return out;
  }

  std::string_view line_;
  std::size_t at_ = 0;
  std::optional<std::string> key_;
  std::optional<std::string> value_;
};

} // namespace

void json_writer::before_value() {
  if (comma_ && !after_key_) out_ += ',';
  comma_ = true;
  after_key_ = false;
}

json_writer& json_writer::begin_object() {
  before_value();
  out_ += '{';
  comma_ = false;
  return *this;
}

json_writer& json_writer::end_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

json_writer& json_writer::begin_array() {
  before_value();
  out_ += '[';
  comma_ = false;
  return *this;
}

json_writer& json_writer::end_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  before_value();
  append_json_string(out_, name);
  out_ += ':';
  after_key_ = true;
  return *this;
}

json_writer& json_writer::text(std::string_view value) {
  before_value();
  if (is_utf8(value))
    append_json_string(out_, value);
  else
    append_json_string(out_, repaired(value));
  return *this;
}

json_writer& json_writer::number(std::uint64_t value) {
  before_value();
  out_ += std::to_string(value);
  return *this;
}

json_writer& json_writer::number(double value, int decimals) {
  if (!std::isfinite(value)) return null();
  before_value();
  char digits[400];
  std::snprintf(digits, sizeof digits, "%.*f", decimals, value);
  out_ += digits;
  return *this;
}

json_writer& json_writer::boolean(bool value) {
  before_value();
  out_ += value ? "true" : "false";
  return *this;
}

json_writer& json_writer::null() {
  before_value();
  out_ += "null";
  return *this;
}

json_writer& json_writer::bytes(std::string_view name, std::string_view value) {
  if (is_utf8(value)) return key(name).text(value);
  key(std::string(name) + "_base64");
  before_value();
  out_ += '"';
  append_base64(out_, value);
  out_ += '"';
  return *this;
}

result<json_pair> parse_json_pair(std::string_view line) {
  return pair_reader(line).read();
}

} // namespace quorumd::cli
