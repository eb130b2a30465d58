#include "daemon/cli/sorted_keys.hpp"

#include <algorithm>

namespace quorumd::cli {

void sorted_keys::add(const kv::key_value_view& v) {
  items_.push_back({std::string(v.key), std::string(v.value), v, added_++});
  items_.back().view.key = items_.back().view.value = {};
  if (limit_ != 0 && items_.size() >= 2 * limit_ && items_.size() >= 1024) cut();
}

std::vector<kv::key_value_view> sorted_keys::take() {
  cut();
  std::vector<kv::key_value_view> out;
  out.reserve(items_.size());
  for (const item& i : items_) {
    out.push_back(i.view);
    out.back().key = i.key;
    out.back().value = i.value;
  }
  return out;
}

void sorted_keys::cut() {
  std::sort(items_.begin(), items_.end(), [this](const item& a, const item& b) { return before(a, b); });
  if (limit_ != 0 && items_.size() > limit_) items_.resize(limit_);
}

bool sorted_keys::before(const item& a, const item& b) const {
  const item& first = descending_ ? b : a;
  const item& second = descending_ ? a : b;
  switch (by_) {
  case kv::sort_target::key:
    return first.place < second.place;
  case kv::sort_target::version:
    if (a.view.version != b.view.version) return first.view.version < second.view.version;
    break;
  case kv::sort_target::create:
    if (a.view.create_revision != b.view.create_revision)
      return first.view.create_revision < second.view.create_revision;
    break;
  case kv::sort_target::mod:
    if (a.view.mod_revision != b.view.mod_revision) return first.view.mod_revision < second.view.mod_revision;
    break;
  case kv::sort_target::value:
    if (a.value != b.value) return first.value < second.value;
    break;
  }
  return a.place < b.place;
}

} // namespace quorumd::cli
