#include "daemon/cli/json.hpp"

#include "daemon/cli/text.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace quorumd::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view replacement = "\xef\xbf\xbd";

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

/// Takes what Boost's parser finds, as far as an object of two strings wants it; false with a reason stops the parser.
class pair_handler {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  bool on_document_begin(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& ec) {
    if (inside_) return fail(ec, not_text);
    inside_ = true;
    return true;
  }
  bool on_object_end(std::size_t, json::error_code& ec) {
    if (!key_) return fail(ec, "the member \"key\" is missing");
    if (!value_) return fail(ec, "the member \"value\" is missing");
    return true;
  }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code& ec) { return fail(ec, not_text); }
  bool on_array_end(std::size_t, json::error_code& ec) { return fail(ec, not_text); }
  bool on_key_part(json::string_view s, std::size_t, json::error_code&) {
    name_.append(s.data(), s.size());
    return true;
  }
  bool on_key(json::string_view s, std::size_t, json::error_code& ec) {
    name_.append(s.data(), s.size());
    return choose(ec);
  }
  bool on_string_part(json::string_view s, std::size_t, json::error_code& ec) {
    if (!inside_) return fail(ec, not_text);
    text_.append(s.data(), s.size());
    return true;
  }
  bool on_string(json::string_view s, std::size_t n, json::error_code& ec) {
    if (!on_string_part(s, n, ec)) return false;
    if (base64_) {
      auto bytes = decode_base64(text_);
      if (!bytes) return fail(ec, "this is not base64");
      text_ = std::move(*bytes);
    }
    *slot_ = std::exchange(text_, {});
    return true;
  }
  bool on_number_part(json::string_view, json::error_code& ec) { return fail(ec, not_text); }
  bool on_int64(std::int64_t, json::string_view, json::error_code& ec) { return fail(ec, not_text); }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code& ec) { return fail(ec, not_text); }
  bool on_double(double, json::string_view, json::error_code& ec) { return fail(ec, not_text); }
  bool on_bool(bool, json::error_code& ec) { return fail(ec, not_text); }
  bool on_null(json::error_code& ec) { return fail(ec, not_text); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  /// Why it stopped the parser; empty if it did not.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] bool inside() const { return inside_; }
  [[nodiscard]] json_pair take() { return {std::move(*key_), std::move(*value_)}; }

 private:
  static constexpr const char* not_text = "expected an object of two strings: {\"key\": …, \"value\": …}";

  bool fail(json::error_code& ec, std::string reason) {
    reason_ = std::move(reason);
    ec = json::error::test_failure; // any: the reason is what counts
    return false;
  }

  bool choose(json::error_code& ec) {
    constexpr std::string_view suffix = "_base64";
    std::string name = std::exchange(name_, {});
    base64_ = name.ends_with(suffix);
    if (base64_) name.resize(name.size() - suffix.size());
    if (name != "key" && name != "value")
      return fail(ec, "the member " + shown(name) + " is not known: expected key, value, key_base64 or value_base64");
    slot_ = name == "key" ? &key_ : &value_;
    return !*slot_ || fail(ec, "the " + name + " is given twice");
  }

  bool inside_ = false;
  bool base64_ = false;
  std::string name_;
  std::string text_;
  std::string reason_;
  std::optional<std::string> key_;
  std::optional<std::string> value_;
  std::optional<std::string>* slot_ = nullptr;
};

void append_string(std::string& out, std::string_view text) {
  out += json::serialize(json::string_view(text.data(), text.size()));
}

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
  append_string(out_, name);
  out_ += ':';
  after_key_ = true;
  return *this;
}

json_writer& json_writer::text(std::string_view value) {
  before_value();
  append_string(out_, is_utf8(value) ? std::string(value) : repaired(value));
  return *this;
}

json_writer& json_writer::number(std::uint64_t value) {
  before_value();
  out_ += json::serialize(json::value(value));
  return *this;
}

json_writer& json_writer::number(double value, int decimals) {
  if (!std::isfinite(value)) return null();
  before_value();
  // Boost.JSON writes 1.5E0, which a person does not like to read.
  std::array<char, 400> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, decimals);
  out_.append(digits.data(), end.ptr);
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
  if (is_utf8(value)) {
    key(name).before_value();
    append_string(out_, value);
    return *this;
  }
  key(std::string(name) + "_base64").before_value();
  out_ += '"';
  append_base64(out_, value);
  out_ += '"';
  return *this;
}

result<json_pair> parse_json_pair(std::string_view line) {
  json::basic_parser<pair_handler> parser{json::parse_options{}};
  json::error_code ec;
  constexpr bool more_follows = false;
  const std::size_t taken = parser.write_some(more_follows, line.data(), line.size(), ec);
  const auto wrong = [&](const std::string& what) {
    return usage("column " + std::to_string(taken + 1) + ": " + what);
  };
  if (!parser.handler().reason().empty()) return wrong(parser.handler().reason());
  if (ec && !is_utf8(line)) return wrong("this is not UTF-8: use the member's _base64 form");
  if (ec && !parser.handler().inside()) return wrong("expected an object: {\"key\": …, \"value\": …}");
  if (ec) return wrong("this is not JSON: " + ec.message());
  if (taken != line.size()) return wrong("nothing may follow the object");
  return parser.handler().take();
}

} // namespace quorumd::cli
