#include "daemon/cli/args.hpp"

#include <algorithm>

namespace quorumd::cli {
namespace {

std::string grammar(const option_spec& o) {
  std::string out = "--" + std::string(o.name);
  if (!o.value.empty()) out += " " + std::string(o.value);
  return out;
}

/// Columns that a text takes on a terminal: its UTF-8 characters.
std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void append_row(std::string& out, std::string_view left, std::string_view right, std::size_t width) {
  out += "  ";
  out += left;
  out.append(width > columns(left) ? width - columns(left) : 1, ' ');
  out += right;
  out += '\n';
}

void append_options(std::string& out, std::span<const option_spec> options) {
  constexpr std::size_t width = 28;
  for (const auto& o : options) append_row(out, grammar(o), o.help, width);
}

} // namespace

std::string overview(std::span<const command_spec> commands) {
  std::string out = "quorumd: a replicated, linearizable key-value store\n\n"
                    "usage: quorumd [OPTION…] COMMAND [OPTION…] [ARGUMENT…]\n\ncommands:\n";
  for (const auto& c : commands) append_row(out, c.name, c.summary, 14);
  append_row(out, "help", "print this, or a command's help with examples: quorumd help put", 14);
  out += "\noptions, before or after any command:\n";
  append_options(out, global_options());
  out += "\nWithout --endpoint and --socket: QUORUMD_ENDPOINT, then the socket /run/quorumd/admin.sock if it exists,\n"
         "then 127.0.0.1:2379. An argument that begins with a dash comes after '--'.\n\n"
         "exit codes: 0; 1 the key is absent; 2 no connection, or the server's error; 64 usage; 78 configuration\n";
  return out;
}

std::string help_text(const command_spec& c) {
  std::string out = "usage: quorumd " + std::string(c.name);
  if (!c.options.empty()) out += " [OPTION…]";
  for (const auto& a : c.arguments) {
    const std::string name(a.name);
    out += a.optional ? " [" + name + "]" : " " + name;
  }
  out += "\n\n";
  out += c.summary;
  out += '\n';
  if (!c.details.empty()) {
    out += '\n';
    out += c.details;
    out += '\n';
  }
  if (!c.options.empty()) {
    out += "\noptions:\n";
    append_options(out, c.options);
  }
  out += "\noptions of every command:\n";
  append_options(out, global_options());
  out += "\nexamples:\n";
  for (const auto e : c.examples) {
    out += "  ";
    out += e;
    out += '\n';
  }
  return out;
}

} // namespace quorumd::cli
