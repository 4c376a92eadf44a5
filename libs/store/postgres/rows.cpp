#include "store/postgres/rows.hpp"

#include "payment/state_machine.hpp"

namespace switchyard::store {

Readable<payment::Transaction> read_transaction(const postgres::Rows& rows, int row) {
  const auto words = read_words(rows.bytes(row, 3), rows.bytes(row, 4), rows.bytes(row, 5));
  if (!words) return std::unexpected(words.error());
  const auto attempts = read_count(rows.integer(row, 10));
  if (!attempts) return std::unexpected(attempts.error());
  return sound(payment::Transaction{
      .id = {rows.uuid(row, 1)},
      .merchant_id = {rows.integer(row, 0)},
      .amount = Money(rows.integer(row, 2), words->currency),
      .capture_method = words->capture_method,
      .status = words->status,
      .authorized_minor = rows.integer(row, 6),
      .captured_minor = rows.integer(row, 7),
      .refunded_minor = rows.integer(row, 8),
      .epoch = rows.integer(row, 9),
      .attempt_count = *attempts,
      .next_action_at = rows.is_null(row, 11) ? std::nullopt : std::optional(rows.timestamp(row, 11)),
      .reason = std::string(rows.bytes(row, 12)),
      .created_at = rows.timestamp(row, 13),
      .updated_at = rows.timestamp(row, 14),
  });
}

Readable<payment::Attempt> read_attempt(const postgres::Rows& rows, int row, int first) {
  const auto status = read_attempt_status(rows.bytes(row, first + 4));
  if (!status) return std::unexpected(status.error());
  const auto number = read_count(rows.integer(row, first));
  if (!number) return std::unexpected(number.error());
  const auto look_ups = read_count(rows.integer(row, first + 5));
  if (!look_ups) return std::unexpected(look_ups.error());
  return payment::Attempt{
      .number = *number,
      .psp = std::string(rows.bytes(row, first + 1)),
      .idempotency_key = std::string(rows.bytes(row, first + 2)),
      .request_fingerprint = std::string(rows.bytes(row, first + 3)),
      .status = *status,
      .look_ups = *look_ups,
      .psp_reference = std::string(rows.bytes(row, first + 6)),
      .reason = std::string(rows.bytes(row, first + 7)),
      .started_at = rows.timestamp(row, first + 8),
      .ended_at = rows.is_null(row, first + 9) ? std::nullopt : std::optional(rows.timestamp(row, first + 9)),
  };
}

User read_user(const postgres::Rows& rows, int row) {
  return {
      .id = {rows.integer(row, 0)},
      .username = std::string(rows.bytes(row, 1)),
      .password_hash = std::string(rows.bytes(row, 2)),
      .enabled = rows.boolean(row, 3),
  };
}

void TransactionColumns::add(const payment::Transaction& transaction) {
  payment::assert_invariants(transaction);
  merchant_id_.add(transaction.merchant_id.value);
  id_.add(transaction.id.value);
  amount_minor_.add(transaction.amount.minor());
  currency_.add(transaction.amount.currency().code());
  capture_method_.add(payment::to_string(transaction.capture_method));
  status_.add(payment::to_string(transaction.status));
  authorized_minor_.add(transaction.authorized_minor);
  captured_minor_.add(transaction.captured_minor);
  refunded_minor_.add(transaction.refunded_minor);
  epoch_.add(transaction.epoch);
  attempt_count_.add(std::int64_t{transaction.attempt_count});
  next_action_at_.add(transaction.next_action_at);
  reason_.add(postgres::storable_text(transaction.reason));
  created_at_.add(transaction.created_at);
  updated_at_.add(transaction.updated_at);
}

void TransactionColumns::bind_to(postgres::Statement& statement) const {
  for (const auto* column : {&merchant_id_, &id_, &amount_minor_, &currency_, &capture_method_, &status_,
                             &authorized_minor_, &captured_minor_, &refunded_minor_, &epoch_, &attempt_count_,
                             &next_action_at_, &reason_, &created_at_, &updated_at_}) {
    statement.bind(*column);
  }
}

void AttemptColumns::add(MerchantId merchant, TransactionId transaction, const payment::Attempt& attempt) {
  merchant_id_.add(merchant.value);
  transaction_id_.add(transaction.value);
  number_.add(std::int64_t{attempt.number});
  psp_.add(attempt.psp);
  idempotency_key_.add(attempt.idempotency_key);
  request_fingerprint_.add(attempt.request_fingerprint);
  status_.add(payment::to_string(attempt.status));
  look_ups_.add(std::int64_t{attempt.look_ups});
  psp_reference_.add(postgres::storable_text(attempt.psp_reference));
  reason_.add(postgres::storable_text(attempt.reason));
  started_at_.add(attempt.started_at);
  ended_at_.add(attempt.ended_at);
}

void AttemptColumns::bind_to(postgres::Statement& statement) const {
  for (const auto* column :
       {&merchant_id_, &transaction_id_, &number_, &psp_, &idempotency_key_, &request_fingerprint_, &status_,
        &look_ups_, &psp_reference_, &reason_, &started_at_, &ended_at_}) {
    statement.bind(*column);
  }
}

}  // namespace switchyard::store
