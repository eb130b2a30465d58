#include "daemon/kv/key_tree.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <bit>

namespace quorumd::kv {
namespace {

/// The bits of the slots before this one.
constexpr std::uint64_t below(std::size_t slot) {
  return (std::uint64_t{1} << slot) - 1;
}

} // namespace

record& key_tree::iterator::operator*() const {
  return *leaf_->at[slot_];
}

key_tree::iterator& key_tree::iterator::operator++() {
  if (++slot_ == leaf_->size && leaf_->next != nullptr) *this = {leaf_->next, 0};
  return *this;
}

key_tree::iterator& key_tree::iterator::operator--() {
  if (slot_ == 0) *this = {leaf_->previous, leaf_->previous->size};
  --slot_;
  return *this;
}

key_tree::~key_tree() {
  if (root_ != nullptr) destroy(root_);
}

void key_tree::destroy(node* n) {
  if (n->is_leaf) {
    delete static_cast<leaf*>(n);
    return;
  }
  auto* in = static_cast<inner*>(n);
  for (std::size_t i = 0; i < in->size; ++i) destroy(in->at[i].child);
  delete in;
}

// --- looking ---

key_tree::leaf* key_tree::leaf_of(std::string_view key) const {
  node* n = root_;
  while (n != nullptr && !n->is_leaf) {
    const auto* in = static_cast<const inner*>(n);
    const auto after = std::upper_bound(in->at + 1, in->at + in->size, key,
                                        [](std::string_view k, const branch& b) { return k < b.first->key(); });
    n = std::prev(after)->child;
  }
  return static_cast<leaf*>(n);
}

std::size_t key_tree::slot_of(const leaf& l, std::string_view key) {
  const auto found =
      std::lower_bound(l.at, l.at + l.size, key, [](const record* r, std::string_view k) { return r->key() < k; });
  return static_cast<std::size_t>(found - l.at);
}

key_tree::iterator key_tree::lower_bound(std::string_view key) const {
  leaf* l = leaf_of(key);
  if (l == nullptr) return end();
  const std::size_t slot = slot_of(*l, key);
  if (slot == l->size && l->next != nullptr) return {l->next, 0};
  return {l, slot};
}

key_tree::iterator key_tree::first_live_below(node* n) {
  while (!n->is_leaf) {
    auto* in = static_cast<inner*>(n);
    n = std::find_if(in->at, in->at + in->size, [](const branch& b) { return b.live != 0; })->child;
  }
  auto* l = static_cast<leaf*>(n);
  return {l, static_cast<std::size_t>(std::countr_zero(l->live))};
}

key_tree::iterator key_tree::last_live_below(node* n) {
  while (!n->is_leaf) {
    auto* in = static_cast<inner*>(n);
    std::size_t i = in->size - 1U;
    while (in->at[i].live == 0) --i;
    n = in->at[i].child;
  }
  auto* l = static_cast<leaf*>(n);
  return {l, static_cast<std::size_t>(std::bit_width(l->live)) - 1};
}

key_tree::iterator key_tree::next_live(iterator at) const {
  if (at.leaf_ == nullptr) return end();
  if (const std::uint64_t here = at.leaf_->live & ~below(at.slot_))
    return {at.leaf_, static_cast<std::size_t>(std::countr_zero(here))};
  for (node* n = at.leaf_; n->parent != nullptr; n = n->parent)
    for (std::size_t i = n->slot + 1U; i < n->parent->size; ++i)
      if (n->parent->at[i].live != 0) return first_live_below(n->parent->at[i].child);
  return end();
}

key_tree::iterator key_tree::previous_live(iterator at) const {
  if (at.leaf_ == nullptr) return end();
  if (const std::uint64_t here = at.leaf_->live & below(at.slot_))
    return {at.leaf_, static_cast<std::size_t>(std::bit_width(here)) - 1};
  for (node* n = at.leaf_; n->parent != nullptr; n = n->parent)
    for (std::size_t i = n->slot; i-- > 0;)
      if (n->parent->at[i].live != 0) return last_live_below(n->parent->at[i].child);
  return end();
}

std::uint64_t key_tree::live_before(iterator at) const {
  if (at.leaf_ == nullptr) return 0;
  auto live = static_cast<std::uint64_t>(std::popcount(at.leaf_->live & below(at.slot_)));
  for (const node* n = at.leaf_; n->parent != nullptr; n = n->parent)
    for (std::size_t i = 0; i < n->slot; ++i) live += n->parent->at[i].live;
  return live;
}

std::uint64_t key_tree::live_in(const node& n) {
  if (n.is_leaf) return static_cast<std::uint64_t>(std::popcount(static_cast<const leaf&>(n).live));
  const auto& in = static_cast<const inner&>(n);
  std::uint64_t live = 0;
  for (std::size_t i = 0; i < in.size; ++i) live += in.at[i].live;
  return live;
}

// --- counting ---

void key_tree::count(node* n, std::int64_t more) {
  for (; n->parent != nullptr; n = n->parent) n->parent->at[n->slot].live += static_cast<std::uint64_t>(more);
}

void key_tree::became_live(iterator at) {
  const std::uint64_t bit = std::uint64_t{1} << at.slot_;
  QUORUMD_INVARIANT((at.leaf_->live & bit) == 0, "a record becomes live once");
  at.leaf_->live |= bit;
  count(at.leaf_, 1);
}

void key_tree::became_dead(iterator at) {
  const std::uint64_t bit = std::uint64_t{1} << at.slot_;
  QUORUMD_INVARIANT((at.leaf_->live & bit) != 0, "only a live record dies");
  at.leaf_->live &= ~bit;
  count(at.leaf_, -1);
}

// --- growing ---

key_tree::iterator key_tree::insert(record& r) {
  ++changes_;
  ++size_;
  if (root_ == nullptr) root_ = first_leaf_ = last_leaf_ = new leaf;
  leaf* l = leaf_of(r.key());
  std::size_t slot = slot_of(*l, r.key());
  if (l->size == leaf_slots) {
    // What comes in the order of keys leaves full leaves behind.
    const bool appends = slot == leaf_slots && l->next == nullptr;
    auto* right = new leaf;
    move_upper(*l, appends ? leaf_slots : leaf_slots / 2, *right);
    if (last_leaf_ == l) last_leaf_ = right;
    link_behind(*l, *right, appends ? &r : right->at[0]);
    if (appends || slot > l->size) {
      slot -= l->size;
      l = right;
    }
  }
  std::copy_backward(l->at + slot, l->at + l->size, l->at + l->size + 1);
  l->at[slot] = &r;
  ++l->size;
  l->live = (l->live & below(slot)) | ((l->live & ~below(slot)) << 1);
  if (slot == 0) set_first(l, &r);
  return {l, slot};
}

void key_tree::move_upper(leaf& from, std::size_t keep, leaf& to) {
  std::copy(from.at + keep, from.at + from.size, to.at);
  to.size = static_cast<std::uint16_t>(from.size - keep);
  to.live = from.live >> keep;
  from.size = static_cast<std::uint16_t>(keep);
  from.live &= below(keep);
  to.previous = &from;
  to.next = from.next;
  if (to.next != nullptr) to.next->previous = &to;
  from.next = &to;
}

/// Makes `right`, which took a part of what was below `left`, the branch behind it.
void key_tree::link_behind(node& left, node& right, const record* first) {
  inner& parent = make_room(left);
  insert_branch(parent, left.slot + 1U, {first, &right, live_in(right)});
  parent.at[left.slot].live = live_in(left);
}

/// The parent of the node, which has room for one branch more behind it.
key_tree::inner& key_tree::make_room(node& left) {
  if (left.parent == nullptr) {
    auto* above = new inner;
    above->is_leaf = false;
    const node* n = &left;
    while (!n->is_leaf) n = static_cast<const inner*>(n)->at[0].child;
    insert_branch(*above, 0, {static_cast<const leaf*>(n)->at[0], &left, live_in(left)});
    root_ = above;
  }
  inner& full = *left.parent;
  if (full.size < inner_slots) return full;
  const std::size_t keep = left.slot + 1U == inner_slots ? inner_slots - 1 : inner_slots / 2;
  auto* right = new inner;
  right->is_leaf = false;
  for (std::size_t i = keep; i < inner_slots; ++i) insert_branch(*right, i - keep, full.at[i]);
  full.size = static_cast<std::uint16_t>(keep);
  link_behind(full, *right, right->at[0].first);
  return *left.parent;
}

void key_tree::insert_branch(inner& in, std::size_t slot, branch b) {
  std::copy_backward(in.at + slot, in.at + in.size, in.at + in.size + 1);
  in.at[slot] = b;
  ++in.size;
  b.child->parent = &in;
  for (std::size_t i = slot; i < in.size; ++i) in.at[i].child->slot = static_cast<std::uint16_t>(i);
}

void key_tree::set_first(node* n, const record* first) {
  for (; n->parent != nullptr; n = n->parent) {
    n->parent->at[n->slot].first = first;
    if (n->slot != 0) return;
  }
}

// --- shrinking ---

void key_tree::erase(const record& r) {
  ++changes_;
  --size_;
  leaf* l = leaf_of(r.key());
  const std::size_t slot = slot_of(*l, r.key());
  QUORUMD_INVARIANT(slot < l->size && l->at[slot] == &r && (l->live >> slot & 1) == 0, "what leaves is there and dead");
  std::copy(l->at + slot + 1, l->at + l->size, l->at + slot);
  --l->size;
  l->live = (l->live & below(slot)) | ((l->live >> 1) & ~below(slot));
  if (l->size == 0) {
    unchain(*l);
    remove(l);
    return;
  }
  if (slot == 0) set_first(l, l->at[0]);
  if (l->size < leaf_slots / 4) join_if_sparse(*l);
}

void key_tree::unchain(leaf& l) {
  (l.previous != nullptr ? l.previous->next : first_leaf_) = l.next;
  (l.next != nullptr ? l.next->previous : last_leaf_) = l.previous;
}

void key_tree::join_if_sparse(leaf& l) {
  constexpr std::size_t joined_max = leaf_slots * 3 / 4; // so that the next insert does not split it again
  const auto joins = [](const leaf* a, const leaf* b) {
    return a != nullptr && b != nullptr && a->parent == b->parent && a->size + std::size_t{b->size} <= joined_max;
  };
  if (joins(&l, l.next))
    join(l, *l.next);
  else if (joins(l.previous, &l))
    join(*l.previous, l);
}

void key_tree::join(leaf& left, leaf& right) {
  std::copy(right.at, right.at + right.size, left.at + left.size);
  left.live |= right.live << left.size;
  left.size = static_cast<std::uint16_t>(left.size + right.size);
  left.parent->at[left.slot].live = live_in(left);
  left.parent->at[right.slot].live = 0;
  unchain(right);
  remove(&right);
}

/// Nothing live is below the node.
void key_tree::remove(node* n) {
  inner* parent = n->parent;
  const std::size_t slot = n->slot;
  if (n->is_leaf)
    delete static_cast<leaf*>(n);
  else
    delete static_cast<inner*>(n);
  if (parent == nullptr) {
    root_ = nullptr;
    return;
  }
  remove_branch(*parent, slot);
  if (parent->size == 0) {
    remove(parent);
    return;
  }
  if (slot == 0) set_first(parent, parent->at[0].first);
  while (!root_->is_leaf && root_->size == 1) {
    auto* above = static_cast<inner*>(root_);
    root_ = above->at[0].child;
    root_->parent = nullptr;
    root_->slot = 0;
    delete above;
  }
}

void key_tree::remove_branch(inner& in, std::size_t slot) {
  std::copy(in.at + slot + 1, in.at + in.size, in.at + slot);
  --in.size;
  for (std::size_t i = slot; i < in.size; ++i) in.at[i].child->slot = static_cast<std::uint16_t>(i);
}

} // namespace quorumd::kv
