#include "wire/codec_error.hpp"
#include "wire/members.hpp"
#include "wire/message_read.hpp"
#include "wire/request_error.hpp"
#include "wire/status.hpp"

#include <boost/throw_exception.hpp>

#include <stdexcept>

namespace quorumd::wire {

void throw_exception_from_error(const codec_error& e, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(e.what()), where);
}

namespace detail {
void refuse(codec_errc code, std::string what) {
  throw refusal(codec_error(code, std::move(what)));
}
} // namespace detail

const char* name_of(request_errc code) {
  switch (code) {
  case request_errc::none:
    return "none";
  case request_errc::not_leader:
    return "not leader";
  case request_errc::overloaded:
    return "overloaded";
  case request_errc::not_applied:
    return "not applied";
  case request_errc::unknown:
    return "outcome unknown";
  case request_errc::timeout:
    return "timeout";
  case request_errc::no_quorum:
    return "no quorum";
  case request_errc::no_space:
    return "no space";
  case request_errc::invalid:
    return "invalid";
  case request_errc::denied:
    return "denied";
  case request_errc::too_large:
    return "too large";
  case request_errc::shutting_down:
    return "shutting down";
  case request_errc::store:
    return "store";
  case request_errc::internal:
    return "internal";
  case request_errc::refused:
    return "refused";
  }
  return "unknown error";
}

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

} // namespace quorumd::wire
