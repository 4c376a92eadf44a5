#include "store/sqlite/rows.hpp"

#include <algorithm>

#include <sqlite3.h>

#include "base/assert.hpp"

namespace switchyard::store {
namespace {

// A value that the schema's readers do not know: written by something else than this program. Concerns one
// row, and so one command of a group.
template <class T>
T known(std::optional<T> value) {
  if (!value)
    throw sqlite::DatabaseError(SQLITE_MISMATCH, "a row holds a value that this program does not know");
  return *value;
}

}  // namespace

TransactionId read_transaction_id(const sqlite::Query& row, int column) {
  const auto blob = row.blob(column);
  TransactionId id;
  SWITCHYARD_ASSERT(blob.size() == id.value.bytes.size());
  std::ranges::transform(blob, id.value.bytes.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

payment::Transaction read_transaction(const sqlite::Query& row) {
  payment::Transaction transaction{
      .id = read_transaction_id(row, 1),
      .merchant_id = {row.integer(0)},
      .amount = Money(row.integer(2), known(Currency::parse(row.text(3)))),
      .capture_method = known(payment::parse_capture_method(row.text(4))),
      .status = known(payment::parse_status(row.text(5))),
      .authorized_minor = row.integer(6),
      .captured_minor = row.integer(7),
      .refunded_minor = row.integer(8),
      .epoch = row.integer(9),
      .attempt_count = static_cast<std::int32_t>(row.integer(10)),
      .next_action_at = row.is_null(11) ? std::nullopt : std::optional(from_ms(row.integer(11))),
      .reason = std::string(row.text(12)),
      .created_at = from_ms(row.integer(13)),
      .updated_at = from_ms(row.integer(14)),
  };
  payment::assert_invariants(transaction);
  return transaction;
}

payment::Attempt read_attempt(const sqlite::Query& row) {
  return {
      .number = static_cast<std::int32_t>(row.integer(0)),
      .psp = std::string(row.text(1)),
      .idempotency_key = std::string(row.text(2)),
      .request_fingerprint = std::string(row.blob(3)),
      .status = known(payment::parse_attempt_status(row.text(4))),
      .look_ups = static_cast<std::int32_t>(row.integer(5)),
      .psp_reference = std::string(row.text(6)),
      .reason = std::string(row.text(7)),
      .started_at = from_ms(row.integer(8)),
      .ended_at = row.is_null(9) ? std::nullopt : std::optional(from_ms(row.integer(9))),
  };
}

User read_user(const sqlite::Query& row) {
  return {
      .id = {row.integer(0)},
      .username = std::string(row.text(1)),
      .password_hash = std::string(row.text(2)),
      .enabled = row.integer(3) != 0,
  };
}

void insert_transaction(sqlite::Database& database, const payment::Transaction& transaction) {
  payment::assert_invariants(transaction);
  database
      .query("INSERT INTO transactions (" SWITCHYARD_TRANSACTION_COLUMNS
             ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(transaction.merchant_id.value)
      .bind_blob(transaction.id.value.bytes)
      .bind(transaction.amount.minor())
      .bind(transaction.amount.currency().code())
      .bind(payment::to_string(transaction.capture_method))
      .bind(payment::to_string(transaction.status))
      .bind(transaction.authorized_minor)
      .bind(transaction.captured_minor)
      .bind(transaction.refunded_minor)
      .bind(transaction.epoch)
      .bind(std::int64_t{transaction.attempt_count})
      .bind(to_ms(transaction.next_action_at))
      .bind(transaction.reason)
      .bind(to_ms(transaction.created_at))
      .bind(to_ms(transaction.updated_at))
      .run();
}

bool update_transaction(sqlite::Database& database, const payment::Transaction& transaction,
                        std::int64_t expected_epoch) {
  payment::assert_invariants(transaction);
  database
      .query(
          "UPDATE transactions SET status = ?, authorized_minor = ?, captured_minor = ?, refunded_minor = ?, "
          "epoch = ?, attempt_count = ?, next_action_at_ms = ?, reason = ?, updated_at_ms = ? "
          "WHERE merchant_id = ? AND id = ? AND epoch = ?")
      .bind(payment::to_string(transaction.status))
      .bind(transaction.authorized_minor)
      .bind(transaction.captured_minor)
      .bind(transaction.refunded_minor)
      .bind(transaction.epoch)
      .bind(std::int64_t{transaction.attempt_count})
      .bind(to_ms(transaction.next_action_at))
      .bind(transaction.reason)
      .bind(to_ms(transaction.updated_at))
      .bind(transaction.merchant_id.value)
      .bind_blob(transaction.id.value.bytes)
      .bind(expected_epoch)
      .run();
  return database.changes() == 1;
}

void upsert_attempt(sqlite::Database& database, const payment::Transaction& transaction,
                    const payment::Attempt& attempt) {
  database
      .query(
          "INSERT INTO attempts (merchant_id, transaction_id, " SWITCHYARD_ATTEMPT_COLUMNS
          ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (merchant_id, transaction_id, number) DO UPDATE SET status = excluded.status, "
          "look_ups = excluded.look_ups, psp_reference = excluded.psp_reference, reason = excluded.reason, "
          "ended_at_ms = excluded.ended_at_ms")
      .bind(transaction.merchant_id.value)
      .bind_blob(transaction.id.value.bytes)
      .bind(std::int64_t{attempt.number})
      .bind(attempt.psp)
      .bind(attempt.idempotency_key)
      .bind_blob(attempt.request_fingerprint)
      .bind(payment::to_string(attempt.status))
      .bind(std::int64_t{attempt.look_ups})
      .bind(attempt.psp_reference)
      .bind(attempt.reason)
      .bind(to_ms(attempt.started_at))
      .bind(to_ms(attempt.ended_at))
      .run();
}

}  // namespace switchyard::store
