// Rows of the schema as the domain's types, both ways.
#pragma once

#include "payment/transaction.hpp"
#include "sqlite/database.hpp"
#include "store/store.hpp"

namespace switchyard::store {

inline std::int64_t to_ms(Timestamp time) {
  return time.time_since_epoch().count();
}
inline Timestamp from_ms(std::int64_t ms) {
  return Timestamp(std::chrono::milliseconds(ms));
}
inline std::optional<std::int64_t> to_ms(std::optional<Timestamp> time) {
  return time ? std::optional(to_ms(*time)) : std::nullopt;
}

// The columns that the functions below read and bind, in this order.
#define SWITCHYARD_TRANSACTION_COLUMNS                                                                  \
  "merchant_id, id, amount_minor, currency, capture_method, status, authorized_minor, captured_minor, " \
  "refunded_minor, epoch, attempt_count, next_action_at_ms, reason, created_at_ms, updated_at_ms"
#define SWITCHYARD_ATTEMPT_COLUMNS                                                               \
  "number, psp, idempotency_key, request_fingerprint, status, look_ups, psp_reference, reason, " \
  "started_at_ms, "                                                                              \
  "ended_at_ms"

TransactionId read_transaction_id(const sqlite::Query& row, int column);
Readable<payment::Transaction> read_transaction(const sqlite::Query& row);
Readable<payment::Attempt> read_attempt(const sqlite::Query& row);
User read_user(const sqlite::Query& row);

// Both assert the invariants of what they write.
void insert_transaction(sqlite::Database& database, const payment::Transaction& transaction);
// Changes the row only if its epoch is still `expected_epoch`; false if it is not.
bool update_transaction(sqlite::Database& database, const payment::Transaction& transaction,
                        std::int64_t expected_epoch);
void upsert_attempt(sqlite::Database& database, const payment::Transaction& transaction,
                    const payment::Attempt& attempt);

}  // namespace switchyard::store
