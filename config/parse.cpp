#include "config/config.hpp"

#include "config/table.hpp"
#include "config/validate.hpp"
#include "config/values.hpp"
#include "config/variables.hpp"
#include "config/yaml_tree.hpp"

#include <algorithm>

namespace quorumd::config {

namespace {

constexpr std::string_view members_key = "cluster.members";
constexpr std::string_view member_prefix = "cluster.members.";

/// Reads a document, then the overrides, into one settings, collecting every mistake on the way.
class reader {
 public:
  explicit reader(std::string source) { from_.nowhere = {std::move(source), 0, 0}; }

  void read_text(std::string_view text) {
    from_.nowhere.line = from_.nowhere.column = 1;
    const auto root = read_yaml(text, from_.nowhere.source, found_);
    if (!root) {
      readable_ = false;
      return;
    }
    if (root->is == yaml_node::kind::map) {
      for (const yaml_node& section : root->children) read_section(section);
    } else if (root->is != yaml_node::kind::nothing) {
      complain(root->at, "expected a mapping of sections, such as `node:`, got " + root->described());
      readable_ = false;
    }
  }

  void read_overrides(overrides set) {
    for (const std::string& text : set) read_override(text);
  }

  void read_variables(environment env) {
    for (const std::string& text : env) read_variable(text);
  }

  /// What `serve --data-dir` stands for, before the overrides.
  void single_node_base() {
    out_.node.name = "default";
    out_.cluster.name = "default";
    out_.listen.peer = {"127.0.0.1", 2380};
    out_.listen.client = {"127.0.0.1", 2379};
  }

  /// It was named on the command line, which comes before the environment.
  void take_data_dir(const std::filesystem::path& data_dir) {
    forgive("node.data_dir");
    take(*find_key("node.data_dir"), data_dir.string(), {"--data-dir", 0, 0});
  }

  /// And what follows from it once the overrides are known.
  void single_node_rest() {
    const auto dir = from_.given.find("node.data_dir");
    if (!from_.given.contains("listen.admin") && !from_.any_bad({"node.data_dir", "listen.admin"}))
      take(*find_key("listen.admin"), (out_.node.data_dir / "admin.sock").string(), dir->second);
    if (out_.cluster.joins()) {
      if (!from_.given.contains("cluster.name")) out_.cluster.name.clear();
      return;
    }
    if (!out_.cluster.members.empty() || from_.any_bad({members_key})) return;
    address own = from_.given.contains("advertise.peer") ? out_.advertise.peer : out_.listen.peer;
    if (own.wildcard()) own.host = "127.0.0.1";
    out_.cluster.members.push_back({out_.node.name, own});
  }

  void require_all() {
    if (!readable_) return;
    for (const key_spec& key : table()) {
      if (!key.required() || from_.given.contains(key.path) || from_.bad.contains(key.path)) continue;
      if (out_.cluster.joins() && (key.path == members_key || key.path == "cluster.name")) continue;
      const auto section = sections_.find(key.section());
      complain(section == sections_.end() ? from_.nowhere : section->second,
               std::string(key.path) + ": expected " + expectation(key.value) + ", got nothing: it is required");
      from_.bad.emplace(key.path);
    }
  }

  /// After finish().
  [[nodiscard]] std::vector<value_origin> origins(const settings& in_force) const {
    std::vector<value_origin> out;
    for (const key_spec& key : table()) {
      const auto given = from_.given.find(key.path);
      std::string from = "default";
      if (given != from_.given.end()) {
        const origin& at = given->second;
        from = at.line != 0                      ? mistake{at.source, at.line, at.column, {}}.place()
               : at.source.starts_with("--set ") ? "--set"
                                                 : at.source;
      }
      out.push_back({std::string(key.path), value_text(key.value, in_force), std::move(from)});
    }
    return out;
  }

  [[nodiscard]] result<settings> finish() {
    if (readable_) {
      complete(out_, from_);
      validate(out_, from_, found_);
    }
    if (found_.empty()) return std::move(out_);
    // The file's by position, then those of the command line as they came.
    const auto position = [](const mistake& m) {
      return m.line == 0 ? std::pair(SIZE_MAX, SIZE_MAX) : std::pair(m.line, m.column);
    };
    std::stable_sort(found_.begin(), found_.end(),
                     [&](const mistake& a, const mistake& b) { return position(a) < position(b); });
    return mistakes(std::move(found_));
  }

 private:
  void complain(const origin& at, std::string what) { found_.push_back(mistake_at(at, std::move(what))); }

  /// Notes that the key was given, and its complaint if there is one.
  void note(std::string_view path, const origin& at, const complaint& what) {
    from_.given.insert_or_assign(std::string(path), at);
    if (!what) return;
    from_.bad.emplace(path);
    found_.push_back(mistake_about(at, path, *what));
  }

  void take(const key_spec& key, std::string_view text, const origin& at) {
    note(key.path, at, assign(key.value, out_, text));
  }

  void read_section(const yaml_node& section) {
    if (!is_section(section.key)) {
      unknown_section(section);
      return;
    }
    sections_.emplace(section.key, section.key_at);
    if (section.is == yaml_node::kind::map) {
      for (const yaml_node& value : section.children) read_key(section.key + "." + value.key, value);
      return;
    }
    if (section.is == yaml_node::kind::nothing && !section.refused) return; // all its keys are commented out
    const std::string_view prefix = section.key;
    const key_spec* first = nullptr;
    for (const key_spec& key : table()) {
      if (key.section() != prefix) continue;
      if (first == nullptr) first = &key;
      from_.bad.emplace(key.path);
    }
    if (!section.refused)
      complain(section.at, section.key + ": expected a mapping of keys, such as `" + std::string(first->leaf()) +
                               "`, got " + section.described());
  }

  void unknown_section(const yaml_node& section) {
    const key_spec* whole = find_key(section.key);
    if (whole != nullptr) {
      complain(section.key_at, in_quotes(section.key) + ": expected the key `" + std::string(whole->leaf()) +
                                   "` in the section `" + std::string(whole->section()) + "`");
      from_.bad.emplace(whole->path);
      return;
    }
    // Something with a mapping was meant as a section, anything else as a key.
    const bool key_like = section.is == yaml_node::kind::scalar || section.is == yaml_node::kind::list;
    const std::string_view as_section = nearest_section(section.key);
    const key_spec& as_key = nearest_key(section.key);
    const bool nearer = edit_distance(section.key.substr(0, 128), as_key.leaf()) <
                        edit_distance(section.key.substr(0, 128), as_section);
    complain(section.key_at, "expected a known section, got " + in_quotes(section.key) + ": the nearest known " +
                                 (key_like && nearer ? "key is `" + std::string(as_key.path)
                                                     : "section is `" + std::string(as_section)) +
                                 "`");
  }

  void read_key(const std::string& path, const yaml_node& value) {
    const key_spec* key = find_key(path);
    if (key == nullptr) {
      complain(value.key_at, "expected a known key, got " + in_quotes(path) + ": the nearest known key is `" +
                                 std::string(nearest_key(path).path) + "`");
      return;
    }
    if (value.refused) {
      from_.bad.emplace(path);
    } else if (std::holds_alternative<members_value>(key->value)) {
      read_members(*key, value);
    } else if (const auto* list = std::get_if<list_value>(&key->value); list != nullptr) {
      read_list(*key, *list, value);
    } else if (value.is == yaml_node::kind::scalar) {
      take(*key, value.text, value.at);
    } else {
      wrong_type(*key, value);
    }
  }

  void wrong_type(const key_spec& key, const yaml_node& value) {
    note(key.path, value.at, "expected " + expectation(key.value) + ", got " + value.described());
  }

  void read_list(const key_spec& key, const list_value& list, const yaml_node& value) {
    if (value.is != yaml_node::kind::list) {
      wrong_type(key, value);
      return;
    }
    std::vector<std::string> items;
    for (const yaml_node& item : value.children) {
      if (item.refused) {
        from_.bad.emplace(key.path);
        continue;
      }
      settings scratch;
      complaint what;
      if (item.is != yaml_node::kind::scalar)
        what = "expected " + std::string(list.item) + ", got " + item.described();
      else
        what = assign_list(list, scratch, {item.text});
      if (what) note(key.path, item.at, what);
      items.push_back(item.text);
    }
    from_.given.insert_or_assign(std::string(key.path), value.at);
    if (!from_.bad.contains(key.path)) list.at(out_) = std::move(items);
  }

  void read_members(const key_spec& key, const yaml_node& value) {
    if (value.is != yaml_node::kind::map || value.children.empty()) {
      wrong_type(key, value);
      return;
    }
    from_.given.insert_or_assign(std::string(key.path), value.key_at);
    for (const yaml_node& entry : value.children) {
      const bool plain = entry.is == yaml_node::kind::scalar;
      if (!entry.refused && !plain)
        complain(entry.at, std::string(member_prefix) + entry.key +
                               ": expected HOST:PORT, such as 127.0.0.1:2380, got " + entry.described());
      if (plain && !entry.refused)
        take_member(entry.key, entry.text, valid_name(entry.key) ? entry.at : entry.key_at);
      else
        from_.bad.emplace(members_key); // the list is not what was meant: no rule about it is checked
    }
  }

  void take_member(std::string_view name, std::string_view text, const origin& at) {
    const complaint what = assign_member(out_, name, text);
    note(std::string(member_prefix).append(name), at, what);
    from_.given.emplace(members_key, at);
    if (what) from_.bad.emplace(members_key);
  }

  void read_override(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string path = text.substr(0, equals);
    const origin at{"--set " + path, 0, 0};
    if (equals == std::string::npos || equals == 0) {
      complain({"--set", 0, 0}, "expected KEY=VALUE, such as raft.heartbeat=100ms, got " + in_quotes(text));
      return;
    }
    const std::string_view value = std::string_view(text).substr(equals + 1);
    if (path.starts_with(member_prefix)) {
      forgive(path);
      take_member(path.substr(member_prefix.size()), value, at);
    } else if (path == members_key) {
      note(path, at, "expected cluster.members.NAME=HOST:PORT, got " + in_quotes(text));
    } else if (const key_spec* key = find_key(path); key != nullptr) {
      forgive(path);
      take(*key, value, at);
    } else {
      complain(at, "expected a known key, got " + in_quotes(path) + ": the nearest known key is `" +
                       std::string(nearest_key(path).path) + "`");
    }
  }

  void read_variable(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == text.size() || !names_a_key(name)) return;
    const std::string value = text.substr(equals + 1);
    const origin at{name, 0, 0};
    const key_spec* key = key_of_variable(name);
    if (key == nullptr) {
      complain(at, "expected the variable of a known key: the nearest is " +
                       variable_of(nearest_key(path_of_variable(name)).path));
    } else if (std::holds_alternative<members_value>(key->value)) {
      read_member_variable(value, at);
    } else {
      forgive(std::string(key->path));
      take(*key, value, at);
    }
  }

  /// `n1=host:2380,n2=host:2380` in place of the file's list.
  void read_member_variable(std::string_view text, const origin& at) {
    std::erase_if(from_.given, [](const auto& entry) { return entry.first.starts_with(member_prefix); });
    std::erase_if(from_.bad, [](const auto& path) { return path.starts_with(member_prefix); });
    forgive(std::string(members_key));
    out_.cluster.members.clear();
    from_.given.insert_or_assign(std::string(members_key), at);
    for (;;) {
      const std::size_t comma = text.find(',');
      const std::string_view one = text.substr(0, comma);
      const std::size_t equals = one.find('=');
      if (equals == std::string_view::npos) {
        note(members_key, at, "expected NAME=HOST:PORT, several with commas between, got " + in_quotes(one));
        return;
      }
      take_member(one.substr(0, equals), one.substr(equals + 1), at);
      if (comma == std::string_view::npos) return;
      text.remove_prefix(comma + 1);
    }
  }

  /// A value given anew can be held against the others again, whatever was wrong with the one before.
  void forgive(const std::string& path) {
    if (const auto found = from_.bad.find(path); found != from_.bad.end()) from_.bad.erase(found);
  }

  settings out_;
  provenance from_;
  std::vector<mistake> found_;
  std::map<std::string, origin, std::less<>> sections_;
  bool readable_ = true;
};

} // namespace

result<settings> parse(std::string_view text, const std::string& name, overrides set, environment env) {
  reader r(name);
  r.read_text(text);
  r.read_variables(env);
  r.read_overrides(set);
  r.require_all();
  return r.finish();
}

result<std::vector<value_origin>> explain_text(std::string_view text, const std::string& name, overrides set,
                                               environment env) {
  reader r(name);
  r.read_text(text);
  r.read_variables(env);
  r.read_overrides(set);
  r.require_all();
  const auto read = r.finish();
  if (read.has_error()) return read.error();
  return r.origins(*read);
}

result<settings> single_node(const std::filesystem::path& data_dir, overrides set, environment env) {
  reader r("--data-dir");
  r.single_node_base();
  r.read_variables(env);
  r.take_data_dir(data_dir);
  r.read_overrides(set);
  r.single_node_rest();
  return r.finish();
}

} // namespace quorumd::config
