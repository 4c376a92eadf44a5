// The coroutine vocabulary: Task<T> runs on the thread of one io_context and nowhere else.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace switchyard {

namespace asio = boost::asio;

// The concrete executor instead of any_io_executor: no type erasure on the path of a request.
using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;

// Completion tokens: `use_task` throws on error, `use_tuple` gives (error_code, result...).
inline constexpr asio::use_awaitable_t<Executor> use_task;
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> use_tuple{
    asio::use_awaitable_t<Executor>{}};

}  // namespace switchyard
