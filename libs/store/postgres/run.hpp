// How PostgresStore's operations run; included by its own sources only.
#pragma once

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "store/postgres/postgres_store.hpp"

namespace switchyard::store {

using postgres::Column;
using postgres::Row;
using postgres::Rows;
using postgres::Statement;
using postgres::Type;

// One operation, from the first try to the last.
inline constexpr std::chrono::seconds operation_time{5};
// Without any connection it is better to say so soon.
inline constexpr std::chrono::seconds connection_time{2};

inline constexpr std::chrono::milliseconds retry_pause{20};

// Which failures another try, perhaps at another server, need not meet, and for how long to try.
class Retries {
 public:
  postgres::Deadline deadline() const { return deadline_; }
  postgres::Deadline connect_by() const {
    return std::min(deadline_, std::chrono::steady_clock::now() + connection_time);
  }
  bool is_late() const { return std::chrono::steady_clock::now() + retry_pause >= deadline_; }
  // Of a failure after which it is certain that nothing was done.
  bool is_worth_another(const postgres::Failure& failure) {
    if (failure.kind != postgres::Failure::Kind::refused) return false;
    // One is enough; a feature that the server does not have has the same code as a plan that is out of date.
    constexpr int sessions_replaced_max = 2;
    if (postgres::is_of_the_session(failure.sqlstate)) return ++sessions_replaced_ <= sessions_replaced_max;
    constexpr std::array<std::string_view, 5> codes{
        "40000",  // rolled back instead of committed
        "40001",  // serialization failure
        "40P01",  // deadlock
        "25006",  // a server that may not write: the failover is under way
        "55P03",  // lock not available
    };
    return failure.sqlstate.starts_with("57P") || std::ranges::find(codes, failure.sqlstate) != codes.end();
  }

 private:
  const postgres::Deadline deadline_ = std::chrono::steady_clock::now() + operation_time;
  int sessions_replaced_ = 0;
};

inline Error to_error(const postgres::Failure& failure) {
  using Kind = postgres::Failure::Kind;
  const auto code = failure.kind == Kind::unknown ? ErrorCode::store_outcome_unknown
                    : failure.kind == Kind::busy  ? ErrorCode::overloaded
                                                  : ErrorCode::store_unavailable;
  return {code, fmt::format("PostgreSQL: {}", failure.message)};
}

// Whether the server refused what was in the statement, such as a row that breaks a constraint. Anything else
// it would refuse of every operation.
inline bool is_of_the_data(const postgres::Failure& failure) {
  constexpr std::array<std::string_view, 4> classes{"21", "22", "23", "54"};
  return failure.kind == postgres::Failure::Kind::refused &&
         std::ranges::any_of(classes, [&](auto one) { return failure.sqlstate.starts_with(one); });
}

// What `one` makes of each row, or of the first one if there is any: for query().
template <class One>
auto each_row(One one) {
  return [one](const Rows& rows) {
    std::vector<std::invoke_result_t<One, Row>> all;
    for (const auto row : rows.all()) all.push_back(one(row));
    return all;
  };
}
template <class One>
auto first_row(One one) {
  return [one](const Rows& rows) { return rows.size() == 0 ? std::nullopt : std::optional(one(rows[0])); };
}

template <class Input, class Output>
auto PostgresStore::together_or_alone(
    Task<postgres::Outcome<Results<Output>>> (PostgresStore::*together)(const std::vector<Input>&)) {
  return [this, together](std::vector<Input> inputs) -> Task<Results<Output>> {
    auto done = co_await (this->*together)(inputs);
    if (done) co_return std::move(*done);
    Results<Output> results(inputs.size(), std::unexpected(to_error(done.error())));
    if (inputs.size() == 1 || !is_of_the_data(done.error())) co_return results;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::vector<Input> alone(1, inputs[i]);
      auto one = co_await (this->*together)(alone);
      results[i] = one ? std::move(one->front()) : Result<Output>(std::unexpected(to_error(one.error())));
      // The server is gone: those behind are not sent, one long wait each, but they were refused already.
      if (!one && !is_of_the_data(one.error())) break;
    }
    co_return results;
  };
}

template <class T, class Asked, class Read>
auto PostgresStore::transaction_of(Asked asked, Effect effect, Read read) {
  return [this, asked = std::move(asked), effect, read = std::move(read)]() mutable -> Task<Result<T>> {
    constexpr bool is_one = std::is_same_v<Asked, Statement>;
    Statements statements;
    if constexpr (is_one) {
      statements.push_back(std::move(asked));
    } else {
      statements = std::move(asked);
    }
    const auto done = co_await execute(std::move(statements), effect);
    if (!done) co_return std::unexpected(to_error(done.error()));
    if constexpr (is_one) {
      co_return read(done->front());
    } else {
      co_return read(*done);
    }
  };
}

template <class T, class Asked, class Read>
Task<Result<T>> PostgresStore::query(Asked asked, Effect effect, Read read) {
  return others_.run<T>(anybody, transaction_of<T>(std::move(asked), effect, std::move(read)));
}

template <class T, class Asked, class Read>
Task<Result<T>> PostgresStore::query_in_turn(postgres::Turns& turns, std::int64_t asker, Asked asked,
                                             Read read) {
  return turns.run<T>(asker, transaction_of<T>(std::move(asked), Effect::none, std::move(read)));
}

}  // namespace switchyard::store
