#include "store/sqlite/rows.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace switchyard::store {

TransactionId read_transaction_id(const sqlite::Query& row, int column) {
  const auto blob = row.blob(column);
  TransactionId id;
  SWITCHYARD_ASSERT(blob.size() == id.value.bytes.size());
  std::ranges::transform(blob, id.value.bytes.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

Readable<payment::Transaction> read_transaction(const sqlite::Query& row) {
  const auto words = read_words(row.text(3), row.text(4), row.text(5));
  if (!words) return std::unexpected(words.error());
  const auto attempts = read_count(row.integer(10));
  if (!attempts) return std::unexpected(attempts.error());
  return sound(payment::Transaction{
      .id = read_transaction_id(row, 1),
      .merchant_id = {row.integer(0)},
      .amount = Money(row.integer(2), words->currency),
      .capture_method = words->capture_method,
      .status = words->status,
      .authorized_minor = row.integer(6),
      .captured_minor = row.integer(7),
      .refunded_minor = row.integer(8),
      .epoch = row.integer(9),
      .attempt_count = *attempts,
      .next_action_at = row.is_null(11) ? std::nullopt : std::optional(from_ms(row.integer(11))),
      .reason = std::string(row.text(12)),
      .created_at = from_ms(row.integer(13)),
      .updated_at = from_ms(row.integer(14)),
  });
}

Readable<payment::Attempt> read_attempt(const sqlite::Query& row) {
  const auto status = read_attempt_status(row.text(4));
  if (!status) return std::unexpected(status.error());
  const auto number = read_count(row.integer(0));
  if (!number) return std::unexpected(number.error());
  const auto look_ups = read_count(row.integer(5));
  if (!look_ups) return std::unexpected(look_ups.error());
  return payment::Attempt{
      .number = *number,
      .psp = std::string(row.text(1)),
      .idempotency_key = std::string(row.text(2)),
      .request_fingerprint = std::string(row.blob(3)),
      .status = *status,
      .look_ups = *look_ups,
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
