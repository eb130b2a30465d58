#include "daemon/clients/etcd/json_enumerators.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quorumd::clients::etcd {
namespace {

namespace gp = google::protobuf;
namespace json = boost::json;

/// At least as deep as protobuf reads.
constexpr std::size_t json_depth_max = 128;

const gp::FieldDescriptor* field_of(const gp::Descriptor& message, std::string_view key) {
  for (int i = 0; i < message.field_count(); ++i) {
    const gp::FieldDescriptor* const f = message.field(i);
    if (f->name() == key || f->json_name() == key) return f;
  }
  return nullptr;
}

/// As protobuf has it: also in small letters, and as a number in quotes.
bool is_name_in(const gp::EnumDescriptor& all, std::string name) {
  if (all.FindValueByName(name) != nullptr) return true;
  std::int32_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec == std::errc() && read.ptr == name.data() + name.size()) return true;
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return all.FindValueByName(name) != nullptr;
}

/// Within its package the outer message's name and its own are one.
std::string gos_name_of(const gp::EnumDescriptor& e) {
  const std::size_t package = e.file()->package().size() + 1;
  std::string name = e.full_name();
  std::replace(name.begin() + static_cast<std::ptrdiff_t>(package), name.end(), '.', '_');
  return name;
}

/// Boost.JSON's handler: goes through the text with the messages at hand, and makes nothing of it.
class enumerator_finder {
 public:
  explicit enumerator_finder(const gp::Descriptor& outermost)
      : outermost_(outermost) {}
  [[nodiscard]] const std::string& unknown() const { return unknown_; }

  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;
  using failure = boost::system::error_code;

  bool on_object_begin(failure&) {
    const gp::FieldDescriptor* const f = field();
    levels_.push_back({levels_.empty() ? &outermost_ : f != nullptr ? f->message_type() : nullptr, nullptr});
    return true;
  }
  bool on_object_end(std::size_t, failure&) {
    levels_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, failure&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, failure&) {
    text_.append(part.data(), part.size());
    const gp::Descriptor* const message = levels_.back().message;
    levels_.back().field = message != nullptr ? field_of(*message, text_) : nullptr;
    text_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, failure&) {
    if (is_enumerated()) text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(json::string_view part, std::size_t, failure&) {
    if (!is_enumerated()) return true;
    text_.append(part.data(), part.size());
    const gp::EnumDescriptor& e = *field()->enum_type();
    if (unknown_.empty() && !is_name_in(e, text_))
      unknown_ = "unknown value \"" + text_ + "\" for enum " + gos_name_of(e);
    text_.clear();
    return true;
  }
  bool on_document_begin(failure&) { return true; }
  bool on_document_end(failure&) { return true; }
  bool on_array_begin(failure&) { return true; }
  bool on_array_end(std::size_t, failure&) { return true; }
  bool on_number_part(json::string_view, failure&) { return true; }
  bool on_int64(std::int64_t, json::string_view, failure&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, failure&) { return true; }
  bool on_double(double, json::string_view, failure&) { return true; }
  bool on_bool(bool, failure&) { return true; }
  bool on_null(failure&) { return true; }
  bool on_comment_part(json::string_view, failure&) { return true; }
  bool on_comment(json::string_view, failure&) { return true; }

 private:
  struct level {
    const gp::Descriptor* message;    ///< none: nothing of it is known
    const gp::FieldDescriptor* field; ///< whose value is read, or one of its values
  };
  [[nodiscard]] const gp::FieldDescriptor* field() const { return levels_.empty() ? nullptr : levels_.back().field; }
  [[nodiscard]] bool is_enumerated() const { return field() != nullptr && field()->enum_type() != nullptr; }

  const gp::Descriptor& outermost_;
  std::vector<level> levels_;
  std::string text_;
  std::string unknown_;
};

} // namespace

std::string unknown_enumerator(std::string_view message, std::string_view object) {
  const gp::Descriptor* const type = gp::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(message));
  if (type == nullptr) return {};
  json::parse_options how;
  how.max_depth = json_depth_max;
  json::basic_parser<enumerator_finder> parser(how, *type);
  boost::system::error_code none; // it is JSON to protobuf: what is not to this one is nobody's concern
  parser.write_some(false, object.data(), object.size(), none);
  return parser.handler().unknown();
}

} // namespace quorumd::clients::etcd
