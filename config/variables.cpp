#include "config/variables.hpp"

namespace quorumd::config {

namespace {

constexpr std::string_view prefix = "QUORUMD_";

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::vector<std::string> quorumd_variables(const char* const* all) {
  std::vector<std::string> out;
  for (; all != nullptr && *all != nullptr; ++all)
    if (std::string_view(*all).starts_with(prefix)) out.emplace_back(*all);
  return out;
}

std::string variable_of(std::string_view path) {
  std::string out(prefix);
  for (const char c : path) out += c == '.' ? '_' : upper(c);
  return out;
}

std::string path_of_variable(std::string_view name) {
  std::string out;
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  for (const char c : name) out += lower(c);
  if (const std::size_t end = out.find('_'); end != std::string::npos) out[end] = '.'; // no section has one in it
  return out;
}

const key_spec* key_of_variable(std::string_view name) {
  const key_spec* key = find_key(path_of_variable(name));
  return key != nullptr && variable_of(key->path) == name ? key : nullptr;
}

bool names_a_key(std::string_view name) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  const std::size_t end = name.find('_');
  if (end == std::string_view::npos || end == 0) return false;
  const std::string_view section = name.substr(0, end);
  return section != "SERVICE" && section != "PORT";
}

} // namespace quorumd::config
