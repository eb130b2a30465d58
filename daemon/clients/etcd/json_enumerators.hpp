#pragma once

#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// What protobuf takes for the first one where it is to ignore unknown fields: an enumerator in that JSON object, which
/// stands for a message of that type, by a name that there is not. In etcd's words; empty if there is none.
[[nodiscard]] std::string unknown_enumerator(std::string_view message, std::string_view object);

} // namespace quorumd::clients::etcd
