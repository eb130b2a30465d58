#pragma once

#include "daemon/kv/bugs.hpp"

namespace quorumd::node {

/// Deliberate bugs, for the simulator to find.
struct bugs {
  bool complete_by_index = false;    ///< a request is completed whatever term its entry has
  bool ignore_sessions = false;      ///< a session's command is carried out as often as it comes
  bool join_anywhere = false;        ///< whoever is asked lets a node join, also as a voter
  bool forget_answered = false;      ///< a session's command is carried out though its client has the answer
  bool serve_before_applied = false; ///< a read is served before its index is applied
  bool call_unsent = false;          ///< what was forwarded when the leader's stream broke is said not to be applied
  bool accept_any_data = false;      ///< whoever's data directory it is, it may stand for a member
  bool publish_early = false;        ///< a snapshot counts before the log behind it is durable
  bool never_shorten = false;        ///< snapshots leave the log as it is
  bool age_by_answer = false;        ///< a read's age counts from the leader's answer, not from the question
  bool expire_by_follower = false;   ///< a new leader counts a lease's time from when it applied the grant
  bool renew_without_quorum = false; ///< leases are renewed though no majority has confirmed the leader
  bool forget_checkpoint = false;    ///< a lease is renewed though a checkpoint of it stands
  kv::bugs watches;
};

} // namespace quorumd::node
