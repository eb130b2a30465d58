#include "daemon/clients/etcd/json_enumerators.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

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

std::string unknown_in(const gp::Descriptor& message, const json::value& v);

std::string unknown_in(const gp::FieldDescriptor& field, const json::value& v) {
  if (v.is_array()) {
    for (const json::value& one : v.get_array())
      if (std::string why = unknown_in(field, one); !why.empty()) return why;
    return {};
  }
  if (const gp::Descriptor* const message = field.message_type()) return unknown_in(*message, v);
  const gp::EnumDescriptor* const e = field.enum_type();
  if (e == nullptr || !v.is_string()) return {};
  const std::string name(v.get_string().data(), v.get_string().size());
  if (is_name_in(*e, name)) return {};
  return "unknown value \"" + name + "\" for enum " + gos_name_of(*e);
}

std::string unknown_in(const gp::Descriptor& message, const json::value& v) {
  if (!v.is_object()) return {};
  for (const auto& [key, value] : v.get_object())
    if (const gp::FieldDescriptor* const field = field_of(message, {key.data(), key.size()}))
      if (std::string why = unknown_in(*field, value); !why.empty()) return why;
  return {};
}

} // namespace

std::string unknown_enumerator(std::string_view message, std::string_view object) {
  const gp::Descriptor* const type =
      gp::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(message));
  if (type == nullptr) return {};
  json::parse_options how;
  how.max_depth = json_depth_max;
  boost::system::error_code none;
  const json::value read = json::parse({object.data(), object.size()}, none, {}, how);
  return none ? std::string() : unknown_in(*type, read);
}

} // namespace quorumd::clients::etcd
