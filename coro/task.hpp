#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace quorumd::coro {

/// The one executor type, end to end: a loop's.
using executor = boost::asio::io_context::executor_type;

/// A coroutine on a loop. Its parameters are values: it may outlive the call that made it.
template <class T = void>
using task = boost::asio::awaitable<T, executor>;

using use_task_t = boost::asio::use_awaitable_t<executor>;
/// The completion token of every asynchronous operation here.
inline constexpr use_task_t use_task{};

} // namespace quorumd::coro
