#include "daemon/cli/args.hpp"

#include "config/values.hpp"
#include "daemon/cli/other_words.hpp"
#include "daemon/cli/text.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace quorumd::cli {
namespace po = boost::program_options;

namespace {

const std::array<option_spec, 5> globals{{
    {.name = "endpoint",
     .value = "HOST[:PORT][,…]",
     .kind = option_kind::text,
     .help = "the nodes to talk to, tried in this order",
     .also = "endpoints"},
    {"socket", "PATH", option_kind::text, "talk through this node's admin socket instead"},
    {.name = "timeout",
     .value = "5s",
     .kind = option_kind::duration,
     .help = "how long one request may take",
     .also = "command-timeout"},
    {.name = "output",
     .value = "text|json",
     .kind = option_kind::choice,
     .help = "how results and errors are printed",
     .letter = 'w',
     .also = "write-out"},
    {.name = "help", .kind = option_kind::flag, .help = "print help and end", .letter = 'h'},
}};

bool applies(const option_spec& o, const common_options& wanted) {
  if (o.name == "endpoint" || o.name == "socket") return wanted.endpoints;
  if (o.name == "timeout") return wanted.timeout;
  return o.name != "output" || wanted.output;
}

std::vector<std::string_view> option_names(const command_spec* c) {
  std::vector<std::string_view> names;
  if (c != nullptr)
    for (const auto& o : c->options) names.push_back(o.name);
  for (const auto& o : globals)
    if (c == nullptr || applies(o, c->common)) names.push_back(o.name);
  return names;
}

/// By its name, or by etcdctl's.
const option_spec* find_option(std::span<const option_spec> options, std::string_view name) {
  const auto found = std::find_if(options.begin(), options.end(),
                                  [&](const auto& o) { return o.name == name || (!o.also.empty() && o.also == name); });
  return found == options.end() ? nullptr : &*found;
}

error in_command(const command_spec& c, const std::string& what) {
  return usage(std::string(c.name) + ": " + what + " (see 'quorumd help " + std::string(c.name) + "')");
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// A value's mistake, if it has one.
std::string mistake_in(const option_spec& o, const std::string& value) {
  const std::string name = "--" + std::string(o.name);
  switch (o.kind) {
  case option_kind::count:
    if (!config::parse_count(value)) return name + " expects a whole number and got " + shown(value);
    break;
  case option_kind::positive:
    if (config::parse_count(value).value_or(0) == 0)
      return name + " expects a whole number from 1 and got " + shown(value);
    break;
  case option_kind::duration:
    if (config::parse_duration(value).value_or(std::chrono::milliseconds(0)).count() <= 0)
      return name + " expects a duration such as 500ms or 5s and got " + shown(value);
    break;
  case option_kind::choice: {
    const std::string choices = "|" + std::string(o.value) + "|";
    if (value.empty() || value.find('|') != std::string::npos || choices.find("|" + value + "|") == std::string::npos)
      return name + " expects " + std::string(o.value) + " and got " + shown(value);
    break;
  }
  default:
    break;
  }
  return {};
}

} // namespace

/// One command line on its way from words to an invocation.
class parser {
 public:
  parser(std::span<const command_spec> commands, std::vector<std::string> words)
      : commands_(commands)
      , words_(std::move(words)) {}

  result<parsed> parse() {
    if (words_.empty()) return usage("a subcommand is missing (see 'quorumd help')");
    if (auto found = find_subcommand(); found.has_error()) return found.error();
    if (help_) return parsed(help_wanted{command_});
    if (version_) return parsed(version_wanted{});
    if (command_ == nullptr) return usage("a subcommand is missing (see 'quorumd help')");
    return parse_rest();
  }

 private:
  /// Takes the subcommand out of the words.
  result<void> find_subcommand() {
    std::size_t i = 0;
    while (i < words_.size()) {
      const std::string& word = words_[i];
      if (word == "--help" || word == "-h") {
        help_ = true;
        ++i;
      } else if (word == "--version") {
        version_ = true;
        ++i;
      } else if (word.size() > 1 && word[0] == '-' && word != "--") {
        auto taken = global_words(word);
        if (taken.has_error()) return taken.error();
        i += *taken;
      } else {
        return take_subcommand(word == "--" ? i + 1 : i, i);
      }
    }
    return {};
  }

  /// How many words a global option before the subcommand takes.
  result<std::size_t> global_words(const std::string& word) const {
    const std::string stem = word.substr(0, word.find('='));
    const std::string name = stem.substr(stem.starts_with("--") ? 2 : 1); // empty in `-=x` and `--=x`
    if (word.starts_with("--") && find_option(globals, name) != nullptr) return word == stem ? 2 : 1;
    const auto of_letter =
        std::find_if(globals.begin(), globals.end(), [&](const auto& o) { return o.letter == word[1]; });
    if (word[1] != '-' && of_letter != globals.end()) return word.size() == 2 ? 2 : 1;
    if (const std::string other = other_option(name); !other.empty()) return usage(shown(stem) + ": " + other);
    const auto names = option_names(nullptr);
    return usage("no option " + shown(stem) + " stands before a subcommand" + suggestion(name, names, "--") +
                 " (see 'quorumd help')");
  }

  result<void> take_subcommand(std::size_t at, std::size_t from) {
    if (at >= words_.size()) return {};
    const std::string word = words_[at];
    words_.erase(words_.begin() + static_cast<std::ptrdiff_t>(from),
                 words_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    const auto found = find_command(commands_, word);
    if (found.has_error()) return found.error();
    command_ = *found;
    // A value can look like --help too, but asking for help then is harmless.
    for (std::size_t i = from; i < words_.size() && words_[i] != "--"; ++i)
      if (words_[i] == "--help" || words_[i] == "-h") help_ = true;
    return {};
  }

  po::options_description description() const {
    po::options_description d;
    const auto add = [&](const option_spec& o) {
      std::vector<std::string> names{std::string(o.name)};
      if (o.letter != '\0') names.front() += {',', o.letter};
      if (!o.also.empty()) names.emplace_back(o.also);
      for (const std::string& name : names)
        if (o.kind == option_kind::flag)
          d.add_options()(name.c_str(), "");
        else
          d.add_options()(name.c_str(), po::value<std::vector<std::string>>(), "");
    };
    for (const auto& o : command_->options) add(o);
    for (const auto& o : globals) add(o);
    return d;
  }

  result<parsed> parse_rest() {
    const po::options_description known = description();
    using namespace po::command_line_style;
    const int style = allow_long | allow_short | allow_dash_for_short | short_allow_next | short_allow_adjacent |
                      long_allow_adjacent | long_allow_next;
    invocation out(*command_);
    try {
      const auto found = po::command_line_parser(words_).options(known).style(style).run();
      for (const auto& o : found.options) {
        if (o.position_key >= 0 && o.value == o.original_tokens) // `--=x` has x as its value and no name
          out.arguments_.insert(out.arguments_.end(), o.value.begin(), o.value.end());
        else if (auto taken = take_option(out, o.string_key, o.value); taken.has_error())
          return taken.error();
      }
    } catch (const po::error& e) {
      return explain(e);
    }
    return check_arguments(std::move(out));
  }

  result<void> take_option(invocation& out, const std::string& name, const std::vector<std::string>& value) const {
    const option_spec* o = find_option(command_->options, name);
    if (o == nullptr) o = find_option(globals, name);
    if (o == nullptr) return in_command(*command_, "no option '--" + name + "'");
    if (!applies(*o, command_->common) && find_option(command_->options, name) == nullptr)
      return in_command(*command_, "--" + std::string(o->name) + " means nothing to it" +
                                       (o->name == "output" && find_option(command_->options, "format") != nullptr
                                            ? ": the form is chosen with --format"
                                            : ""));
    auto& values = out.options_[std::string(o->name)];
    if (!values.empty() && !o->repeated) return in_command(*command_, "--" + std::string(o->name) + " is given twice");
    std::string text = value.empty() ? std::string() : value.front();
    const std::string mistake = mistake_in(*o, o->kind == option_kind::choice ? lower(text) : text);
    if (!mistake.empty()) return in_command(*command_, mistake);
    values.push_back(o->kind == option_kind::choice ? lower(std::move(text)) : std::move(text));
    return {};
  }

  error explain(const po::error& e) const {
    if (const auto* unknown = dynamic_cast<const po::unknown_option*>(&e)) {
      std::string name = unknown->get_option_name();
      name.erase(0, name.find_first_not_of('-'));
      if (const std::string other = other_option(name.substr(0, name.find('='))); !other.empty())
        return in_command(*command_, shown(unknown->get_option_name()) + ": " + other);
      const auto names = option_names(command_);
      return in_command(*command_, "no option " + shown(unknown->get_option_name()) + suggestion(name, names, "--") +
                                       (unknown->get_option_name().starts_with("--")
                                            ? ""
                                            : "; an argument that begins with a dash comes after '--'"));
    }
    return in_command(*command_, e.what());
  }

  result<parsed> check_arguments(invocation out) const {
    const auto& wanted = command_->arguments;
    const std::size_t given = out.arguments_.size();
    const bool any_number = !wanted.empty() && wanted.back().repeated;
    if (given > wanted.size() && !any_number)
      return in_command(*command_, shown(out.arguments_[wanted.size()]) + " is one argument too many");
    for (std::size_t i = given; i < wanted.size(); ++i)
      if (!wanted[i].optional) return in_command(*command_, std::string(wanted[i].name) + " is missing");
    if (out.has("endpoint") && out.has("socket"))
      return in_command(*command_, "--endpoint and --socket exclude each other");
    return parsed(std::move(out));
  }

  std::span<const command_spec> commands_;
  std::vector<std::string> words_;
  const command_spec* command_ = nullptr;
  bool help_ = false;
  bool version_ = false;
};

std::span<const option_spec> global_options() {
  return globals;
}

std::vector<option_spec> global_options(const command_spec& c) {
  std::vector<option_spec> out;
  for (const auto& o : globals)
    if (applies(o, c.common)) out.push_back(o);
  return out;
}

result<const command_spec*> find_command(std::span<const command_spec> commands, std::string_view word) {
  std::vector<std::string_view> names;
  for (const auto& c : commands) {
    if (c.name == word) return &c;
    names.push_back(c.name);
  }
  if (const std::string other = other_command(word); !other.empty()) return usage(shown(word) + ": " + other);
  return usage(shown(word) + " is not a subcommand" + suggestion(word, names) + " (see 'quorumd help')");
}

std::string invocation::text(std::string_view option, std::string_view otherwise) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::string(otherwise) : found->second.front();
}

std::uint64_t invocation::count(std::string_view option, std::uint64_t otherwise) const {
  return has(option) ? config::parse_count(text(option)).value_or(otherwise) : otherwise;
}

std::chrono::milliseconds invocation::duration(std::string_view option, std::chrono::milliseconds otherwise) const {
  return has(option) ? config::parse_duration(text(option)).value_or(otherwise) : otherwise;
}

std::vector<std::string> invocation::all(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

result<parsed> parse_command_line(std::span<const command_spec> commands, std::vector<std::string> words) {
  return parser(commands, std::move(words)).parse();
}

std::string suggestion(std::string_view word, std::span<const std::string_view> names, std::string_view prefix) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string_view name : names) {
    const std::size_t distance = config::edit_distance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  if (nearest.empty() || least >= nearest.size()) return {};
  return ", did you mean '" + std::string(prefix) + std::string(nearest) + "'?";
}

} // namespace quorumd::cli
