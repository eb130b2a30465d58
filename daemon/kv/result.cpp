#include "daemon/kv/result.hpp"

#include <stdexcept>

namespace quorumd::kv {

const char* describe(errc code) {
  switch (code) {
  case errc::compacted:
    return "the revision has been compacted";
  case errc::future_revision:
    return "the revision has not happened yet";
  case errc::key_not_provided:
    return "the key is empty";
  case errc::key_not_found:
    return "the key whose value or lease is to be kept does not exist";
  case errc::value_provided:
    return "a value was given although the key's own is to be kept";
  case errc::lease_provided:
    return "a lease was given although the key's own is to be kept";
  case errc::lease_not_found:
    return "the lease does not exist";
  case errc::too_many_operations:
    return "the transaction has more operations than one may have (128)";
  case errc::duplicate_key:
    return "the transaction changes one key more than once";
  case errc::request_too_large:
    return "the request's keys and values take more than 1.5 MiB";
  case errc::invalid_option:
    return "the request has an option that this quorumd does not know";
  case errc::reply_too_large:
    return "the answer would take more than 1 MiB; nothing was changed. Ask for less: a limit, keys or counts only, no "
           "previous values, or ranges by themselves, which come in pages";
  case errc::too_many_visits:
    return "the transaction's compares and ranges look at more than 1,000,000 keys; nothing was changed. Narrow them";
  case errc::settings_conflict:
    return "history.bytes_max must be 1 MiB or more, and at most half of storage.quota_bytes, set both at once; "
           "history.keep_for is 0s, or 1s to 87600h. Nothing was changed";
  case errc::snapshot_order:
    return "the snapshot's records are out of order";
  case errc::snapshot_record:
    return "a record of the snapshot contradicts its header or the record before it";
  case errc::snapshot_hash:
    return "the snapshot's records do not hash to what its header says";
  case errc::session_unknown:
    return "the session has ended, since it was closed or idle for too long: whether a command that it sent before "
           "took "
           "effect can no longer be told";
  case errc::session_answered:
    return "the session has said that it has the answer of this command already";
  case errc::session_call:
    return "no command of a session can have this number: they count from 1, and at most 1024 are unanswered at a time";
  case errc::session_idle:
    return "a session may be idle for 1 s at least and 24 h at most";
  case errc::too_many_sessions:
    return "1024 sessions are open, and none of them was idle for a minute; nothing was changed. Close some, or wait";
  case errc::answer_not_kept:
    return "the command took effect when it was sent before, but its answer was too large to be kept";
  case errc::range_empty:
    return "the range has no keys: its end is not above its beginning";
  case errc::lease_exists:
    return "there is a lease with this id already";
  case errc::ttl_too_large:
    return "a lease may be granted for 9,000,000,000 s at most";
  case errc::too_many_leases:
    return "1,000,000 leases are granted; nothing was changed. Revoke some, or wait until some expire";
  }
  return "unknown";
}

std::string error::message() const {
  std::string text = describe(code_);
  if (code_ == errc::compacted) text += " (the compaction floor is " + std::to_string(bound_.value()) + ")";
  if (code_ == errc::future_revision) text += " (the current one is " + std::to_string(bound_.value()) + ")";
  if (code_ == errc::answer_not_kept) text += " (the revision after it is " + std::to_string(bound_.value()) + ")";
  return text;
}

void throw_exception_from_error(const error& e, const boost::source_location&) {
  throw std::runtime_error(e.message());
}

} // namespace quorumd::kv
