#pragma once

#include "coro/clock.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/leases.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/kv/store.hpp"
#include "daemon/node/bugs.hpp"

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace quorumd::node {

/// The time of leases, which the leader alone counts: a lease is ended by a command that it proposes, and renewed in
/// its memory. Whoever begins to lead gives each lease all of its time again, or what remained of it at the last
/// checkpoint, so that none ends early: what an earlier leader renewed after a checkpoint it had first told the log.
/// Belongs to the group's loop.
class lease_keeper final : private kv::lease_listener {
 public:
  struct options {
    /// Between two looks at a lease for what remains of it. Leases that are not renewed for half of their time are
    /// told to the log; those that end before the next look are not.
    coro::duration checkpoint_interval = std::chrono::seconds(60);
    std::size_t expiring_max = 256; ///< that are under way at a time
  };
  lease_keeper(const options& o, std::function<coro::time_point()> now, const bugs& b = {})
      : options_(o)
      , now_(std::move(now))
      , bugs_(b) {}
  lease_keeper(const lease_keeper&) = delete;
  lease_keeper& operator=(const lease_keeper&) = delete;
  ~lease_keeper() override;

  /// Whose leases they are: at the beginning, and whenever a snapshot took the place of the state.
  void attach(kv::store& s);
  /// Before the state goes.
  void detach();

  /// This node leads, and has applied all that earlier leaders did.
  void lead();
  void stop_leading();
  [[nodiscard]] bool leads() const { return leads_; }

  /// Goes on with giving leases their time after lead(); for so many of them at most. Whether that is done.
  [[nodiscard]] bool adopt(std::size_t visits_max);
  /// When the next lease may be over; max(): none is.
  [[nodiscard]] coro::time_point due() const;
  /// Those that are over, to be proposed: what is not is to be given back by not_proposed().
  [[nodiscard]] std::vector<kv::expire_lease> take_expired();
  void not_proposed(const kv::expire_lease& e);
  /// What of some leases' time the log is to know now, which may be nothing; with what answers wait for. To be called
  /// every now and then, `every` apart.
  [[nodiscard]] kv::checkpoint_leases take_checkpoints(coro::duration every);
  /// The same of what answers wait for alone.
  [[nodiscard]] kv::checkpoint_leases take_urgent();
  void not_proposed(const kv::checkpoint_leases& c);

  /// As the leader, which this node was when the question had come. Nothing: it is to be asked again once changed().
  [[nodiscard]] std::optional<kv::result<kv::reply>> answer(const kv::lease_question& q);
  /// Whether what answers wait for has happened since this was asked last.
  [[nodiscard]] bool changed() { return std::exchange(changed_, false); }
  [[nodiscard]] std::size_t size() const { return times_.size(); }

 private:
  struct time_left {
    coro::time_point until;
    log_index granted;
    bool expiring = false; ///< proposed
    bool telling = false;  ///< so is a checkpoint
    bool renewing = false; ///< the log is to hear first that its checkpoint is void
  };
  struct place {
    coro::time_point at; ///< no later than it is over
    lease_id id;
    friend bool operator<(const place& a, const place& b) { return a.at > b.at; } // the earliest is on top
  };

  void granted(const kv::lease_record& l) override;
  void ended(lease_id id, log_index granted) override;
  void checkpointed(const kv::lease_record& l) override;

  time_left& time_of(const kv::lease_record& l);
  void queue(lease_id id, coro::time_point at);
  [[nodiscard]] std::optional<kv::result<kv::reply>> renew(const kv::lease_record& l);
  [[nodiscard]] kv::reply tell_time(const kv::lease_record& l, const kv::lease_question& q);
  [[nodiscard]] kv::reply list(const kv::lease_question& q);
  [[nodiscard]] bool worth_telling(const kv::lease_record& l, const time_left& t) const;

  const options options_;
  const std::function<coro::time_point()> now_;
  const bugs bugs_;
  kv::store* store_ = nullptr;
  bool leads_ = false;
  bool changed_ = false;
  absl::flat_hash_map<lease_id, time_left> times_; ///< empty unless it leads
  std::vector<place> queue_;                       ///< a heap
  std::optional<lease_id> adopting_;               ///< behind this one
  lease_id looked_at_;                             ///< by take_checkpoints()
  std::size_t expiring_ = 0;
  std::vector<kv::lease_checkpoint> urgent_;
};

} // namespace quorumd::node
