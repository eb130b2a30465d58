#include "config/yaml_tree.hpp"

#include "config/values.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace quorumd::config {

namespace {

/// Builds the tree from the parser's events: unlike yaml-cpp's own nodes, these still show aliases, tags, duplicates
/// and where each key stands.
class tree_builder final : public YAML::EventHandler {
 public:
  tree_builder(const std::string& source, std::vector<mistake>& found)
      : source_(source)
      , found_(found) {}

  [[nodiscard]] yaml_node take() { return std::move(root_); }
  [[nodiscard]] const origin& document_at() const { return document_at_; }

  void OnDocumentStart(const YAML::Mark& mark) override { document_at_ = at(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(make(mark, yaml_node::kind::nothing)); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    complain(at(mark), "expected a value, got an alias: write the value out");
    yaml_node node = make(mark, yaml_node::kind::nothing);
    node.refused = true;
    add(std::move(node));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    check_tag(mark, tag);
    yaml_node node = make(mark, yaml_node::kind::scalar);
    node.text = value;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, yaml_node::kind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, yaml_node::kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct frame {
    yaml_node node;
    bool has_key = false;
    bool key_refused = false;
    std::string key;
    origin key_at;
    std::map<std::string, std::size_t> lines; ///< of the keys so far
  };

  [[nodiscard]] origin at(const YAML::Mark& mark) const {
    // The marks count from 0, and a missing one is -1.
    return {source_, static_cast<std::size_t>(std::max(mark.line, 0)) + 1,
            static_cast<std::size_t>(std::max(mark.column, 0)) + 1};
  }

  [[nodiscard]] yaml_node make(const YAML::Mark& mark, yaml_node::kind kind) const {
    yaml_node node;
    node.is = kind;
    node.at = at(mark);
    return node;
  }

  void complain(const origin& where, std::string what) { found_.push_back(mistake_at(where, std::move(what))); }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    complain(at(mark), "expected a value without a tag, got the tag " + in_quotes(tag));
  }

  void open(const YAML::Mark& mark, yaml_node::kind kind) { open_.emplace_back().node = make(mark, kind); }

  void close() {
    yaml_node node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(yaml_node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    frame& top = open_.back();
    if (top.node.is == yaml_node::kind::list) {
      top.node.children.push_back(std::move(node));
    } else if (!top.has_key) {
      begin_pair(top, node);
    } else {
      end_pair(top, std::move(node));
    }
  }

  void begin_pair(frame& top, const yaml_node& node) {
    top.has_key = true;
    top.key_refused = node.refused;
    top.key = node.text;
    top.key_at = node.at;
    if (node.refused) return;
    if (node.is != yaml_node::kind::scalar) {
      complain(node.at, "expected a key, got " + node.described());
      top.key_refused = true;
      return;
    }
    const auto [first, fresh] = top.lines.emplace(node.text, node.at.line);
    if (fresh) return;
    complain(node.at, "expected each key once, but " + in_quotes(node.text) + " stands already in line " +
                          std::to_string(first->second));
    top.key_refused = true;
  }

  void end_pair(frame& top, yaml_node node) {
    top.has_key = false;
    if (top.key_refused) return;
    node.key = std::move(top.key);
    node.key_at = top.key_at;
    // An empty value's mark points at whatever comes next.
    if (node.is == yaml_node::kind::nothing) node.at = node.key_at;
    top.node.children.push_back(std::move(node));
  }

  std::string source_;
  std::vector<mistake>& found_;
  yaml_node root_;
  origin document_at_;
  std::vector<frame> open_;
};

} // namespace

std::string yaml_node::described() const {
  switch (is) {
  case kind::nothing:
    return "nothing";
  case kind::scalar:
    return in_quotes(text);
  case kind::list:
    return "a list";
  case kind::map:
    return "a mapping";
  }
  return "";
}

std::optional<yaml_node> read_yaml(std::string_view text, const std::string& source, std::vector<mistake>& found) {
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    tree_builder first(source, found);
    parser.HandleNextDocument(first);
    std::vector<mistake> ignored;
    tree_builder second(source, ignored);
    if (parser.HandleNextDocument(second))
      found.push_back(mistake_at(second.document_at(), "expected the file to end, got a second document"));
    return first.take();
  } catch (const YAML::Exception& e) {
    const bool known = !e.mark.is_null();
    found.push_back({source, known ? static_cast<std::size_t>(e.mark.line) + 1 : 1,
                     known ? static_cast<std::size_t>(e.mark.column) + 1 : 1, "expected YAML: " + e.msg});
  }
  return std::nullopt;
}

} // namespace quorumd::config
