#include "daemon/cli/error.hpp"

#include "config/exit_codes.hpp"

#include <stdexcept>

namespace quorumd::cli {

void throw_exception_from_error(const error& e, const boost::source_location&) {
  throw std::runtime_error(e.message());
}

error usage(std::string message) {
  return {config::exit_code::usage, std::move(message)};
}

} // namespace quorumd::cli
