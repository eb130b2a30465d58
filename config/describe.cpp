#include "config/keys.hpp"

#include "config/table.hpp"

#include <utility>

namespace quorumd::config {

namespace {

constexpr std::size_t comment_width = 110;

std::string default_of(const key_spec& key) {
  if (key.required()) return "";
  return key.default_is.empty() ? value_text(key.value, settings{}) : std::string(key.default_is);
}

/// A text as comment lines of at most comment_width.
std::string comment(std::string_view indent, std::string_view text) {
  std::string out;
  std::string line(indent);
  line += '#';
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (line.size() + 1 + word.size() > comment_width) {
      out.append(line).append("\n");
      line.assign(indent).append("#");
    }
    line.append(" ").append(word);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out.append(line).append("\n");
}

std::string example_entry(const key_spec& key) {
  std::string text(key.meaning);
  text += '.';
  if (key.required()) text += " Required.";
  if (!key.default_is.empty()) text.append(" Default: ").append(key.default_is).append(".");
  if (const std::string range = range_text(key.value); !range.empty()) text.append(" (").append(range).append(")");
  std::string out = comment("  ", text);
  if (std::holds_alternative<members_value>(key.value))
    return out + "  members:\n    n1: 127.0.0.1:2380\n    # n2: node2.example:2380\n    # n3: node3.example:2380\n";
  // A key whose default depends on others stays commented out.
  out.append(key.default_is.empty() ? "  " : "  # ").append(key.leaf()).append(": ");
  if (key.required()) return out.append(key.example).append("\n");
  if (key.path == "cluster.join") return out.append("node2.example:2379\n");
  if (!key.default_is.empty())
    return out.append("node1.example:")
        .append(key.leaf() == "peer"      ? "2380"
                : key.leaf() == "metrics" ? "2381"
                                          : "2379")
        .append("\n");
  return out.append(default_of(key)).append("\n");
}

} // namespace

const std::vector<key_description>& describe_keys() {
  static const std::vector<key_description> all = [] {
    std::vector<key_description> out;
    for (const key_spec& key : table())
      out.push_back({std::string(key.path), type_name(key.value), default_of(key), range_text(key.value),
                     std::string(key.meaning), key.required()});
    return out;
  }();
  return all;
}

std::vector<key_change> changed_keys(const settings& before, const settings& after) {
  std::vector<key_change> out;
  for (const key_spec& key : table()) {
    std::string was = value_text(key.value, before);
    std::string is = value_text(key.value, after);
    if (was != is) out.push_back({std::string(key.path), std::move(was), std::move(is)});
  }
  return out;
}

std::string keys_markdown() {
  std::string out = "| key | default | range | meaning |\n| --- | --- | --- | --- |\n";
  for (const key_description& key : describe_keys()) {
    const bool in_words = find_key(key.path)->default_is.size() > 0;
    out.append("| `").append(key.path).append("` | ");
    if (key.required)
      out.append("required");
    else if (in_words)
      out.append(key.default_text);
    else
      out.append("`").append(key.default_text).append("`");
    out.append(" | ").append(key.range.empty() ? key.type : key.range).append(" | ").append(key.meaning).append(" |\n");
  }
  return out;
}

std::string example_yaml() {
  std::string out =
      "# quorumd's configuration. As it stands it runs a cluster of one on loopback; every key that is not\n"
      "# required shows its default. Durations are written 50ms, 2s, 1m, 1h; sizes 512B, 64KiB, 64MiB, 1GiB;\n"
      "# addresses HOST:PORT, an IPv6 address in brackets. Check a file with: quorumd check-config FILE\n"
      "# Each key can be overridden: quorumd serve --config FILE --set raft.heartbeat=100ms, or by a variable of the\n"
      "# environment, QUORUMD_RAFT_HEARTBEAT=100ms\n";
  std::string_view section;
  for (const key_spec& key : table()) {
    if (key.section() != section) {
      section = key.section();
      out.append("\n").append(comment("", std::string(section_meaning(section)) + "."));
      out.append(section).append(":\n");
    }
    out.append(example_entry(key));
  }
  return out;
}

} // namespace quorumd::config
