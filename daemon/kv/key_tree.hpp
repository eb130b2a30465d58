#pragma once

#include "daemon/kv/record.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorumd::kv {

/// Records in the order of their keys: a B+-tree that also knows how many of them are live below each of its branches,
/// so that counting the keys of a range, and finding the next live one behind any number of dead ones, take O(log n).
/// Does not own the records. A change of the tree ends the iterators but the one that it returns.
class key_tree {
  struct node;
  struct leaf;
  struct inner;

 public:
  /// A place between the first record and the end.
  class iterator {
   public:
    iterator() = default;
    [[nodiscard]] record& operator*() const;
    [[nodiscard]] record* operator->() const { return &**this; }
    iterator& operator++();
    iterator& operator--();
    friend bool operator==(const iterator&, const iterator&) = default;

   private:
    friend class key_tree;
    iterator(leaf* l, std::size_t slot)
        : leaf_(l)
        , slot_(slot) {}
    leaf* leaf_ = nullptr;
    std::size_t slot_ = 0;
  };

  key_tree() = default;
  key_tree(const key_tree&) = delete;
  key_tree& operator=(const key_tree&) = delete;
  ~key_tree();

  [[nodiscard]] iterator begin() const { return {first_leaf_, 0}; }
  [[nodiscard]] iterator end() const { return {last_leaf_, last_leaf_ == nullptr ? std::size_t{0} : last_leaf_->size}; }
  /// The first record whose key is not below this one.
  [[nodiscard]] iterator lower_bound(std::string_view key) const;
  /// The first live record at or behind the place; the end if there is none.
  [[nodiscard]] iterator next_live(iterator at) const;
  /// The last live record before the place; the end if there is none.
  [[nodiscard]] iterator previous_live(iterator at) const;
  /// Live records before the place.
  [[nodiscard]] std::uint64_t live_before(iterator at) const;
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Adds the record, whose key is not there yet, as one that is not live.
  iterator insert(record& r);
  /// Removes the record, which is there and not live.
  void erase(const record& r);
  /// The record there has become live, or is so no longer. Ends no iterator.
  void became_live(iterator at);
  void became_dead(iterator at);
  /// Grows with each change that ends iterators.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  static constexpr std::size_t leaf_slots = 59; // a leaf takes 512 bytes
  static constexpr std::size_t inner_slots = 32;

  struct node {
    inner* parent = nullptr;
    std::uint16_t slot = 0; ///< in the parent
    std::uint16_t size = 0;
    bool is_leaf = true;
  };
  struct leaf : node {
    leaf* previous = nullptr;
    leaf* next = nullptr;
    std::uint64_t live = 0; ///< a bit for each slot
    record* at[leaf_slots];
  };
  struct branch {
    const record* first; ///< of the child's records
    node* child;
    std::uint64_t live; ///< below the child
  };
  struct inner : node {
    branch at[inner_slots];
  };

  [[nodiscard]] static std::uint64_t live_in(const node& n);
  [[nodiscard]] static std::size_t slot_of(const leaf& l, std::string_view key);
  [[nodiscard]] leaf* leaf_of(std::string_view key) const;
  [[nodiscard]] static iterator first_live_below(node* n);
  [[nodiscard]] static iterator last_live_below(node* n);
  static void count(node* n, std::int64_t more);
  static void set_first(node* n, const record* first);
  static void insert_branch(inner& in, std::size_t slot, branch b);
  static void remove_branch(inner& in, std::size_t slot);
  static void move_upper(leaf& from, std::size_t keep, leaf& to);
  void link_behind(node& left, node& right, const record* first);
  inner& make_room(node& left);
  void unchain(leaf& l);
  void join(leaf& left, leaf& right);
  void join_if_sparse(leaf& l);
  void remove(node* n);
  static void destroy(node* n);

  node* root_ = nullptr;
  leaf* first_leaf_ = nullptr;
  leaf* last_leaf_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t changes_ = 0;
};

} // namespace quorumd::kv
