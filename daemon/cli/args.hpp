#pragma once

#include "daemon/cli/error.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::cli {

enum class option_kind : std::uint8_t {
  flag,     ///< takes no value
  text,     ///< any
  count,    ///< a whole number from 0
  positive, ///< a whole number from 1
  duration, ///< `5s`
  choice,   ///< one of those that `value` lists with bars: `text|json`
};

struct option_spec {
  std::string_view name;  ///< without the dashes
  std::string_view value; ///< what stands for its value in the help; empty for a flag
  option_kind kind = option_kind::flag;
  std::string_view help;
  bool repeated = false;
  char letter = '\0';         ///< the short form: `w` for -w
  std::string_view also = {}; ///< etcdctl's name for it, which is understood and not shown
};

struct argument_spec {
  std::string_view name;
  bool optional = false;
  bool repeated = false; ///< any number from here on; the last one only
};

/// Which of the options that stand before or after a subcommand mean something to it; --help always does.
struct common_options {
  bool endpoints = true; ///< --endpoint and --socket
  bool timeout = true;
  bool output = true;
};

class invocation;

/// A subcommand: its grammar, its help, and what it does (the result is the exit code).
struct command_spec {
  std::string_view name;
  std::string_view summary; ///< one line
  std::vector<argument_spec> arguments;
  std::vector<option_spec> options;
  std::string_view details; ///< more lines
  std::vector<std::string_view> examples;
  int (*run)(const invocation&) = nullptr;
  common_options common = {};
  bool bulk = false; ///< what it asks for yields to what other clients ask for
};

/// The options that stand before or after a subcommand: all of them, and those that this one takes.
[[nodiscard]] std::span<const option_spec> global_options();
[[nodiscard]] std::vector<option_spec> global_options(const command_spec& c);

/// A command line that was understood; every value is of its option's kind.
class invocation {
 public:
  explicit invocation(const command_spec& c)
      : command_(&c) {}

  [[nodiscard]] const command_spec& command() const { return *command_; }
  /// The argument at that place; it is there unless it is optional.
  [[nodiscard]] const std::string& argument(std::size_t i) const { return arguments_.at(i); }
  [[nodiscard]] std::size_t argument_count() const { return arguments_.size(); }
  /// Whether the option was given.
  [[nodiscard]] bool has(std::string_view option) const { return options_.find(option) != options_.end(); }
  [[nodiscard]] std::string text(std::string_view option, std::string_view otherwise = {}) const;
  [[nodiscard]] std::uint64_t count(std::string_view option, std::uint64_t otherwise = 0) const;
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view option, std::chrono::milliseconds otherwise) const;
  /// All that a repeated option was given, in order.
  [[nodiscard]] std::vector<std::string> all(std::string_view option) const;
  [[nodiscard]] bool json() const { return text("output") == "json"; }

 private:
  friend class parser;
  const command_spec* command_;
  std::vector<std::string> arguments_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

/// `--help` was asked for, with a subcommand or without.
struct help_wanted {
  const command_spec* command = nullptr;
};
struct version_wanted {};

using parsed = std::variant<invocation, help_wanted, version_wanted>;

/// Understands a command line, without the program's name. The subcommand is the first word that is neither a global
/// option nor its value; abbreviations are not guessed, choices are taken in any case; `--` ends the options.
[[nodiscard]] result<parsed> parse_command_line(std::span<const command_spec> commands, std::vector<std::string> words);

/// The one of that name; the error says what is near, or what another tool's word for it is here.
[[nodiscard]] result<const command_spec*> find_command(std::span<const command_spec> commands, std::string_view word);

/// What `quorumd help` prints.
[[nodiscard]] std::string overview(std::span<const command_spec> commands);
/// `quorumd get [OPTION…] KEY`
[[nodiscard]] std::string usage_line(const command_spec& c);
/// What `quorumd help COMMAND` prints.
[[nodiscard]] std::string help_text(const command_spec& c);

/// `, did you mean 'get'?` if one of the names is near enough, else nothing.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string_view> names,
                                     std::string_view prefix = {});

} // namespace quorumd::cli
