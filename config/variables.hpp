#pragma once

#include "config/config.hpp"
#include "config/table.hpp"

#include <string>
#include <string_view>

namespace quorumd::config {

/// `QUORUMD_LISTEN_CLIENT` of `listen.client`.
[[nodiscard]] std::string variable_of(std::string_view path);
/// `listen.client` of `QUORUMD_LISTEN_CLIENT`, whether there is such a key or not.
[[nodiscard]] std::string path_of_variable(std::string_view name);
/// The variable's key, or nullptr.
[[nodiscard]] const key_spec* key_of_variable(std::string_view name);
/// Whether a variable has the form of a key's, so that it should be one: `QUORUMD_A_B`, and not Kubernetes' own.
[[nodiscard]] bool names_a_key(std::string_view name);

/// explain() for a text.
[[nodiscard]] result<std::vector<value_origin>> explain_text(std::string_view text, const std::string& name,
                                                             overrides set, environment env);

} // namespace quorumd::config
