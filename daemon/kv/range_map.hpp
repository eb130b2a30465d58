#pragma once

#include "daemon/kv/key_ranges.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace quorumd::kv {

/// A value for each of many ranges of keys, which may overlap in any way: those that contain a key are found in
/// O(log n) each at most. An AVL tree in the order of first keys, each node of which knows where the ranges below it
/// end. Ranges are not empty, nor single keys. A value and its range never move.
template <class T>
class range_map {
  struct node;
  using link = std::unique_ptr<node>;

 public:
  struct entry {
    const std::string key;
    const std::string range_end;
    T value;
  };

  /// The entry of exactly that range, made if need be.
  entry& at(std::string_view key, std::string_view range_end) {
    for (node* n = root_.get(); n != nullptr;) {
      const int order = compare(key, range_end, *n);
      if (order == 0) return n->of;
      n = (order < 0 ? n->left : n->right).get();
    }
    auto made = std::make_unique<node>(std::string(key), std::string(range_end));
    entry& e = made->of;
    insert(root_, std::move(made));
    return e;
  }
  /// Removes the entry of exactly that range, which is there.
  void erase(std::string_view key, std::string_view range_end) { erase(root_, key, range_end); }
  [[nodiscard]] bool empty() const { return root_ == nullptr; }

  /// Calls f with the value of each range that contains the key, in the order of their first keys.
  template <class F>
  void for_each_at(std::string_view key, const F& f) {
    visit(root_.get(), key, f);
  }

 private:
  struct node {
    node(std::string key, std::string range_end)
        : of{std::move(key), std::move(range_end), T()}
        , last_end(of.range_end) {}

    entry of;
    int height = 1;
    std::string_view last_end; ///< of the ranges of this node and below
    link left;
    link right;
  };

  static int compare(std::string_view key, std::string_view range_end, const node& n) {
    const int order = key.compare(n.of.key);
    return order != 0 ? order : range_end.compare(n.of.range_end);
  }
  static std::string_view later(std::string_view a, std::string_view b) { return below(a, b) && a != no_end ? b : a; }
  static int height(const link& l) { return l ? l->height : 0; }
  static void update(node& n) {
    n.height = 1 + std::max(height(n.left), height(n.right));
    n.last_end = n.of.range_end;
    for (const link* child : {&n.left, &n.right})
      if (*child) n.last_end = later(n.last_end, (*child)->last_end);
  }

  static void rotate_right(link& at) {
    link left = std::move(at->left);
    at->left = std::move(left->right);
    update(*at);
    left->right = std::move(at);
    at = std::move(left);
    update(*at);
  }
  static void rotate_left(link& at) {
    link right = std::move(at->right);
    at->right = std::move(right->left);
    update(*at);
    right->left = std::move(at);
    at = std::move(right);
    update(*at);
  }
  static void balance(link& at) {
    update(*at);
    if (height(at->left) > height(at->right) + 1) {
      if (height(at->left->left) < height(at->left->right)) rotate_left(at->left);
      rotate_right(at);
    } else if (height(at->right) > height(at->left) + 1) {
      if (height(at->right->right) < height(at->right->left)) rotate_right(at->right);
      rotate_left(at);
    }
  }

  static void insert(link& at, link made) {
    if (!at) {
      at = std::move(made);
      return;
    }
    insert(compare(made->of.key, made->of.range_end, *at) < 0 ? at->left : at->right, std::move(made));
    balance(at);
  }
  static void take_first(link& at, link& first) {
    if (at->left) {
      take_first(at->left, first);
      balance(at);
    } else {
      first = std::move(at);
      at = std::move(first->right);
    }
  }
  static void erase(link& at, std::string_view key, std::string_view range_end) {
    const int order = compare(key, range_end, *at);
    if (order != 0) {
      erase(order < 0 ? at->left : at->right, key, range_end);
    } else {
      const link gone = std::move(at);
      if (!gone->right) {
        at = std::move(gone->left);
        return;
      }
      take_first(gone->right, at);
      at->left = std::move(gone->left);
      at->right = std::move(gone->right);
    }
    balance(at);
  }
  template <class F>
  static void visit(node* n, std::string_view key, const F& f) {
    if (n == nullptr || !below(key, n->last_end)) return;
    visit(n->left.get(), key, f);
    if (key < n->of.key) return;
    if (below(key, n->of.range_end)) f(n->of.value);
    visit(n->right.get(), key, f);
  }

  link root_;
};

} // namespace quorumd::kv
