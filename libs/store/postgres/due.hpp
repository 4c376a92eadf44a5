// How due work is found and locked. Each is a walk of one index from an end, whatever else is in the table;
// postgres_store_test.cpp shows it.
//
// transactions_due holds whatever has a next action, transactions_started what of it is not queued.
#pragma once

#include "store/postgres/rows.hpp"

namespace switchyard::store {

#define SWITCHYARD_PG_WITH_LAST_ATTEMPT \
  "SELECT " SWITCHYARD_PG_TRANSACTION_READ("t.") ", " SWITCHYARD_PG_ATTEMPT_READ("a.") " FROM transactions t " \
  "LEFT JOIN attempts a ON a.merchant_id = t.merchant_id AND a.transaction_id = t.id "                   \
  "AND a.number = t.attempt_count "

// Another worker's rows are skipped, not waited for. What is farther ahead than any schedule gives was put
// off by a clock that was wrong.
#define SWITCHYARD_PG_LONGEST_DUE_FIRST \
  " ORDER BY t.next_action_at LIMIT $2::bigint FOR UPDATE OF t SKIP LOCKED"
// $1: the time by which it is due, or after which it is too far ahead; $2: the limit.
struct DueStatements {
  const char* due;
  const char* ahead;
};
inline constexpr DueStatements lock_all{
    SWITCHYARD_PG_WITH_LAST_ATTEMPT
    "WHERE t.next_action_at <= $1::timestamptz" SWITCHYARD_PG_LONGEST_DUE_FIRST,
    SWITCHYARD_PG_WITH_LAST_ATTEMPT
    "WHERE t.next_action_at > $1::timestamptz" SWITCHYARD_PG_LONGEST_DUE_FIRST,
};
inline constexpr DueStatements lock_started{
    SWITCHYARD_PG_WITH_LAST_ATTEMPT
    "WHERE t.next_action_at <= $1::timestamptz AND t.status <> 'queued'" SWITCHYARD_PG_LONGEST_DUE_FIRST,
    SWITCHYARD_PG_WITH_LAST_ATTEMPT
    "WHERE t.next_action_at > $1::timestamptz AND t.status <> 'queued'" SWITCHYARD_PG_LONGEST_DUE_FIRST,
};

// In one statement, so that a page is no longer than it was asked for. What a wrong clock put off is the
// farthest ahead, and of those a bounded number is looked at: what has been started may be ahead, too.
#define SWITCHYARD_PG_PUT_OFF \
  " WHERE t.merchant_id = q.merchant_id AND t.id = q.id RETURNING " SWITCHYARD_PG_TRANSACTION_READ("t.")
// $1: due by; $2: until; $3: the limit; $4: after which it is too far ahead.
inline constexpr const char* lease_page =
    "WITH due AS (UPDATE transactions t SET next_action_at = $2::timestamptz FROM "
    "(SELECT merchant_id, id FROM transactions WHERE next_action_at <= $1::timestamptz AND status = 'queued' "
    "ORDER BY next_action_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED) q" SWITCHYARD_PG_PUT_OFF
    "), "
    "ahead AS (UPDATE transactions t SET next_action_at = $2::timestamptz FROM "
    "(SELECT f.merchant_id, f.id FROM transactions f JOIN (SELECT merchant_id, id FROM transactions "
    "WHERE next_action_at > $4::timestamptz ORDER BY next_action_at DESC LIMIT $3::bigint) farthest "
    "ON f.merchant_id = farthest.merchant_id AND f.id = farthest.id WHERE f.status = 'queued' "
    "AND f.next_action_at > $4::timestamptz LIMIT greatest($3::bigint - (SELECT count(*) FROM due), 0) "
    "FOR UPDATE OF f SKIP LOCKED) q" SWITCHYARD_PG_PUT_OFF
    ") "
    "SELECT * FROM due UNION ALL SELECT * FROM ahead";

}  // namespace switchyard::store
