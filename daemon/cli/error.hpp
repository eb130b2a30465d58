#pragma once

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace quorumd::cli {

/// Why a command ends early: the exit code and what a person is told.
class error {
 public:
  error() = default;
  error(int exit_code, std::string message)
      : message_(std::move(message))
      , exit_code_(exit_code) {}

  [[nodiscard]] int exit_code() const { return exit_code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  std::string message_;
  int exit_code_ = 2;
};

[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

template <class T>
using result = boost::system::result<T, error>;

/// A command line, or input, that cannot be understood.
[[nodiscard]] error usage(std::string message);

} // namespace quorumd::cli
