// How due work is found. Each is a walk of one index from its start, whatever else is in the table, and reads
// no row; the schema's test shows it.
//
// Two indexes hold what has a next action: transactions_queued and transactions_started, each row in one of
// them.
#pragma once

#include <string>

#include <fmt/format.h>

#include "store/store.hpp"

namespace switchyard::store {

// What is due by a time, and what is farther ahead than any schedule gives. ?1: that time; ?2: a limit.
struct DueQueries {
  std::string due;
  std::string ahead;
};

inline DueQueries due_queries(fmt::string_view sql) {
  return {fmt::format(fmt::runtime(sql), "next_action_at_ms <= ?1"),
          fmt::format(fmt::runtime(sql), "next_action_at_ms > ?1")};
}

inline const DueQueries queued_due = due_queries(R"(
  SELECT merchant_id, id FROM transactions
  WHERE status = 'queued' AND {}
  ORDER BY next_action_at_ms LIMIT ?2)");
inline const DueQueries started_due = due_queries(R"(
  SELECT merchant_id, id FROM transactions
  WHERE status <> 'queued' AND {}
  ORDER BY next_action_at_ms LIMIT ?2)");
inline const DueQueries all_due = due_queries(R"(
  SELECT merchant_id, id, next_action_at_ms FROM transactions
  WHERE status = 'queued' AND {0}
  UNION ALL
  SELECT merchant_id, id, next_action_at_ms FROM transactions
  WHERE status <> 'queued' AND {0}
  ORDER BY next_action_at_ms LIMIT ?2)");

inline const DueQueries& queries_of(DueWork::Which which) {
  return which == DueWork::Which::all ? all_due : which == DueWork::Which::started ? started_due : queued_due;
}

// When the one that is due longest is due; no row if there is none.
inline constexpr const char* oldest_queued = R"(
  SELECT next_action_at_ms FROM transactions
  WHERE status = 'queued' AND next_action_at_ms IS NOT NULL
  ORDER BY next_action_at_ms LIMIT 1)";
inline constexpr const char* oldest_started = R"(
  SELECT next_action_at_ms FROM transactions
  WHERE status <> 'queued' AND next_action_at_ms IS NOT NULL
  ORDER BY next_action_at_ms LIMIT 1)";

// The merchants with the most of up to ?1 rows with a next action, at most ?2 merchants.
inline constexpr const char* backlog_by_merchant = R"(
  SELECT merchant_id, count(*) AS waiting FROM (
    SELECT merchant_id FROM transactions WHERE status = 'queued' AND next_action_at_ms IS NOT NULL
    UNION ALL
    SELECT merchant_id FROM transactions WHERE status <> 'queued' AND next_action_at_ms IS NOT NULL
    LIMIT ?1)
  GROUP BY merchant_id ORDER BY waiting DESC, merchant_id LIMIT ?2)";

// Rows with a next action, counted up to ?1.
inline constexpr const char* backlog_count = R"(
  SELECT count(*) FROM (
    SELECT 1 FROM transactions WHERE status = 'queued' AND next_action_at_ms IS NOT NULL
    UNION ALL
    SELECT 1 FROM transactions WHERE status <> 'queued' AND next_action_at_ms IS NOT NULL
    LIMIT ?1))";

}  // namespace switchyard::store
