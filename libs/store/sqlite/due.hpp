// How due work is found. Each is a walk of one index from its start, whatever else is in the table; the
// schema's test shows it.
//
// Two indexes hold what has a next action: transactions_queued and transactions_started, each row in one of
// them. Parameters: the time by which it is due (or after which it is too far ahead), and a limit.
#pragma once

#include "store/sqlite/rows.hpp"

namespace switchyard::store {

#define SWITCHYARD_QUEUED "FROM transactions WHERE status = 'queued' AND next_action_at_ms "
#define SWITCHYARD_STARTED "FROM transactions WHERE status <> 'queued' AND next_action_at_ms "
#define SWITCHYARD_LONGEST_DUE_FIRST " ORDER BY next_action_at_ms LIMIT ?2"
#define SWITCHYARD_EACH "SELECT " SWITCHYARD_TRANSACTION_COLUMNS " "

// What is due by a time, and what is farther ahead than any schedule gives.
struct DueQueries {
  const char* due;
  const char* ahead;
};

inline constexpr DueQueries queued_due{
    SWITCHYARD_EACH SWITCHYARD_QUEUED "<= ?1" SWITCHYARD_LONGEST_DUE_FIRST,
    SWITCHYARD_EACH SWITCHYARD_QUEUED "> ?1" SWITCHYARD_LONGEST_DUE_FIRST,
};
inline constexpr DueQueries started_due{
    SWITCHYARD_EACH SWITCHYARD_STARTED "<= ?1" SWITCHYARD_LONGEST_DUE_FIRST,
    SWITCHYARD_EACH SWITCHYARD_STARTED "> ?1" SWITCHYARD_LONGEST_DUE_FIRST,
};
inline constexpr DueQueries all_due{
    SWITCHYARD_EACH SWITCHYARD_QUEUED "<= ?1 UNION ALL " SWITCHYARD_EACH SWITCHYARD_STARTED
                                      "<= ?1" SWITCHYARD_LONGEST_DUE_FIRST,
    SWITCHYARD_EACH SWITCHYARD_QUEUED "> ?1 UNION ALL " SWITCHYARD_EACH SWITCHYARD_STARTED
                                      "> ?1" SWITCHYARD_LONGEST_DUE_FIRST,
};

// When the one that is due longest is due; no row if there is none.
inline constexpr const char* oldest_queued =
    "SELECT next_action_at_ms " SWITCHYARD_QUEUED "IS NOT NULL ORDER BY next_action_at_ms LIMIT 1";
inline constexpr const char* oldest_started =
    "SELECT next_action_at_ms " SWITCHYARD_STARTED "IS NOT NULL ORDER BY next_action_at_ms LIMIT 1";

// The merchants with the most of up to ?1 rows with a next action, at most ?2 merchants.
inline constexpr const char* backlog_by_merchant =
    "SELECT merchant_id, count(*) AS waiting FROM (SELECT merchant_id " SWITCHYARD_QUEUED
    "IS NOT NULL UNION ALL SELECT merchant_id " SWITCHYARD_STARTED
    "IS NOT NULL LIMIT ?1) GROUP BY merchant_id ORDER BY waiting DESC, merchant_id LIMIT ?2";

// Rows with a next action, counted up to ?1.
inline constexpr const char* backlog_count =
    "SELECT count(*) FROM (SELECT 1 " SWITCHYARD_QUEUED "IS NOT NULL UNION ALL SELECT 1 " SWITCHYARD_STARTED
    "IS NOT NULL LIMIT ?1)";

#undef SWITCHYARD_EACH
#undef SWITCHYARD_LONGEST_DUE_FIRST
#undef SWITCHYARD_STARTED
#undef SWITCHYARD_QUEUED

}  // namespace switchyard::store
