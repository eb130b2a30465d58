#pragma once

namespace quorumd::node {

/// Deliberate bugs, for the simulator to find.
struct bugs {
  bool complete_by_index = false; ///< a request is completed whatever term its entry has
  bool ignore_sessions = false;   ///< a session's command is carried out as often as it comes
  bool join_anywhere = false;     ///< whoever is asked lets a node join, also as a voter
  bool age_by_answer = false;     ///< a read's age counts from the leader's answer, not from the question
};

} // namespace quorumd::node
