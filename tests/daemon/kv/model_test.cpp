#include "tests/daemon/kv/model.hpp"

#include "daemon/kv/snapshot.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

// Neighbours, prefixes of each other, extreme bytes: whatever makes ranges meet.
constexpr std::array<std::string_view, 14> some_keys{std::string_view("\0", 1),
                                                     "a",
                                                     "aa",
                                                     "ab",
                                                     "ab\xff",
                                                     "b",
                                                     std::string_view("b\0", 2),
                                                     "bb",
                                                     "c1",
                                                     "c2",
                                                     "c3",
                                                     "d",
                                                     "\xff\xff",
                                                     "\xff"};
constexpr std::array<std::string_view, 7> some_values{"",     "1", "2", "longer than a block of the hash",
                                                      "\xff", "b", "a"};

/// Commands and reads drawn from one seed; all their bytes are literals.
class generator {
 public:
  explicit generator(std::uint64_t seed)
      : random_(seed) {}

  std::uint64_t below(std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random_); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  command next(const model& m) {
    const std::uint64_t dice = below(20);
    if (one_in(30)) return draw_settings();
    if (one_in(8)) return draw_of_leases(m);
    if (dice < 11) return draw_put(m);
    if (dice < 14) return draw_delete();
    if (dice < 19) return draw_txn(m, 3);
    return compact{revision(m.compacted() + below(m.current() - m.compacted() + 2))};
  }

  /// A transaction that changes nothing.
  txn draw_reads(const model& m, unsigned depth = 2) {
    txn t;
    for (std::uint64_t n = below(3); n > 0; --n) t.compares.push_back(draw_compare(m));
    t.success = draw_list_of_reads(m, depth);
    t.failure = draw_list_of_reads(m, depth);
    return t;
  }

  range_request draw_range(const model& m) {
    range_request r{.key = key(), .range_end = range_end()};
    if (one_in(3)) r.limit = 1 + below(5);
    if (one_in(2)) r.revision = revision(m.compacted() + below(m.current() - m.compacted() + 2));
    if (one_in(30)) r.revision = revision(below(m.compacted() + 1));
    r.keys_only = one_in(6);
    r.count_only = one_in(8);
    if (one_in(2)) r.target = static_cast<sort_target>(below(5));
    r.order = static_cast<sort_order>(below(3));
    const auto bound = [&] { return one_in(5) ? revision(below(m.current() + 2)) : revision(); };
    r.min_mod_revision = bound();
    r.max_mod_revision = bound();
    r.min_create_revision = bound();
    r.max_create_revision = bound();
    if (one_in(5)) r.page_bytes_max = 1 + below(340);
    r.skip_count = !r.count_only && one_in(5);
    return r;
  }

 private:
  std::string_view key() { return some_keys[below(some_keys.size())]; }
  std::string_view value() { return some_values[below(some_values.size())]; }
  std::string_view range_end() {
    const std::uint64_t dice = below(4);
    return dice == 0 ? std::string_view() : dice == 1 ? rest : key();
  }

  /// One that is granted, mostly.
  lease_id draw_lease(const model& m) {
    if (m.leases().empty() || one_in(20)) return lease_id(one_in(3) ? ~std::uint64_t{0} : 1 + below(3));
    return std::next(m.leases().begin(), static_cast<std::ptrdiff_t>(below(m.leases().size())))->second.id;
  }
  command draw_of_leases(const model& m) {
    const lease_id id = draw_lease(m);
    const auto known = m.leases().find(id.value());
    const log_index granted = known == m.leases().end() || one_in(4) ? log_index(1) : known->second.granted;
    switch (below(6)) {
    case 0:
      return revoke_lease{id};
    case 1:
      return expire_lease{id, granted};
    case 2: {
      const std::optional<std::uint64_t> remaining = one_in(3) ? std::nullopt : std::optional(below(4000));
      return checkpoint_leases{{{id, granted, remaining}, {draw_lease(m), granted, 5}}};
    }
    default:
      return grant_lease{.id = one_in(2) ? lease_id() : draw_lease({}),
                         .ttl_s = static_cast<std::int64_t>(below(5)) - 1};
    }
  }

  put draw_put(const model& m) {
    put p{.key = key(), .value = value(), .prev_kv = one_in(2)};
    if (one_in(2)) p.lease = draw_lease(m);
    if (one_in(10)) {
      p.ignore_lease = true;
      p.lease = {};
    }
    if (one_in(10)) {
      p.ignore_value = true;
      p.value = {};
    }
    return p;
  }
  configure draw_settings() {
    configure c{.initial = one_in(3)};
    if (one_in(2)) c.keep_revisions = below(100);
    if (one_in(2)) c.history_bytes_max = below(3) * history_bytes_least;
    if (one_in(2)) c.quota_bytes = below(4) * history_bytes_least;
    if (one_in(4)) c.keep_for_ms = below(3) * 999;
    return c;
  }
  delete_range draw_delete() { return {key(), one_in(2) ? std::string_view() : range_end(), one_in(2)}; }

  compare draw_compare(const model& m) {
    compare c{.key = key(), .range_end = one_in(3) ? range_end() : std::string_view()};
    c.target = static_cast<compare_target>(below(5));
    c.relation = static_cast<compare_relation>(below(4));
    c.number = c.target == compare_target::version ? static_cast<std::int64_t>(below(4))
                                                   : static_cast<std::int64_t>(below(m.current() + 1));
    if (c.target == compare_target::lease) c.number = static_cast<std::int64_t>(draw_lease(m).value());
    if (one_in(3)) c.number = 0;
    c.value = value();
    return c;
  }

  std::vector<operation> draw_list_of_reads(const model& m, unsigned depth) {
    std::vector<operation> list;
    for (std::uint64_t n = below(4); n > 0; --n)
      list.push_back(depth != 0 && one_in(4) ? operation{draw_reads(m, depth - 1)} : operation{draw_range(m)});
    return list;
  }

  txn draw_txn(const model& m, unsigned depth) {
    txn t;
    for (std::uint64_t n = below(3); n > 0; --n) t.compares.push_back(draw_compare(m));
    t.success = draw_list(m, depth);
    t.failure = draw_list(m, depth);
    return t;
  }

  std::vector<operation> draw_list(const model& m, unsigned depth) {
    std::vector<operation> list;
    for (std::uint64_t n = below(4); n > 0; --n) {
      const std::uint64_t dice = below(8);
      if (dice < 3)
        list.push_back({draw_put(m)});
      else if (dice < 4)
        list.push_back({draw_delete()});
      else if (dice < 6 || depth == 0)
        list.push_back({draw_range(m)});
      else
        list.push_back({draw_txn(m, depth - 1)});
    }
    return list;
  }

  std::mt19937_64 random_;
};

/// A snapshot being taken of one store and built into another, a slice now and then.
struct transfer {
  transfer(store& from, const model& m)
      : cursor(from)
      , builder(options{}, cursor.header())
      , frozen(m)
      , expected(frozen.records()) {
    for (const auto& [id, l] : frozen.leases()) leases.push_back(l);
  }

  snapshot_cursor cursor;
  store_builder builder;
  model frozen; ///< owns what expected points to
  std::vector<record_view> expected;
  std::vector<lease_record> leases;
  std::size_t seen = 0;
  std::size_t leases_seen = 0;
  std::vector<std::pair<log_index, command>> since;

  /// Takes a slice; the finished store after the last one.
  std::unique_ptr<store> step(std::size_t bytes_max) {
    if (!cursor.leases().done()) {
      for (const lease_record& l : cursor.leases().next(1 + bytes_max % 3)) {
        REQUIRE(leases_seen < leases.size());
        REQUIRE(l == leases[leases_seen++]);
        REQUIRE(builder.add(l).has_value());
      }
      return nullptr;
    }
    REQUIRE(leases_seen == leases.size());
    for (const record_view& r : cursor.next(bytes_max)) {
      REQUIRE(seen < expected.size());
      REQUIRE(r == expected[seen++]);
      REQUIRE(builder.add(r).has_value());
    }
    if (!cursor.done()) return nullptr;
    REQUIRE(seen == expected.size());
    auto built = builder.finish();
    REQUIRE(built.has_value());
    CHECK((*built)->content_hash() == cursor.header().content_hash);
    return std::move(*built);
  }
};

/// A read under way, with what it must come to however the store changes meanwhile.
struct open_reading {
  open_reading(store& s, const range_request& r, const model& m)
      : request(r)
      , want(text(m.range(r)))
      , it(s, request) {}

  range_request request;
  std::string want;
  reading it;
};
struct open_transaction {
  open_transaction(store& s, txn t, model m)
      : request(std::move(t))
      , want(text(m.apply(request)))
      , it(s, request) {}

  txn request;
  std::string want;
  reading it;
};

/// What a leader's clock would know of the leases.
struct told_of_leases final : lease_listener {
  std::map<std::uint64_t, lease_record> known;

  void granted(const lease_record& l) override { REQUIRE(known.emplace(l.id.value(), l).second); }
  void ended(lease_id id, log_index granted) override {
    REQUIRE(known.at(id.value()).granted == granted);
    known.erase(id.value());
  }
  void checkpointed(const lease_record& l) override {
    REQUIRE(known.at(l.id.value()) != l);
    known[l.id.value()] = l;
  }
};

/// Two stores and the model under one sequence of commands. The first store applies them in slices, with reads, freed
/// memory and snapshots between the slices; the second all at once, it frees nothing, and is replaced now and then by
/// one installed from a snapshot of the first.
class run {
 public:
  explicit run(std::uint64_t seed)
      : random_(seed) {
    a_->listen(&told_);
  }

  void operations(int count) {
    for (int i = 0; i < count; ++i) {
      change();
      between();
      if (i % 50 == 0) CHECK(a_->recompute_content_hash() == a_->content_hash());
    }
    CHECK(b_->recompute_content_hash() == b_->content_hash());
    readings_.clear();
    transactions_.clear();
  }

  int slices() const { return slices_; }
  int long_reads() const { return long_reads_; }
  int installed() const { return installed_; }
  int freed() const { return freed_; }
  int refused() const { return refused_; }
  int attached() const { return attached_; }

 private:
  void change() {
    const command c = random_.next(model_);
    index_ = index_.next();
    a_->begin(index_, c);
    while (!a_->proceed(random_.below(3))) { // what is half made does not show
      ++slices_;
      between();
      REQUIRE(a_->keys() == model_.keys());
      REQUIRE(a_->bytes() == b_->bytes());
      REQUIRE(a_->content_hash() == b_->content_hash());
      REQUIRE(a_->applied() == b_->applied());
      compare_leases(*a_);
    }
    const result<reply> expected = model_.apply(c, index_);
    refused_ += expected ? 0 : 1;
    const std::string want = text(expected);
    REQUIRE(text(a_->finish()) == want);
    REQUIRE(text(b_->apply(index_, c)) == want);
    REQUIRE(a_->content_hash() == b_->content_hash());
    REQUIRE(a_->keys() == model_.keys());
    REQUIRE(a_->bytes() == b_->bytes());
    REQUIRE(a_->history_bytes() == b_->history_bytes());
    REQUIRE(a_->stored_bytes() == b_->stored_bytes());
    REQUIRE(a_->settings() == model_.settings());
    compare_leases(*a_);
    compare_leases(*b_);
    if (transfer_) transfer_->since.emplace_back(index_, c);
  }

  void compare_leases(const store& s) {
    REQUIRE(s.leases().size() == model_.leases().size());
    REQUIRE(told_.known == model_.leases());
    lease_id last;
    for (const auto& [id, l] : model_.leases()) {
      REQUIRE(s.leases().find(l.id) == l);
      REQUIRE(s.leases().next(last) == l);
      last = l.id;
      const std::vector<std::string> keys = model_.keys_of(l.id);
      REQUIRE(s.leases().key_count(l.id) == keys.size());
      attached_ += keys.empty() ? 0 : 1;
      const std::size_t page = 1 + random_.below(3);
      std::vector<std::string> found;
      for (std::vector<std::string_view> next = s.leases().keys(l.id, {}, page); !next.empty();
           next = s.leases().keys(l.id, found.back(), page))
        found.insert(found.end(), next.begin(), next.end());
      REQUIRE(found == keys);
    }
    REQUIRE_FALSE(s.leases().next(last));
  }

  void between() {
    read();
    go_on_reading();
    if (random_.one_in(4)) freed_ += compact();
    move_snapshot();
  }

  void go_on_reading() {
    if (random_.one_in(6)) readings_.push_back(std::make_unique<open_reading>(*a_, random_.draw_range(model_), model_));
    if (random_.one_in(6))
      transactions_.push_back(std::make_unique<open_transaction>(*a_, random_.draw_reads(model_), model_));
    std::erase_if(readings_, [&](const auto& r) {
      if (!r->it.proceed(random_.below(3))) return false;
      REQUIRE(text(r->it.take_range()) == r->want);
      ++long_reads_;
      return true;
    });
    std::erase_if(transactions_, [&](const auto& t) {
      if (!t->it.proceed(random_.below(3))) return false;
      REQUIRE(text(t->it.take_txn()) == t->want);
      ++long_reads_;
      return true;
    });
  }

  void read() {
    const range_request r = random_.draw_range(model_);
    const std::string want = text(model_.range(r));
    REQUIRE(text(a_->range(r)) == want);
    REQUIRE(text(b_->range(r)) == want);
  }

  int compact() {
    const std::uint64_t before = a_->held_bytes();
    (void)a_->compact_step(1 + random_.below(6));
    return a_->held_bytes() < before ? 1 : 0;
  }

  void move_snapshot() {
    if (!transfer_) {
      if (random_.one_in(40)) transfer_.emplace(*a_, model_);
      return;
    }
    if (!random_.one_in(3)) return;
    std::unique_ptr<store> built = transfer_->step(1 + random_.below(600));
    if (!built) return;
    for (const auto& [index, c] : transfer_->since) (void)built->apply(index, c);
    CHECK(built->content_hash() == a_->content_hash());
    CHECK(built->keys() == a_->keys());
    CHECK(built->bytes() == a_->bytes());
    CHECK(built->history_bytes() == a_->history_bytes());
    CHECK(built->settings() == a_->settings());
    transfer_.reset();
    b_ = std::move(built);
    ++installed_;
  }

  generator random_;
  model model_;
  told_of_leases told_;
  std::unique_ptr<store> a_ = std::make_unique<store>(options{});
  std::unique_ptr<store> b_ = std::make_unique<store>(options{});
  std::optional<transfer> transfer_; // gone before the store it reads
  log_index index_;
  std::vector<std::unique_ptr<open_reading>> readings_; // likewise
  std::vector<std::unique_ptr<open_transaction>> transactions_;
  int installed_ = 0, freed_ = 0, refused_ = 0, slices_ = 0, long_reads_ = 0, attached_ = 0;
};

} // namespace

// Random commands and reads, with compaction, snapshots and installs in between, agree with the model at every step;
// and every part of that happens often.
TEST_CASE("random operations agree with the model") {
  int installed = 0, freed = 0, refused = 0, slices = 0, long_reads = 0, attached = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    run r(seed);
    r.operations(400);
    installed += r.installed();
    freed += r.freed();
    refused += r.refused();
    slices += r.slices();
    long_reads += r.long_reads();
    attached += r.attached();
  }
  CHECK(installed > 40);
  CHECK(freed > 200);
  CHECK(refused > 40);
  CHECK(slices > 3000);
  CHECK(long_reads > 2000);
  CHECK(attached > 5000);
}

} // namespace quorumd::kv::test
