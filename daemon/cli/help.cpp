#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/manual.hpp"
#include "daemon/cli/terminal.hpp"

#include <algorithm>

namespace quorumd::cli {
namespace {

std::string grammar(const option_spec& o) {
  std::string out = o.letter == '\0' ? "" : std::string("-") + o.letter + ", ";
  out += "--";
  out += o.name;
  if (!o.value.empty()) {
    out += ' ';
    out += o.value;
  }
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
  constexpr std::size_t width = 30;
  for (const auto& o : options) append_row(out, grammar(o), o.help, width);
}

int run_help(const invocation& in) {
  const auto commands = all_commands();
  if (in.argument_count() == 0) return print(in.has("man") ? overview_manual(commands) : overview(commands));
  std::string out;
  for (std::size_t i = 0; i < in.argument_count(); ++i) {
    if (in.has("man") && in.argument(i) == "quorumd.yaml") {
      out += configuration_manual();
      continue;
    }
    const auto c = find_command(commands, in.argument(i));
    if (c.has_error()) return complain(c.error());
    if (i != 0) out += '\n';
    out += in.has("man") ? command_manual(**c) : help_text(**c);
  }
  return print(out);
}

} // namespace

std::string usage_line(const command_spec& c) {
  std::string out = "quorumd " + std::string(c.name);
  if (!c.options.empty()) out += " [OPTION…]";
  for (const auto& a : c.arguments) {
    const std::string name = std::string(a.name) + (a.repeated ? "…" : "");
    out += a.optional ? " [" + name + "]" : " " + name;
  }
  return out;
}

std::string overview(std::span<const command_spec> commands) {
  std::string out = "quorumd: a replicated, linearizable key-value store\n\n"
                    "usage: quorumd [OPTION…] COMMAND [OPTION…] [ARGUMENT…]\n\ncommands:\n";
  for (const auto& c : commands) append_row(out, c.name, c.summary, 14);
  out += "\noptions, before or after a command to which they mean something:\n";
  append_options(out, global_options());
  out += "\nWithout --endpoint and --socket: QUORUMD_ENDPOINT, then the socket /run/quorumd/admin.sock if it exists,\n"
         "then 127.0.0.1:2379. An argument that begins with a dash comes after '--'.\n\n"
         "exit codes: 0; 1 the key is absent; 2 no connection, or the server's error; 64 usage; 78 configuration;\n"
         "those of a node are in 'quorumd help serve'\n";
  return out;
}

std::string help_text(const command_spec& c) {
  std::string out = "usage: " + usage_line(c) + "\n\n";
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
  const auto common = global_options(c);
  out += common.size() == 1 ? "\n" : "\noptions of most commands:\n";
  append_options(out, common);
  out += "\nexamples:\n";
  for (const auto e : c.examples) {
    out += "  ";
    out += e;
    out += '\n';
  }
  return out;
}

command_spec help_command() {
  return {.name = "help",
          .summary = "print the list of commands, or the help of those that are named",
          .arguments = {{.name = "COMMAND", .optional = true, .repeated = true}},
          .options = {{"man", "", option_kind::flag, "as the source of a manual page, for man -l"}},
          .examples = {"quorumd help", "quorumd help put get", "quorumd help --man put | man -l -",
                       "quorumd help --man quorumd.yaml | man -l -"},
          .run = run_help,
          .common = {.endpoints = false, .timeout = false, .output = false}};
}

} // namespace quorumd::cli
