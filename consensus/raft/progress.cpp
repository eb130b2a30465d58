#include "consensus/raft/progress.hpp"

#include <algorithm>

namespace quorumd::raft {

void follower_progress::reset(log_index last) {
  lease_us = 0;
  near_at = 0;
  match_ = log_index();
  become_probe(last.next());
  heard = false;
  heard_at = 0;
  round = 0;
  commit_told = log_index();
  notice_sent = false;
  probe_allowed_ = false;
  match_at_heartbeat_ = log_index();
  pending_snapshot_ = log_index();
}

void follower_progress::accepted(log_index match, log_index first_kept) {
  match_ = std::max(match_, match);
  switch (state_) {
  case state_type::probe:
    break;
  case state_type::replicate:
    window.free_to(match_);
    next_ = std::max(next_, match_.next());
    check_due_ = false;
    return;
  case state_type::snapshot:
    if (match_.next() < first_kept) return;
    break;
  }
  become_probe(match_.next());
  state_ = state_type::replicate;
}

bool follower_progress::refused(log_index rejected, log_index hint) {
  if (state_ == state_type::snapshot || rejected <= match_) return false;
  if (state_ == state_type::probe && rejected != next_.prev()) return false;
  if (state_ == state_type::replicate && rejected >= next_) return false;
  become_probe(std::clamp(hint, match_.next(), rejected));
  return true;
}

void follower_progress::sent(log_index last, std::size_t bytes) {
  check_due_ = false;
  if (state_ == state_type::probe) {
    probe_sent_ = true;
    return;
  }
  if (last < next_) return; // no entries: nothing that the window would have to remember
  next_ = last.next();
  window.add(last, bytes);
}

void follower_progress::become_probe(log_index next) {
  state_ = state_type::probe;
  next_ = next;
  probe_sent_ = false;
  check_due_ = false;
  window.clear();
  load.reset();
}

void follower_progress::become_snapshot(log_index pending) {
  become_probe(next_);
  state_ = state_type::snapshot;
  pending_snapshot_ = pending;
}

void follower_progress::snapshot_ended(bool success) {
  if (state_ != state_type::snapshot) return;
  become_probe(success ? std::max(match_, pending_snapshot_).next() : match_.next());
  // A failure is tried again after the next heartbeat's answer, not at once.
  probe_sent_ = !success;
}

void follower_progress::unreachable() {
  notice_sent = false;
  if (state_ == state_type::replicate) become_probe(match_.next());
}

void follower_progress::heartbeat_sent() {
  probe_allowed_ = true;
  match_at_heartbeat_ = match_;
}

void follower_progress::heartbeat_answered() {
  notice_sent = false;
  if (!probe_allowed_) return;
  probe_allowed_ = false;
  if (state_ == state_type::probe) probe_sent_ = false;
  // Nothing was acknowledged for a heartbeat's time although something is out: perhaps it is lost.
  if (state_ == state_type::replicate && match_.next() < next_ && match_ == match_at_heartbeat_) check_due_ = true;
}

bool follower_progress::paused() const {
  if (!writable) return true;
  switch (state_) {
  case state_type::probe:
    return probe_sent_;
  case state_type::replicate:
    return window.full() && !check_due_;
  case state_type::snapshot:
    return true;
  }
  return true;
}

} // namespace quorumd::raft
