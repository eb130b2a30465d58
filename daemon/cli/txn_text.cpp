#include "daemon/cli/txn_text.hpp"

#include "config/values.hpp"
#include "daemon/cli/text.hpp"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

/// Reads one line from left to right.
class line_reader {
 public:
  explicit line_reader(std::string_view line)
      : line_(line) {}

  void skip_space() {
    while (!line_.empty() && (line_.front() == ' ' || line_.front() == '\t')) line_.remove_prefix(1);
  }
  [[nodiscard]] bool at_end() const { return line_.empty(); }
  [[nodiscard]] char front() const { return line_.empty() ? '\0' : line_.front(); }
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

  /// A text in double quotes, the opening one in front.
  result<std::string> quoted_text() {
    std::string inner;
    line_.remove_prefix(1);
    while (!line_.empty() && line_.front() != '"') {
      if (line_.front() != '\\') {
        inner += line_.front();
        line_.remove_prefix(1);
        continue;
      }
      if (auto taken = escape(inner); taken.has_error()) return taken.error();
    }
    if (line_.empty()) return usage("a text in quotes has no end");
    line_.remove_prefix(1);
    return inner;
  }

 private:
  result<void> escape(std::string& out) {
    const char kind = line_.size() > 1 ? line_[1] : '\0';
    if (kind == '"' || kind == 'r') {
      out += kind == '"' ? '"' : '\r';
      line_.remove_prefix(2);
      return {};
    }
    const std::size_t length = std::min<std::size_t>(kind == 'x' ? 4 : 2, line_.size());
    if (append_unescaped(out, line_.substr(0, length)).has_error())
      return usage("an escape is one of \\t \\n \\r \\\" \\\\ \\xHH");
    line_.remove_prefix(length);
    return {};
  }

  std::string_view line_;
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
        return usage("line " + std::to_string(number) + ": " + taken.error().message());
    }
    return std::move(out_);
  }

 private:
  std::string_view keep(std::string bytes) { return out_.bytes.emplace_back(std::move(bytes)); }

  result<void> take(int part, std::string_view line) {
    if (part == 0) return take_compare(line);
    if (part == 1) return take_operation(out_.what.success, line);
    if (part == 2) return take_operation(out_.what.failure, line);
    return usage("nothing follows the operations of failure");
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

  result<void> take_compare(std::string_view line) {
    line_reader in(line);
    in.skip_space();
    kv::compare c;
    const std::string_view name = in.word("(");
    const auto target = target_of(name);
    if (!target) return usage("a compare begins with mod, create, version, value or lease, not with " + shown(name));
    c.target = *target;
    if (!in.take("(") || in.front() != '"') return usage("a compare's key stands in (\"…\")");
    auto key = in.quoted_text();
    if (key.has_error()) return key.error();
    c.key = keep(std::move(*key));
    if (!in.take(")")) return usage("a closing parenthesis is missing");
    in.skip_space();
    const auto relation = relation_of(in.word("\"0123456789-"));
    if (!relation) return usage("a compare's relation is one of = != < >");
    c.relation = *relation;
    in.skip_space();
    auto operand = in.front() == '"' ? in.quoted_text() : result<std::string>(std::string(in.word({})));
    if (operand.has_error()) return operand.error();
    in.skip_space();
    if (!in.at_end()) return usage("nothing follows a compare's operand");
    if (c.target == kv::compare_target::value) {
      c.value = keep(std::move(*operand));
    } else {
      const char* const end = operand->data() + operand->size();
      const auto read = std::from_chars(operand->data(), end, c.number);
      if (read.ec != std::errc() || read.ptr != end) return usage("a number is expected, not " + shown(*operand));
    }
    out_.what.compares.push_back(c);
    return {};
  }

  result<std::vector<std::string>> words_of(std::string_view line) {
    std::vector<std::string> words;
    line_reader in(line);
    for (in.skip_space(); !in.at_end(); in.skip_space()) {
      auto word = in.front() == '"' ? in.quoted_text() : result<std::string>(std::string(in.word("\"")));
      if (word.has_error()) return word.error();
      words.push_back(std::move(*word));
    }
    return words;
  }

  result<void> take_operation(std::vector<kv::operation>& list, std::string_view line) {
    auto words = words_of(line);
    if (words.has_error()) return words.error();
    const std::string verb = words->front();
    words->erase(words->begin());
    if (verb == "put") return take_put(list, std::move(*words));
    if (verb == "get") return take_range(list, std::move(*words), true);
    if (verb == "del") return take_range(list, std::move(*words), false);
    return usage("an operation begins with put, get or del, not with " + shown(verb));
  }

  result<void> take_put(std::vector<kv::operation>& list, std::vector<std::string> words) {
    if (words.size() != 2) return usage("put takes a key and a value");
    kv::put p;
    p.key = keep(std::move(words[0]));
    p.value = keep(std::move(words[1]));
    list.push_back({p});
    return {};
  }

  result<void> take_range(std::vector<kv::operation>& list, std::vector<std::string> words, bool get) {
    kv::range_request r;
    bool prefix = false;
    std::vector<std::string> plain;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& w = words[i];
      if (w == "--prefix") {
        prefix = true;
      } else if (get && (w == "--keys-only" || w == "--count-only")) {
        (w == "--keys-only" ? r.keys_only : r.count_only) = true;
      } else if (get && (w == "--limit" || w == "--rev" || w == "--revision")) {
        const auto number = i + 1 < words.size() ? config::parse_count(words[i + 1]) : std::nullopt;
        if (!number) return usage(w + " takes a whole number");
        if (w == "--limit")
          r.limit = *number;
        else
          r.revision = revision(*number);
        ++i;
      } else if (w.starts_with("--")) {
        return usage("no option " + shown(w) + " here");
      } else {
        plain.push_back(w);
      }
    }
    if (plain.empty() || plain.size() > 2 || (prefix && plain.size() == 2))
      return usage(std::string(get ? "get" : "del") + " takes a key, and a range's end or --prefix");
    r.key = keep(std::move(plain[0]));
    if (prefix) r.range_end = keep(kv::prefix_end(r.key));
    if (plain.size() == 2) r.range_end = keep(std::move(plain[1]));
    if (prefix && r.key.empty()) r.key = keep(std::string(1, '\0'));
    if (get)
      list.push_back({r});
    else
      list.push_back({kv::delete_range{.key = r.key, .range_end = r.range_end}});
    return {};
  }

  parsed_txn out_;
};

} // namespace

result<parsed_txn> parse_txn(std::string_view text) {
  return txn_parser().parse(text);
}

} // namespace quorumd::cli
