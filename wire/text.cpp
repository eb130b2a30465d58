#include "wire/codec_error.hpp"
#include "wire/message_read.hpp"
#include "wire/request_error.hpp"

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
  case request_errc::corrupt:
    return "corrupt";
  }
  return "unknown error";
}

} // namespace quorumd::wire
