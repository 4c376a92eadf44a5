// How due work is found and locked. Each is a walk of one index from an end, whatever else is in the table;
// postgres_store_test.cpp shows it.
//
// transactions_due holds whatever has a next action, transactions_started what of it is not queued.
#pragma once

#include <fmt/format.h>

#include "store/postgres/rows.hpp"

namespace switchyard::store {

// Another worker's rows are skipped, not waited for. What is farther ahead than any schedule gives was put
// off by a clock that was wrong. $1: the time by which it is due, or after which it is too far ahead; $2: the
// limit.
struct DueStatements {
  std::string due;
  std::string ahead;
};

inline std::string lock_longest_due(std::string_view condition) {
  return fmt::format(R"(
SELECT {}
FROM transactions
WHERE {}
ORDER BY next_action_at
LIMIT $2::bigint
FOR UPDATE SKIP LOCKED)",
                     list_of(transactions_table, as_read), condition);
}

inline DueStatements lock_due(std::string_view more) {
  return {lock_longest_due(fmt::format("next_action_at <= $1::timestamptz{}", more)),
          lock_longest_due(fmt::format("next_action_at > $1::timestamptz{}", more))};
}

inline const auto lock_all = lock_due("");
inline const auto lock_started = lock_due(" AND status <> 'queued'");
// What a wrong clock put off is the farthest ahead, and of that a bounded number is looked at: what has been
// started may be ahead, too.
inline const DueStatements lock_queued{
    lock_longest_due("next_action_at <= $1::timestamptz AND status = 'queued'"),
    fmt::format(R"(
SELECT {}
FROM (
  SELECT merchant_id, id
  FROM transactions
  WHERE next_action_at > $1::timestamptz
  ORDER BY next_action_at DESC
  LIMIT $2::bigint
) farthest
JOIN transactions t USING (merchant_id, id)
WHERE t.status = 'queued' AND t.next_action_at > $1::timestamptz
FOR UPDATE OF t SKIP LOCKED)",
                list_of(transactions_table, "t.{name}::{type}")),
};

inline const DueStatements& due_statements(DueWork::Which which) {
  return which == DueWork::Which::all       ? lock_all
         : which == DueWork::Which::started ? lock_started
                                            : lock_queued;
}

}  // namespace switchyard::store
