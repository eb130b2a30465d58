#include "tests/sim/explain.hpp"

#include "tests/sim/children.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t lines_max = 100; // of the time before the violation
constexpr std::size_t operations_most = 25;

std::string time_text(coro::time_point t) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", std::chrono::duration<double>(t.time_since_epoch()).count());
  return text;
}

/// What the process that runs writes of each thing that is told, before its text.
struct record {
  coro::time_point at;
  told::topic of;
  told::part what;
  std::uint64_t which;
  std::uint64_t fault;
  std::size_t bytes;
};

void write(int out, coro::time_point at, const told& t) {
  const record r{at, t.of, t.what, t.which, t.fault, t.text.size()};
  write_all(out, &r, sizeof r);
  write_all(out, t.text.data(), t.text.size());
}

/// A process's run, told to the file descriptor.
void run_told(const run_spec& s, std::vector<fault> earlier, int out) {
  coro::time_point latest;
  run_options o;
  o.keep_history = true;
  o.tell = [out, &latest](coro::time_point at, const told& t) {
    latest = at;
    write(out, at, t);
  };
  const run_result r = run_seed(s, o, std::move(earlier));
  if (r.complaint.empty()) return;
  for (const operation& op : concerned(r.history, r.complaint, latest, operations_most))
    write(
        out, op.asked_at,
        told::moment(told::topic::operation,
                     describe(op) + (op.returned == 0 ? ", never answered" : ", until " + time_text(op.answered_at))));
}

/// One line of the story, and when what it tells of ended.
struct line {
  coro::time_point at;
  std::optional<coro::time_point> until;
  told what;

  [[nodiscard]] std::string text() const {
    std::string s = time_text(at) + (what.of == told::topic::wrong ? "  WRONG: " : "  ") + what.text;
    if (what.fault != 0) s += " (fault " + std::to_string(what.fault) + ")";
    if (what.what == told::part::begins) s += until ? ", until " + time_text(*until) : ", to the end";
    return s;
  }
};

class story {
 public:
  explicit story(std::string_view bytes) {
    while (bytes.size() >= sizeof(record)) {
      record r;
      std::memcpy(&r, bytes.data(), sizeof r);
      bytes.remove_prefix(sizeof r);
      if (bytes.size() < r.bytes) return;
      add(r.at, {r.of, r.what, r.which, std::string(bytes.substr(0, r.bytes)), r.fault});
      bytes.remove_prefix(r.bytes);
    }
  }

  /// Empty: nothing was wrong.
  [[nodiscard]] const std::string& complaint() const { return complaint_; }
  [[nodiscard]] std::vector<std::string> lines() {
    std::vector<std::string> all;
    std::size_t left_out = 0;
    for (const told::topic t : {told::topic::snapshot, told::topic::pause, told::topic::slow_disk, told::topic::member})
      if (lines_.size() > lines_max) left_out += std::erase_if(lines_, [t](const line& l) { return l.what.of == t; });
    for (const line& l : lines_) all.push_back(l.text());
    if (left_out != 0) all.push_back("(and " + std::to_string(left_out) + " smaller things that --trace shows)");
    for (const line& l : violation_) all.push_back(l.text());
    return all;
  }

 private:
  void add(coro::time_point at, told t) {
    const std::pair<told::topic, std::uint64_t> key(t.of, t.which);
    if (t.what == told::part::ends) {
      if (const auto found = open_.find(key); found != open_.end()) end(found, at);
    } else if (t.what == told::part::all_end) {
      for (auto i = open_.begin(); i != open_.end();) i = i->first.first == t.of ? end(i, at) : std::next(i);
    } else if (t.of == told::topic::wrong || t.of == told::topic::stands || t.of == told::topic::operation) {
      if (t.of == told::topic::wrong) complaint_ = t.text;
      violation_.push_back({at, {}, std::move(t)});
    } else {
      if (t.what == told::part::begins) open_[key] = lines_.size();
      lines_.push_back({at, {}, std::move(t)});
    }
  }
  using open_lines = std::map<std::pair<told::topic, std::uint64_t>, std::size_t>;
  open_lines::iterator end(open_lines::iterator which, coro::time_point at) {
    lines_[which->second].until = at;
    return open_.erase(which);
  }

  std::vector<line> lines_;
  std::vector<line> violation_;
  std::string complaint_;
  open_lines open_; ///< what goes on, by its place among the lines
};

/// The numbers that stand behind a word, such as those of "revision 7".
std::set<std::uint64_t> numbers_behind(const std::string& text, std::string_view word) {
  std::set<std::uint64_t> all;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const std::size_t digits = at + word.size();
    const bool begins_a_word = at == 0 || std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0;
    if (begins_a_word && digits < text.size() && std::isdigit(static_cast<unsigned char>(text[digits])) != 0)
      all.insert(std::strtoull(text.c_str() + digits, nullptr, 10));
  }
  return all;
}

bool touches(const operation& o, const std::set<std::uint64_t>& keys) {
  return std::any_of(keys.begin(), keys.end(), [&](std::uint64_t k) {
    const std::string key = "k" + std::to_string(k);
    const auto names = [&](const action& a) { return a.key == key || (a.key < key && key < a.end); };
    return std::any_of(o.then.begin(), o.then.end(), names) ||
           std::any_of(o.otherwise.begin(), o.otherwise.end(), names) ||
           std::any_of(o.conditions.begin(), o.conditions.end(), [&](const condition& c) { return c.key == key; });
  });
}

} // namespace

std::vector<operation> concerned(const std::vector<operation>& history, const std::string& complaint,
                                 coro::time_point at, std::size_t most) {
  const std::set<std::uint64_t> named = numbers_behind(complaint, "operation ");
  const std::set<std::uint64_t> revisions = numbers_behind(complaint, "revision ");
  const std::set<std::uint64_t> keys = numbers_behind(complaint, "k");
  const bool names_any = !named.empty() || !revisions.empty() || !keys.empty();
  const std::uint64_t middle = named.empty() ? 0 : *named.rbegin();
  std::vector<std::pair<std::uint64_t, const operation*>> found; // the nearest have the lowest number
  for (const operation& o : history) {
    const std::uint64_t away = o.id > middle ? o.id - middle : middle - o.id;
    const bool late = o.asked_at <= at && (o.returned == 0 || o.answered_at + 1s >= at);
    if (named.contains(o.id))
      found.emplace_back(0, &o);
    else if (o.revision != 0 && (revisions.contains(o.revision) || revisions.contains(o.revision + 1)))
      found.emplace_back(1, &o);
    else if (touches(o, keys))
      found.emplace_back(middle == 0 ? UINT64_MAX - o.id : 2 + away, &o);
    else if (!names_any && late)
      found.emplace_back(UINT64_MAX - o.id, &o);
  }
  std::sort(found.begin(), found.end());
  if (found.size() > most) found.resize(most);
  std::vector<operation> all;
  for (const auto& [distance, o] : found) all.push_back(*o);
  std::sort(all.begin(), all.end(), [](const operation& a, const operation& b) { return a.id < b.id; });
  return all;
}

explanation explain(const run_spec& s) {
  std::vector<fault> earlier = s.changed.any() ? faults_of(s.seed, s.mutant) : std::vector<fault>();
  children processes;
  processes.start(0, [&](int out) { run_told(s, std::move(earlier), out); });
  std::vector<ended_child> ended;
  while (ended.empty()) ended = processes.wait();
  story told_of(ended.front().output);
  explanation e{told_of.complaint(), told_of.lines()};
  if (!ended.front().why.empty()) e.complaint = ended.front().why;
  return e;
}

} // namespace quorumd::sim
