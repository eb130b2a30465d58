#include "tests/sim/arguments.hpp"

#include <array>
#include <charconv>
#include <string_view>

namespace quorumd::sim {
namespace {

using task = arguments::task;

struct named_task {
  std::string_view option;
  task what;
  bool has_value;
};
constexpr std::array tasks{
    named_task{"--seed", task::one, true},          named_task{"--explain", task::explain, true},
    named_task{"--shrink", task::shrink, true},     named_task{"--seeds", task::seeds, true},
    named_task{"--minutes", task::minutes, true},   named_task{"--mutants", task::mutants, false},
    named_task{"--list-mutants", task::list, false}};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number n{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

bool take_range(std::string_view text, std::pair<std::uint64_t, std::uint64_t>& into) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto from = number<std::uint64_t>(text.substr(0, dots));
  const auto to = number<std::uint64_t>(text.substr(dots + 2));
  if (!from || !to || *from > *to) return false;
  into = {*from, *to};
  return true;
}

bool take_minutes(std::string_view text, arguments& a) {
  const auto minutes = number<double>(text);
  if (!minutes || !(*minutes > 0) || *minutes > 1e6) return false;
  a.minutes = std::chrono::duration<double>(*minutes * 60);
  return true;
}

/// What the task's value says.
std::string take_task(const named_task& t, std::string_view value, arguments& a) {
  if (a.what != task::none) return std::string(t.option) + ": one thing at a time, please";
  a.what = t.what;
  if (t.what == task::seeds) return take_range(value, a.seeds) ? "" : quoted(value) + " is no range of seeds as 1..100";
  if (t.what == task::minutes) return take_minutes(value, a) ? "" : quoted(value) + " is no number of minutes";
  if (!t.has_value) return {};
  const auto seed = number<std::uint64_t>(value);
  if (!seed) return quoted(value) + " is no seed";
  a.spec.seed = *seed;
  return {};
}

bool take_flag(std::string_view option, arguments& a) {
  if (option == "--trace")
    a.trace = true;
  else if (option == "--twice")
    a.twice = true;
  else if (option == "--report" && a.what == task::one)
    a.what = task::report;
  else
    return false;
  return true;
}

/// An option with a value that is no task.
std::string take_value(std::string_view option, std::string_view value, arguments& a) {
  if (option == "--mutant") {
    if (!find_mutant(value)) return "no mutant is called " + quoted(value) + "; see --list-mutants";
    a.spec.mutant = value;
    return {};
  }
  if (auto wrong = a.spec.changed.take(option.substr(2), value)) return std::move(*wrong);
  const auto n = number<std::uint64_t>(value);
  if (!n) return quoted(value) + " is no number";
  if (option == "--from") {
    a.from = n;
  } else if (option == "--within") {
    a.within = *n;
  } else {
    if (*n == 0 || *n > 1000) return "from 1 to 1000, not " + quoted(value);
    a.jobs = static_cast<unsigned>(*n);
  }
  return {};
}

bool takes_value(std::string_view option) {
  for (const std::string_view known : {"--mutant", "--from", "--within", "--jobs", "--without", "--plain", "--skip",
                                       "--clients", "--nodes", "--trouble-ms"})
    if (option == known) return true;
  return false;
}

/// Options that would do nothing.
std::string misplaced(const arguments& a) {
  const bool single =
      a.what == task::one || a.what == task::report || a.what == task::explain || a.what == task::shrink;
  if (a.what == task::none) return "what is to be done? For example --seed 1";
  if (a.spec.changed.any() && !single)
    return "a run is changed (" + a.spec.changed.text().substr(1) + ") only by its seed";
  if (a.trace && a.what != task::one) return "--trace goes with --seed";
  if (a.from && a.what != task::minutes) return "--from goes with --minutes";
  if (a.twice && a.what != task::seeds && a.what != task::minutes) return "--twice goes with --seeds or --minutes";
  return {};
}

} // namespace

std::string parse(int argc, const char* const* argv, arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (take_flag(option, a)) continue;
    const named_task* t = nullptr;
    for (const named_task& one : tasks)
      if (one.option == option) t = &one;
    if (t == nullptr && !takes_value(option)) return "unknown: " + quoted(option);
    const bool needs = t == nullptr || t->has_value;
    if (needs && i + 1 == argc) return std::string(option) + " needs a value";
    const std::string_view value = needs ? argv[++i] : "";
    const std::string wrong = t != nullptr ? take_task(*t, value, a) : take_value(option, value, a);
    if (!wrong.empty()) return wrong.starts_with("--") ? wrong : std::string(option) + ": " + wrong;
  }
  return misplaced(a);
}

} // namespace quorumd::sim
