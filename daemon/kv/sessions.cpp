#include "daemon/kv/sessions.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/record.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace quorumd::kv {
namespace {

// --- what a reply takes, and a copy of it ---

template <class Item>
struct items_of {
  std::size_t& operations;
  Item item;

  template <class R>
  void operator()(R& r) {
    using body = std::remove_const_t<R>;
    if constexpr (std::is_same_v<body, put_reply>) {
      if (r.prev) item(*r.prev);
    } else if constexpr (std::is_same_v<body, delete_range_reply>) {
      for (auto& k : r.prev) item(k);
    } else if constexpr (std::is_same_v<body, range_reply>) {
      for (auto& k : r.kvs) item(k);
    } else if constexpr (std::is_same_v<body, txn_reply>) {
      operations += r.responses.size();
      for (auto& o : r.responses) std::visit(*this, o.what);
    }
  }
};

/// The keys and values in a reply, and how many operations it answers.
template <class Item, class R>
void each_item(R& r, std::size_t& operations, Item item) {
  std::visit(items_of<Item>{operations, item}, r.body);
}

bool is_plain_put(const reply& r) {
  const auto* p = std::get_if<put_reply>(&r.body);
  return p != nullptr && !p->prev;
}

// --- hashes ---

std::uint64_t hash_of_head(const session_record& s) {
  return hash_of(std::array{s.id.value(), s.idle_ms_max, s.used_ms, s.answered});
}

std::uint64_t hash_of_kept(session_id id, const kept_answer& k) {
  std::uint64_t code = 0;
  std::uint64_t bound = 0;
  if (const auto* e = std::get_if<error>(&k.what)) {
    code = static_cast<std::uint64_t>(e->code());
    bound = e->bound().value();
  }
  return hash_of(std::array{id.value(), k.sequence, k.after.value(), k.what.index(), code, bound});
}

std::uint64_t hash_of_all(const session_record& s) {
  std::uint64_t sum = hash_of_head(s);
  for (const kept_answer& k : s.kept) sum += hash_of_kept(s.id, k);
  return sum;
}

std::size_t bytes_of(const kept_answer& k) {
  const auto* whole = std::get_if<std::shared_ptr<const owned_reply>>(&k.what);
  return whole == nullptr ? 0 : owned_reply::bytes_of((*whole)->get());
}

/// Where the answer of that sequence is, or belongs.
template <class Kept>
auto place_of(Kept& kept, std::uint64_t sequence) {
  return std::lower_bound(kept.begin(), kept.end(), sequence,
                          [](const kept_answer& k, std::uint64_t s) { return k.sequence < s; });
}

kept_answer keep(std::uint64_t sequence, const result<reply>& r, std::size_t bytes_left) {
  if (!r) return {.sequence = sequence, .after = {}, .what = r.error()};
  kept_answer k{.sequence = sequence, .after = (*r).revision, .what = kept_answer::plain_put{}};
  if (is_plain_put(*r)) return k;
  if (owned_reply::bytes_of(*r) > bytes_left)
    k.what = kept_answer::not_kept{};
  else
    k.what = std::make_shared<const owned_reply>(*r);
  return k;
}

} // namespace

owned_reply::owned_reply(const reply& r)
    : reply_(r) {
  std::size_t bytes = 0;
  std::size_t operations = 0;
  each_item(r, operations, [&](const key_value_view& k) { bytes += k.key.size() + k.value.size(); });
  bytes_ = std::make_unique<char[]>(bytes);
  char* at = bytes_.get();
  const auto own = [&](std::string_view& text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    text = {at, text.size()};
    at += text.size();
  };
  each_item(reply_, operations, [&](key_value_view& k) {
    own(k.key);
    own(k.value);
  });
}

std::size_t owned_reply::bytes_of(const reply& r) {
  std::size_t bytes = sizeof(owned_reply);
  std::size_t operations = 0;
  each_item(r, operations, [&](const key_value_view& k) { bytes += sizeof k + k.key.size() + k.value.size(); });
  return bytes + operations * sizeof(operation_reply);
}

result<reply> kept_answer::answer() const {
  if (const auto* e = std::get_if<error>(&what)) return *e;
  if (const auto* whole = std::get_if<std::shared_ptr<const owned_reply>>(&what)) return (*whole)->get();
  if (std::holds_alternative<not_kept>(what)) return error(errc::answer_not_kept, after);
  return reply{after, put_reply{}};
}

const kept_answer* session_record::find(std::uint64_t sequence) const {
  const auto at = place_of(kept, sequence);
  return at == kept.end() || at->sequence != sequence ? nullptr : &*at;
}

// --- beginning and end ---

result<session_id> sessions::open(log_index at, const open_session& o) {
  if (all_.size() >= sessions_max) {
    const auto idle_longest = std::min_element(
        all_.begin(), all_.end(), [](const auto& a, const auto& b) { return a.second->used_ms < b.second->used_ms; });
    if (now_ms_ - idle_longest->second->used_ms < session_kept_ms_least) return error(errc::too_many_sessions);
    end(idle_longest);
  }
  session_id id(hash_of(std::array{at.value(), o.nonce}));
  while (!id || all_.contains(id)) id = id.next();
  auto made = std::make_shared<session_record>();
  made->id = id;
  made->idle_ms_max = o.idle_ms_max;
  made->used_ms = now_ms_;
  hash_ += hash_of_head(*made);
  all_.emplace(id, std::move(made));
  return id;
}

result<void> sessions::close(session_id id) {
  const auto at = all_.find(id);
  if (at == all_.end()) return error(errc::session_unknown);
  end(at);
  return {};
}

void sessions::pass(std::uint64_t ms) {
  now_ms_ += ms;
  for (auto at = all_.begin(); at != all_.end();) {
    const auto here = at++;
    if (now_ms_ - here->second->used_ms > here->second->idle_ms_max) end(here);
  }
}

void sessions::end(table::iterator at) {
  hash_ -= hash_of_all(*at->second);
  all_.erase(at);
}

// --- commands ---

std::optional<result<reply>> sessions::known(const session_call& c) const {
  const auto at = all_.find(c.session);
  if (at == all_.end()) return error(errc::session_unknown);
  if (c.sequence <= at->second->answered) return error(errc::session_answered);
  const kept_answer* k = at->second->find(c.sequence);
  if (k == nullptr) return std::nullopt;
  return k->answer();
}

void sessions::settle(const session_call& c, const result<reply>& r) {
  const auto at = all_.find(c.session);
  if (at == all_.end() || c.sequence <= at->second->answered) return;
  session_record& s = edit(at);
  use(s, c.answered);
  const auto place = place_of(s.kept, c.sequence);
  if (place != s.kept.end() && place->sequence == c.sequence) return;
  kept_answer k = keep(c.sequence, r, session_answer_bytes_max - s.kept_bytes);
  s.kept_bytes += bytes_of(k);
  hash_ += hash_of_kept(s.id, k);
  s.kept.insert(place, std::move(k));
}

/// The record to write to: one that a capture refers to stays as it is.
session_record& sessions::edit(table::iterator at) {
  if (at->second.use_count() > 1) at->second = std::make_shared<session_record>(*at->second);
  return *at->second;
}

/// A command of it came.
void sessions::use(session_record& s, std::uint64_t answered) {
  hash_ -= hash_of_head(s);
  s.used_ms = now_ms_;
  s.answered = std::max(s.answered, answered);
  hash_ += hash_of_head(s);
  while (!s.kept.empty() && s.kept.front().sequence <= s.answered) {
    s.kept_bytes -= bytes_of(s.kept.front());
    hash_ -= hash_of_kept(s.id, s.kept.front());
    s.kept.pop_front();
  }
}

// --- snapshots ---

std::uint64_t sessions::hash() const {
  return now_ms_ == 0 && all_.empty() ? 0 : hash_of(std::array{hash_, now_ms_});
}

std::uint64_t sessions::recompute_hash() const {
  std::uint64_t sum = 0;
  for (const auto& [id, s] : all_) sum += hash_of_all(*s);
  return now_ms_ == 0 && all_.empty() ? 0 : hash_of(std::array{sum, now_ms_});
}

std::vector<std::shared_ptr<const session_record>> sessions::capture() const {
  std::vector<std::shared_ptr<const session_record>> out;
  out.reserve(all_.size());
  for (const auto& [id, s] : all_) out.push_back(s);
  return out;
}

result<void> sessions::restore(session_record s) {
  bool sound = s.id && all_.size() < sessions_max && s.used_ms <= now_ms_ && s.kept.size() <= session_window;
  std::uint64_t before = s.answered;
  s.kept_bytes = 0;
  for (const kept_answer& k : s.kept) {
    sound = sound && k.sequence > before && k.sequence - s.answered <= session_window;
    before = k.sequence;
    s.kept_bytes += bytes_of(k);
  }
  if (!sound || s.kept_bytes > session_answer_bytes_max || all_.contains(s.id)) return error(errc::snapshot_record);
  hash_ += hash_of_all(s);
  const session_id id = s.id;
  all_.emplace(id, std::make_shared<session_record>(std::move(s)));
  return {};
}

} // namespace quorumd::kv
