#include "daemon/clients/etcd/json.hpp"

#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/json_enumerators.hpp"

#include <boost/beast/http/status.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <array>
#include <memory>

namespace quorumd::clients::etcd {
namespace {

namespace pbu = google::protobuf::util;

constexpr const char* types = "type.googleapis.com";

struct path_in_json {
  std::string_view path; ///< behind the prefix
  method what;
};

constexpr std::array json_paths{
    path_in_json{"kv/range", method::range},
    path_in_json{"kv/put", method::put},
    path_in_json{"kv/deleterange", method::delete_range},
    path_in_json{"kv/txn", method::txn},
    path_in_json{"kv/compaction", method::compact},
    path_in_json{"watch", method::watch},
    path_in_json{"lease/grant", method::lease_grant},
    path_in_json{"lease/revoke", method::lease_revoke},
    path_in_json{"kv/lease/revoke", method::lease_revoke},
    path_in_json{"lease/keepalive", method::lease_keep_alive},
    path_in_json{"lease/timetolive", method::lease_time_to_live},
    path_in_json{"kv/lease/timetolive", method::lease_time_to_live},
    path_in_json{"lease/leases", method::lease_leases},
    path_in_json{"kv/lease/leases", method::lease_leases},
    path_in_json{"cluster/member/list", method::member_list},
    path_in_json{"cluster/member/add", method::member_add},
    path_in_json{"cluster/member/remove", method::member_remove},
    path_in_json{"cluster/member/update", method::member_update},
    path_in_json{"cluster/member/promote", method::member_promote},
    path_in_json{"maintenance/alarm", method::alarm},
    path_in_json{"maintenance/status", method::status},
    path_in_json{"maintenance/defragment", method::defragment},
    path_in_json{"maintenance/hash", method::hash},
    path_in_json{"maintenance/hashkv", method::hash_kv},
    path_in_json{"maintenance/snapshot", method::snapshot},
    path_in_json{"maintenance/transfer-leadership", method::move_leader},
    path_in_json{"maintenance/downgrade", method::downgrade},
    path_in_json{"lock/lock", method::lock},
    path_in_json{"lock/unlock", method::unlock},
    path_in_json{"election/campaign", method::campaign},
    path_in_json{"election/proclaim", method::proclaim},
    path_in_json{"election/leader", method::leader},
    path_in_json{"election/observe", method::observe},
    path_in_json{"election/resign", method::resign},
    path_in_json{"auth/status", method::auth_status},
    path_in_json{"auth/authenticate", method::auth_off},
    path_in_json{"auth/disable", method::auth_disable},
    path_in_json{"auth/enable", method::auth_absent},
    path_in_json{"auth/user/add", method::auth_absent},
    path_in_json{"auth/user/get", method::auth_absent},
    path_in_json{"auth/user/list", method::auth_absent},
    path_in_json{"auth/user/delete", method::auth_absent},
    path_in_json{"auth/user/changepw", method::auth_absent},
    path_in_json{"auth/user/grant", method::auth_absent},
    path_in_json{"auth/user/revoke", method::auth_absent},
    path_in_json{"auth/role/add", method::auth_absent},
    path_in_json{"auth/role/get", method::auth_absent},
    path_in_json{"auth/role/list", method::auth_absent},
    path_in_json{"auth/role/delete", method::auth_absent},
    path_in_json{"auth/role/grant", method::auth_absent},
    path_in_json{"auth/role/revoke", method::auth_absent},
};

/// What is behind the version; nothing: it is none of the gateway's.
std::optional<std::string_view> below_version(std::string_view path) {
  for (const std::string_view version : {"/v3/", "/v3beta/", "/v3alpha/"})
    if (path.starts_with(version)) return path.substr(version.size());
  return std::nullopt;
}

pbu::TypeResolver& resolver() {
  static const std::unique_ptr<pbu::TypeResolver> all(
      pbu::NewTypeResolverForDescriptorPool(types, google::protobuf::DescriptorPool::generated_pool()));
  return *all;
}

std::string type_url(std::string_view message) {
  return std::string(types) + "/" + std::string(message);
}

/// In a JSON string.
std::string json_string(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

} // namespace

method find_json_method(std::string_view path) {
  const auto rest = below_version(path);
  if (!rest) return method::none;
  const auto found =
      std::find_if(json_paths.begin(), json_paths.end(), [&](const path_in_json& p) { return p.path == *rest; });
  return found != json_paths.end() ? found->what : method::none;
}

bool is_json_path(std::string_view path) {
  return below_version(path).has_value();
}

unsigned http_status_of(grpc_code code) {
  switch (code) {
  case grpc_code::ok:
    return 200;
  case grpc_code::canceled:
    return 408;
  case grpc_code::invalid_argument:
  case grpc_code::out_of_range:
  case grpc_code::failed_precondition:
    return 400;
  case grpc_code::not_found:
    return 404;
  case grpc_code::already_exists:
  case grpc_code::aborted:
    return 409;
  case grpc_code::permission_denied:
    return 403;
  case grpc_code::unauthenticated:
    return 401;
  case grpc_code::resource_exhausted:
    return 429;
  case grpc_code::unimplemented:
    return 501;
  case grpc_code::unavailable:
    return 503;
  case grpc_code::deadline_exceeded:
    return 504;
  default:
    return 500;
  }
}

std::string json_error(const grpc_status& s) {
  const std::string text = json_string(s.text);
  return R"({"error":)" + text + R"(,"message":)" + text + R"(,"code":)" +
         std::to_string(static_cast<std::uint32_t>(s.code)) + "}";
}

bool json_call::take(std::span<const std::byte> bytes, std::string& messages) {
  if (taken_ && !goes_on(what_)) return true;
  text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return take_objects(messages);
}

bool json_call::take_objects(std::string& messages) {
  std::size_t begin = 0; // of the object that is looked at
  while (scanned_ < text_.size()) {
    const char c = text_[scanned_++];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      continue;
    }
    if (depth_ == 0 && is_space(c)) {
      begin = scanned_;
      continue;
    }
    if (depth_ == 0 && c != '{') {
      wrong_ = "invalid character '" + std::string(1, c) + "' looking for beginning of an object";
      return false;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c != '}' && c != ']') continue;
    if (--depth_ != 0) continue;
    const std::string_view object = std::string_view(text_).substr(begin, scanned_ - begin);
    begin = scanned_;
    taken_ = true;
    if (!take_object(object, messages)) return false;
    if (!goes_on(what_)) break;
  }
  text_.erase(0, taken_ && !goes_on(what_) ? text_.size() : begin);
  scanned_ = text_.size();
  return true;
}

bool json_call::take_object(std::string_view text, std::string& messages) {
  std::string message;
  const auto read = [&](bool ignore_unknown) {
    pbu::JsonParseOptions how;
    how.ignore_unknown_fields = ignore_unknown;
    message.clear();
    return pbu::JsonToBinaryString(&resolver(), type_url(request_of(what_)),
                                   google::protobuf::StringPiece(text.data(), text.size()), &message, how);
  };
  auto made = read(false);
  if (!made.ok()) { // unknown fields are good, and unknown names of what is enumerated are not
    made = read(true);
    wrong_ = made.ok() ? unknown_enumerator(request_of(what_), text) : made.message().as_string();
    if (!wrong_.empty()) return false;
  }
  const std::size_t before = messages.size();
  messages.resize(before + prefix_bytes);
  write_prefix(reinterpret_cast<std::byte*>(messages.data() + before), message.size());
  messages += message;
  return true;
}

bool json_call::finish(std::string& messages) {
  if (!text_.empty()) {
    wrong_ = "unexpected EOF";
    return false;
  }
  if (taken_ || goes_on(what_)) return true;
  taken_ = true;
  return take_object("{}", messages);
}

std::string json_call::answer(std::span<const std::byte> message) const {
  const auto content = message.subspan(prefix_bytes);
  pbu::JsonPrintOptions how;
  how.preserve_proto_field_names = true;
  std::string text;
  const auto made =
      pbu::BinaryToJsonString(&resolver(), type_url(response_of(what_)),
                              std::string(reinterpret_cast<const char*>(content.data()), content.size()), &text, how);
  if (!made.ok()) return json_error({grpc_code::internal, made.message().as_string()});
  return answers_go_on() ? R"({"result":)" + text + "}\n" : text;
}

std::string json_call::last_line(const grpc_status& s) {
  const unsigned status = http_status_of(s.code);
  const auto phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return R"({"error":{"grpc_code":)" + std::to_string(static_cast<std::uint32_t>(s.code)) + R"(,"http_code":)" +
         std::to_string(status) + R"(,"message":)" + json_string(s.text) + R"(,"http_status":)" +
         json_string({phrase.data(), phrase.size()}) + "}}\n";
}

} // namespace quorumd::clients::etcd
