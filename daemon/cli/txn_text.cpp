#include "daemon/cli/txn_text.hpp"

#include "config/values.hpp"
#include "daemon/cli/text.hpp"

#include <boost/system/result.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

/// A mistake and where it is, in characters from 1.
struct misread {
  misread() = default;
  misread(std::size_t c, std::string w)
      : column(c)
      , what(std::move(w)) {}
  std::size_t column = 1;
  std::string what;
};
template <class T>
using reading = boost::system::result<T, misread>;

/// Reads one line from left to right.
class line_reader {
 public:
  explicit line_reader(std::string_view line)
      : whole_(line)
      , line_(line) {}

  void skip_space() {
    while (!line_.empty() && (line_.front() == ' ' || line_.front() == '\t')) line_.remove_prefix(1);
  }
  [[nodiscard]] bool at_end() const { return line_.empty(); }
  [[nodiscard]] bool at_quote() const { return line_.starts_with('"') || line_.starts_with('\''); }
  /// Of what comes next, in characters from 1.
  [[nodiscard]] std::size_t column() const {
    const std::string_view taken = whole_.substr(0, whole_.size() - line_.size());
    return 1 + static_cast<std::size_t>(std::count_if(
                   taken.begin(), taken.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }
  [[nodiscard]] misread wrong(std::string what) const { return {column(), std::move(what)}; }
  bool take(std::string_view token) {
    if (!line_.starts_with(token)) return false;
    line_.remove_prefix(token.size());
    return true;
  }
  /// Up to a space or one of the characters.
  std::string_view word(std::string_view stops) {
    std::size_t n = 0;
    while (n < line_.size() && line_[n] != ' ' && line_[n] != '\t' && stops.find(line_[n]) == std::string_view::npos)
      ++n;
    const std::string_view out = line_.substr(0, n);
    line_.remove_prefix(n);
    return out;
  }

  /// A text in quotes, the opening one in front. In single quotes everything stands for itself, as in etcdctl.
  reading<std::string> quoted_text() {
    const misread unended = wrong("a text in quotes has no end");
    const char quote = line_.front();
    std::string inner;
    line_.remove_prefix(1);
    while (!line_.empty() && line_.front() != quote) {
      if (quote == '\'' || line_.front() != '\\') {
        inner += line_.front();
        line_.remove_prefix(1);
        continue;
      }
      if (auto taken = escape(inner); taken.has_error()) return taken.error();
    }
    if (line_.empty()) return unended;
    line_.remove_prefix(1);
    return inner;
  }

 private:
  reading<void> escape(std::string& out) {
    const char kind = line_.size() > 1 ? line_[1] : '\0';
    if (kind == '"' || kind == 'r') {
      out += kind == '"' ? '"' : '\r';
      line_.remove_prefix(2);
      return {};
    }
    const std::size_t length = std::min<std::size_t>(kind == 'x' ? 4 : 2, line_.size());
    if (append_unescaped(out, line_.substr(0, length)).has_error())
      return wrong("an escape is one of \\t \\n \\r \\\" \\\\ \\xHH");
    line_.remove_prefix(length);
    return {};
  }

  std::string_view whole_;
  std::string_view line_;
};

/// A word of an operation, and where it stands.
struct placed {
  std::string text;
  std::size_t column = 1;
  bool quoted = false;
  [[nodiscard]] misread wrong(std::string what) const { return {column, std::move(what)}; }
};

class txn_parser {
 public:
  result<parsed_txn> parse(std::string_view text) {
    std::size_t number = 0;
    int part = 0;
    while (!text.empty()) {
      ++number;
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.find_first_not_of(" \t") == std::string_view::npos) {
        ++part;
        continue;
      }
      if (auto taken = take(part, line); taken.has_error())
        return usage("line " + std::to_string(number) + ", column " + std::to_string(taken.error().column) + ": " +
                     taken.error().what);
    }
    return std::move(out_);
  }

 private:
  std::string_view keep(std::string bytes) { return out_.bytes.emplace_back(std::move(bytes)); }

  reading<void> take(int part, std::string_view line) {
    if (part == 0) return take_compare(line);
    if (part == 1) return take_operation(out_.what.success, line);
    if (part == 2) return take_operation(out_.what.failure, line);
    return misread{1, "nothing follows the operations of failure"};
  }

  static std::optional<kv::compare_target> target_of(std::string_view name) {
    if (name == "version" || name == "ver") return kv::compare_target::version;
    if (name == "create" || name == "c") return kv::compare_target::create;
    if (name == "mod" || name == "m") return kv::compare_target::mod;
    if (name == "value" || name == "val") return kv::compare_target::value;
    if (name == "lease") return kv::compare_target::lease;
    return std::nullopt;
  }

  static std::optional<kv::compare_relation> relation_of(std::string_view sign) {
    if (sign == "=") return kv::compare_relation::equal;
    if (sign == "!=") return kv::compare_relation::not_equal;
    if (sign == ">") return kv::compare_relation::greater;
    if (sign == "<") return kv::compare_relation::less;
    return std::nullopt;
  }

  reading<void> take_compare(std::string_view line) {
    line_reader in(line);
    in.skip_space();
    kv::compare c;
    const misread no_target = in.wrong("a compare begins with mod, create, version, value or lease");
    const std::string_view name = in.word("(");
    const auto target = target_of(name);
    if (!target) return misread{no_target.column, no_target.what + ", not with " + shown(name)};
    c.target = *target;
    if (!in.take("(") || !in.at_quote()) return in.wrong("a compare's key stands in (\"…\")");
    auto key = in.quoted_text();
    if (key.has_error()) return key.error();
    c.key = keep(std::move(*key));
    if (!in.take(")")) return in.wrong("a closing parenthesis is missing");
    in.skip_space();
    const misread no_relation = in.wrong("a compare's relation is one of = != < >");
    const auto relation = relation_of(in.word("\"'0123456789-"));
    if (!relation) return no_relation;
    c.relation = *relation;
    in.skip_space();
    if (auto taken = take_operand(in, c); taken.has_error()) return taken.error();
    in.skip_space();
    if (!in.at_end()) return in.wrong("nothing follows a compare's operand");
    out_.what.compares.push_back(c);
    return {};
  }

  reading<void> take_operand(line_reader& in, kv::compare& c) {
    const std::size_t column = in.column();
    if (in.at_end()) return in.wrong("a compare's operand is missing");
    auto operand = in.at_quote() ? in.quoted_text() : reading<std::string>(std::string(in.word({})));
    if (operand.has_error()) return operand.error();
    if (c.target == kv::compare_target::value) {
      c.value = keep(std::move(*operand));
      return {};
    }
    const char* const end = operand->data() + operand->size();
    const auto read = std::from_chars(operand->data(), end, c.number);
    if (read.ec != std::errc() || read.ptr != end)
      return misread{column, "a number is expected, not " + shown(*operand)};
    return {};
  }

  static reading<std::vector<placed>> words_of(std::string_view line) {
    std::vector<placed> words;
    line_reader in(line);
    for (in.skip_space(); !in.at_end(); in.skip_space()) {
      const std::size_t column = in.column();
      const bool quoted = in.at_quote();
      auto word = quoted ? in.quoted_text() : reading<std::string>(std::string(in.word("\"'")));
      if (word.has_error()) return word.error();
      words.push_back({std::move(*word), column, quoted});
    }
    return words;
  }

  reading<void> take_operation(std::vector<kv::operation>& list, std::string_view line) {
    auto words = words_of(line);
    if (words.has_error()) return words.error();
    const placed verb = words->front();
    words->erase(words->begin());
    if (verb.text == "put") return take_put(list, verb, std::move(*words));
    if (verb.text == "get") return take_range(list, verb, std::move(*words), true);
    if (verb.text == "del") return take_range(list, verb, std::move(*words), false);
    return verb.wrong("an operation begins with put, get or del, not with " + shown(verb.text));
  }

  reading<void> take_put(std::vector<kv::operation>& list, const placed& verb, std::vector<placed> words) {
    kv::put p;
    std::vector<placed> plain;
    for (placed& w : words) {
      if (!w.quoted && w.text == "--prev-kv")
        p.prev_kv = true;
      else
        plain.push_back(std::move(w));
    }
    if (plain.size() > 2) return plain[2].wrong("put takes a key and a value, and this is one word too many");
    if (plain.size() < 2) return verb.wrong("put takes a key and a value");
    p.key = keep(std::move(plain[0].text));
    p.value = keep(std::move(plain[1].text));
    list.push_back({p});
    return {};
  }

  /// Takes a word that is an option, and the next one if that is its value.
  static reading<bool> take_option(std::vector<placed>& words, std::size_t& i, bool get, kv::range_request& r,
                                   bool& prefix, bool& prev_kv) {
    const placed& w = words[i];
    if (w.quoted || !w.text.starts_with("--")) return false;
    if (w.text == "--prefix") {
      prefix = true;
    } else if (!get && w.text == "--prev-kv") {
      prev_kv = true;
    } else if (get && (w.text == "--keys-only" || w.text == "--count-only")) {
      (w.text == "--keys-only" ? r.keys_only : r.count_only) = true;
    } else if (get && (w.text == "--limit" || w.text == "--rev" || w.text == "--revision")) {
      const auto number = i + 1 < words.size() ? config::parse_count(words[i + 1].text) : std::nullopt;
      if (!number) return w.wrong(w.text + " takes a whole number");
      if (w.text == "--limit")
        r.limit = *number;
      else
        r.revision = revision(*number);
      ++i;
    } else {
      return w.wrong("no option " + shown(w.text) + " here");
    }
    return true;
  }

  reading<void> take_range(std::vector<kv::operation>& list, const placed& verb, std::vector<placed> words, bool get) {
    kv::range_request r;
    bool prefix = false;
    bool prev_kv = false;
    std::vector<placed> plain;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto option = take_option(words, i, get, r, prefix, prev_kv);
      if (option.has_error()) return option.error();
      if (!*option) plain.push_back(words[i]);
    }
    const std::size_t most = prefix ? 1 : 2;
    const std::string takes = verb.text + " takes a key, and a range's end or --prefix";
    if (plain.empty()) return verb.wrong(takes);
    if (plain.size() > most) return plain[most].wrong(takes + ", and this is one word too many");
    r.key = keep(std::move(plain[0].text));
    if (prefix) r.range_end = keep(kv::prefix_end(r.key));
    if (plain.size() == 2) r.range_end = keep(std::move(plain[1].text));
    if (prefix && r.key.empty()) r.key = keep(std::string(1, '\0'));
    if (get)
      list.push_back({r});
    else
      list.push_back({kv::delete_range{.key = r.key, .range_end = r.range_end, .prev_kv = prev_kv}});
    return {};
  }

  parsed_txn out_;
};

} // namespace

result<parsed_txn> parse_txn(std::string_view text) {
  return txn_parser().parse(text);
}

} // namespace quorumd::cli
