// How PostgresStore's operations run; included by its own sources only.
#pragma once

#include <fmt/format.h>

#include "store/postgres/postgres_store.hpp"

namespace switchyard::store {

using postgres::Column;
using postgres::Rows;
using postgres::Statement;
using postgres::Type;

// One operation, from the first try to the last.
inline constexpr std::chrono::seconds operation_time{5};
// Without any connection it is better to say so soon.
inline constexpr std::chrono::seconds connection_time{2};

inline Error to_error(const postgres::Failure& failure) {
  return {ErrorCode::store_unavailable, fmt::format("PostgreSQL: {}", failure.message)};
}
inline Error unreadable_row() {
  return {ErrorCode::store_unavailable, "PostgreSQL: a row holds a value that this program does not know"};
}

// A batch at once; if the server refuses it, one by one, so that one operation does not take its neighbours
// with it. `together` is a callable Task<Outcome<std::vector<Result<Output>>>>(const std::vector<Input>&).
template <class Output, class Input, class Together>
Task<std::vector<Result<Output>>> run_together_or_alone(std::vector<Input> inputs, Together together) {
  auto done = co_await together(inputs);
  if (done) co_return std::move(*done);
  std::vector<Result<Output>> results(inputs.size(), std::unexpected(to_error(done.error())));
  if (inputs.size() == 1 || done.error().kind != postgres::Failure::Kind::refused) co_return results;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<Input> alone(1, inputs[i]);
    auto one = co_await together(alone);
    results[i] = one ? std::move(one->front()) : Result<Output>(std::unexpected(to_error(one.error())));
  }
  co_return results;
}

template <class T, class Operation>
Task<Result<T>> PostgresStore::on_own_thread(Operation operation) {
  constexpr std::size_t under_way_max = 1024;
  if (under_way_.fetch_add(1) >= under_way_max) {
    --under_way_;
    co_return fail(ErrorCode::overloaded, "too many operations are waiting for the store");
  }
  const auto initiate = [this](auto handler, Operation moved) {
    auto& home = home_of(handler);
    auto run = [this, &home, operation = std::move(moved),
                handler = std::move(handler)]() mutable -> Task<void> {
      auto result = co_await operation();
      --under_way_;
      asio::post(home, [handler = std::move(handler), result = std::move(result)]() mutable {
        std::move(handler)(std::move(result));
      });
    };
    asio::post(thread_.executor(0), [this, run = std::move(run)]() mutable { tasks_.spawn(std::move(run)); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Result<T>)>(
      initiate, use_task, std::move(operation));
}

template <class T, class Read>
Task<Result<T>> PostgresStore::query(Statements statements, Again again, Read read) {
  auto operation = [this, statements = std::move(statements), again,
                    read = std::move(read)]() mutable -> Task<Result<T>> {
    const auto done = co_await execute(std::move(statements), again);
    if (!done) co_return std::unexpected(to_error(done.error()));
    co_return read(*done);
  };
  co_return co_await on_own_thread<T>(std::move(operation));
}

template <class Decide>
Task<Result<void>> PostgresStore::change_locked(Statements lock, Decide decide) {
  const auto now = std::chrono::steady_clock::now();
  auto connection = co_await pool_.acquire(now + connection_time);
  if (!connection) co_return std::unexpected(to_error(connection.error()));
  lock.insert(lock.begin(), Statement("BEGIN"));
  auto locked = co_await (*connection)->run(std::move(lock), now + operation_time);
  // The locks go with the connection.
  if (!locked) (*connection)->give_up();
  if (!locked) co_return std::unexpected(to_error(locked.error()));
  Statements writes = decide(*locked);
  writes.emplace_back("COMMIT");
  auto committed = co_await (*connection)->run(std::move(writes), now + operation_time);
  if (!committed) (*connection)->give_up();
  if (!committed) co_return std::unexpected(to_error(committed.error()));
  co_return Result<void>{};
}

}  // namespace switchyard::store
