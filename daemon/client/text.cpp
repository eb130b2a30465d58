#include "daemon/client/members.hpp"
#include "daemon/client/status.hpp"

namespace quorumd::client {

const char* name_of(raft::role role) {
  switch (role) {
  case raft::role::follower:
    return "follower";
  case raft::role::pre_candidate:
  case raft::role::candidate:
    return "candidate";
  case raft::role::leader:
    return "leader";
  }
  return "unknown";
}

const char* role_of(const status_row& r) {
  return r.witness ? "witness" : name_of(r.role);
}

const char* name_of(member_action action) {
  switch (action) {
  case member_action::add:
    return "add";
  case member_action::remove:
    return "remove";
  case member_action::promote:
    return "promote";
  case member_action::demote:
    return "demote";
  case member_action::update:
    return "update";
  case member_action::replace:
    return "replace";
  }
  return "unknown";
}

const char* name_of(member_role role) {
  switch (role) {
  case member_role::voter:
    return "voter";
  case member_role::learner:
    return "learner";
  case member_role::incoming:
    return "joining";
  case member_role::outgoing:
    return "leaving";
  }
  return "unknown";
}

} // namespace quorumd::client
