#include "daemon/cli/completion.hpp"

#include "daemon/cli/commands.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>

namespace quorumd::cli {
namespace {

/// `text|json` as `text json`; nothing where the word names no choice.
std::string choices(std::string_view value) {
  if (value.find('|') == std::string_view::npos) return {};
  std::string out(value);
  std::replace(out.begin(), out.end(), '|', ' ');
  return out;
}

bool is_file(std::string_view value) {
  return value == "FILE" || value == "PATH" || value == "D" || value == "DIR";
}

std::vector<option_spec> options_of(const command_spec& c) {
  std::vector<option_spec> out(c.options);
  for (const auto& o : global_options(c)) out.push_back(o);
  return out;
}

std::string spellings(const option_spec& o) {
  return "--" + std::string(o.name) + (o.letter == '\0' ? std::string() : std::string(" -") + o.letter);
}

std::string names_of(std::span<const command_spec> commands) {
  std::string out;
  for (const auto& c : commands) out += (out.empty() ? "" : " ") + std::string(c.name);
  return out;
}

std::string joined(std::string_view separator, const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& p : parts) out += (out.empty() ? "" : std::string(separator)) + p;
  return out;
}

std::vector<std::string> split(const std::string& words) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    out.push_back(words.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

/// What an argument completes to, for a shell's word list; files where `files` is set.
std::string words_of_argument(const argument_spec& a, std::span<const command_spec> commands, bool& files) {
  files = is_file(a.name);
  if (a.name == "COMMAND") return names_of(commands);
  return choices(a.name);
}

// ---- bash

/// `case` branches of one command: its options' values, then its arguments by their place.
void append_bash_command(std::string& out, const command_spec& c, std::span<const command_spec> commands) {
  std::vector<std::string> options;
  out += "    " + std::string(c.name) + ")\n      case $previous in\n";
  for (const auto& o : options_of(c)) {
    options.push_back(spellings(o));
    if (o.value.empty()) continue;
    std::string names = spellings(o);
    std::replace(names.begin(), names.end(), ' ', '|');
    out += "        " + names + ") ";
    if (is_file(o.value))
      out += "_quorumd_files; return ;;\n";
    else
      out += "_quorumd_words '" + choices(o.value) + "'; return ;;\n";
  }
  out += "      esac\n      options='" + joined(" ", options) + "'\n      case $place in\n";
  for (std::size_t i = 0; i < c.arguments.size(); ++i) {
    bool files = false;
    const std::string words = words_of_argument(c.arguments[i], commands, files);
    const std::string place = c.arguments[i].repeated ? "*" : std::to_string(i);
    if (files)
      out += "        " + place + ") files=1 ;;\n";
    else if (!words.empty())
      out += "        " + place + ") words='" + words + "' ;;\n";
  }
  out += "      esac\n      ;;\n";
}

/// The options that take a value, as alternatives of a bash pattern.
std::string bash_valued(std::span<const command_spec> commands) {
  std::vector<std::string> names;
  const auto add = [&](const option_spec& o) {
    if (o.value.empty()) return;
    for (auto& n : split(spellings(o)))
      if (std::find(names.begin(), names.end(), n) == names.end()) names.push_back(std::move(n));
  };
  for (const auto& c : commands)
    for (const auto& o : options_of(c)) add(o);
  return joined("|", names);
}

// ---- zsh

/// Within single quotes and brackets of an _arguments specification.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
      continue;
    }
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(std::string_view value, std::span<const command_spec> commands) {
  bool files = false;
  const std::string words = words_of_argument({value}, commands, files);
  if (files) return "_files";
  return words.empty() ? " " : "(" + words + ")";
}

void append_zsh_command(std::string& out, const command_spec& c, std::span<const command_spec> commands) {
  out += "    " + std::string(c.name) + ")\n      _arguments -s";
  for (const auto& o : options_of(c)) {
    for (const auto& name : split(spellings(o))) {
      out += " \\\n        '";
      if (o.repeated) out += '*';
      out += name + "[" + zsh_text(o.help) + "]";
      if (!o.value.empty()) out += ":" + zsh_text(o.value) + ":" + zsh_action(o.value, commands);
      out += "'";
    }
  }
  for (const auto& a : c.arguments)
    out += std::string(" \\\n        '") +
           (a.repeated   ? "*"
            : a.optional ? ":"
                         : "") +
           ":" + zsh_text(a.name) + ":" + zsh_action(a.name, commands) + "'";
  out += "\n      ;;\n";
}

// ---- fish

std::string fish_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

void append_fish_option(std::string& out, const std::string& condition, const option_spec& o) {
  out += "complete -c quorumd -n " + fish_text(condition) + " -l " + std::string(o.name);
  if (o.letter != '\0') out += std::string(" -s ") + o.letter;
  if (is_file(o.value))
    out += " -r -F";
  else if (!o.value.empty())
    out += " -x";
  if (const std::string words = choices(o.value); !words.empty()) out += " -a " + fish_text(words);
  out += " -d " + fish_text(o.help) + "\n";
}

int run_completion(const invocation& in) {
  const auto commands = all_commands();
  const std::string& shell = in.argument(0);
  if (shell == "bash") return print(bash_completion(commands));
  if (shell == "zsh") return print(zsh_completion(commands));
  if (shell == "fish") return print(fish_completion(commands));
  return complain(usage("completion: expected bash, zsh or fish, not " + shown(shell)));
}

} // namespace

std::string bash_completion(std::span<const command_spec> commands) {
  std::string out = "# bash completion for quorumd, made by 'quorumd completion bash'\n"
                    "_quorumd_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$current\"); }\n"
                    "_quorumd_files() { mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames; }\n"
                    "_quorumd() {\n"
                    "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                    "  local command='' place=0 options='' words='' files='' i\n"
                    "  COMPREPLY=()\n"
                    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
                    "    case ${COMP_WORDS[i]} in\n"
                    "      " +
                    bash_valued(commands) +
                    ") i=$((i + 1)) ;;\n"
                    "      -?*) ;;\n"
                    "      *) if [ -z \"$command\" ]; then command=${COMP_WORDS[i]}; else place=$((place + 1)); fi ;;\n"
                    "    esac\n"
                    "  done\n"
                    "  case $command in\n";
  // What stands before a command completes as if it were one of no name.
  command_spec none{.name = "''", .arguments = {{"COMMAND"}}};
  append_bash_command(out, none, commands);
  for (const auto& c : commands) append_bash_command(out, c, commands);
  return out + "  esac\n"
               "  case $current in\n"
               "    -*) _quorumd_words \"$options\" ;;\n"
               "    *) if [ -n \"$files\" ]; then _quorumd_files; else _quorumd_words \"$words\"; fi ;;\n"
               "  esac\n"
               "}\n"
               "complete -F _quorumd quorumd\n";
}

std::string zsh_completion(std::span<const command_spec> commands) {
  std::string out = "#compdef quorumd\n"
                    "# zsh completion for quorumd, made by 'quorumd completion zsh'\n"
                    "_quorumd() {\n"
                    "  local -a commands\n"
                    "  local context state line\n"
                    "  commands=(\n";
  for (const auto& c : commands) out += "    '" + zsh_text(c.name) + ":" + zsh_text(c.summary) + "'\n";
  out += "  )\n  _arguments -s -C";
  for (const auto& o : global_options()) {
    for (const auto& name : split(spellings(o))) {
      out += " \\\n    '" + name + "[" + zsh_text(o.help) + "]";
      if (!o.value.empty()) out += ":" + zsh_text(o.value) + ":" + zsh_action(o.value, commands);
      out += "'";
    }
  }
  out += " \\\n    '1:command:->command' '*::argument:->argument'\n"
         "  if [[ $state == command ]]; then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  case $line[1] in\n";
  for (const auto& c : commands) append_zsh_command(out, c, commands);
  return out +
         "  esac\n}\nif [[ $funcstack[1] == _quorumd ]]; then _quorumd \"$@\"; else compdef _quorumd quorumd; fi\n";
}

std::string fish_completion(std::span<const command_spec> commands) {
  std::string out = "# fish completion for quorumd, made by 'quorumd completion fish'\ncomplete -c quorumd -f\n";
  const std::string before = "not __fish_seen_subcommand_from " + names_of(commands);
  for (const auto& c : commands)
    out += "complete -c quorumd -n " + fish_text(before) + " -a " + std::string(c.name) + " -d " +
           fish_text(c.summary) + "\n";
  for (const auto& o : global_options()) append_fish_option(out, before, o);
  for (const auto& c : commands) {
    const std::string within = "__fish_seen_subcommand_from " + std::string(c.name);
    for (const auto& o : options_of(c)) append_fish_option(out, within, o);
    for (const auto& a : c.arguments) {
      bool files = false;
      const std::string words = words_of_argument(a, commands, files);
      if (files) out += "complete -c quorumd -n " + fish_text(within) + " -F\n";
      if (!words.empty()) out += "complete -c quorumd -n " + fish_text(within) + " -a " + fish_text(words) + "\n";
    }
  }
  return out;
}

command_spec completion_command() {
  return {.name = "completion",
          .summary = "print what makes a shell complete this command line",
          .arguments = {{"bash|zsh|fish"}},
          .details = "The Debian package installs it where the shells look. By hand: the examples.",
          .examples = {"source <(quorumd completion bash)", "quorumd completion zsh > \"${fpath[1]}/_quorumd\"",
                       "quorumd completion fish > ~/.config/fish/completions/quorumd.fish"},
          .run = run_completion,
          .common = {.endpoints = false, .timeout = false, .output = false}};
}

} // namespace quorumd::cli
