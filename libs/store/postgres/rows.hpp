// Rows of the schema as the domain's types, both ways.
#pragma once

#include "payment/transaction.hpp"
#include "postgres/rows.hpp"
#include "postgres/statement.hpp"
#include "store/store.hpp"

namespace switchyard::store {

// The columns that the functions below read and bind, in this order. The prefix names the table. What is read
// is cast to the type it is read as, so that a column that an operator has altered is no wrong number.
#define SWITCHYARD_PG_TRANSACTION(t)                                                                 \
  t "merchant_id, " t "id, " t "amount_minor, " t "currency, " t "capture_method, " t "status, " t   \
    "authorized_minor, " t "captured_minor, " t "refunded_minor, " t "epoch, " t "attempt_count, " t \
    "next_action_at, " t "reason, " t "created_at, " t "updated_at"
#define SWITCHYARD_PG_ATTEMPT(t)                                                                       \
  t "number, " t "psp, " t "idempotency_key, " t "request_fingerprint, " t "status, " t "look_ups, " t \
    "psp_reference, " t "reason, " t "started_at, " t "ended_at"
#define SWITCHYARD_PG_TRANSACTION_READ(t)                                                    \
  t "merchant_id::bigint, " t "id::uuid, " t "amount_minor::bigint, " t "currency::text, " t \
    "capture_method::text, " t "status::text, " t "authorized_minor::bigint, " t             \
    "captured_minor::bigint, " t "refunded_minor::bigint, " t "epoch::bigint, " t            \
    "attempt_count::bigint, " t "next_action_at::timestamptz, " t "reason::text, " t         \
    "created_at::timestamptz, " t "updated_at::timestamptz"
#define SWITCHYARD_PG_ATTEMPT_READ(t)                                                                 \
  t "number::bigint, " t "psp::text, " t "idempotency_key::text, " t "request_fingerprint::bytea, " t \
    "status::text, " t "look_ups::bigint, " t "psp_reference::text, " t "reason::text, " t            \
    "started_at::timestamptz, " t "ended_at::timestamptz"
#define SWITCHYARD_PG_USER_READ "id::bigint, username::text, password_hash::text, enabled::boolean"
#define SWITCHYARD_PG_TRANSACTION_ARRAYS                                                                     \
  "$1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], " \
  "$9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[], $13::text[], $14::timestamptz[], "        \
  "$15::timestamptz[]"
#define SWITCHYARD_PG_ATTEMPT_ARRAYS                                                                        \
  "$1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::bigint[], " \
  "$9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[]"

constexpr int transaction_columns = 15;

Readable<payment::Transaction> read_transaction(const postgres::Rows& rows, int row);
// From column `first` on.
Readable<payment::Attempt> read_attempt(const postgres::Rows& rows, int row, int first);
User read_user(const postgres::Rows& rows, int row);

// The columns of many transactions, in the order of SWITCHYARD_PG_TRANSACTION_ARRAYS.
class TransactionColumns {
 public:
  // Asserts the invariants of what is going to be written.
  void add(const payment::Transaction& transaction);
  void bind_to(postgres::Statement& statement) const;

 private:
  postgres::Column merchant_id_{postgres::Type::bigint};
  postgres::Column id_{postgres::Type::uuid};
  postgres::Column amount_minor_{postgres::Type::bigint};
  postgres::Column currency_{postgres::Type::text};
  postgres::Column capture_method_{postgres::Type::text};
  postgres::Column status_{postgres::Type::text};
  postgres::Column authorized_minor_{postgres::Type::bigint};
  postgres::Column captured_minor_{postgres::Type::bigint};
  postgres::Column refunded_minor_{postgres::Type::bigint};
  postgres::Column epoch_{postgres::Type::bigint};
  postgres::Column attempt_count_{postgres::Type::bigint};
  postgres::Column next_action_at_{postgres::Type::timestamptz};
  postgres::Column reason_{postgres::Type::text};
  postgres::Column created_at_{postgres::Type::timestamptz};
  postgres::Column updated_at_{postgres::Type::timestamptz};
};

// The columns of many attempts, in the order of SWITCHYARD_PG_ATTEMPT_ARRAYS.
class AttemptColumns {
 public:
  void add(MerchantId merchant, TransactionId transaction, const payment::Attempt& attempt);
  void bind_to(postgres::Statement& statement) const;

 private:
  postgres::Column merchant_id_{postgres::Type::bigint};
  postgres::Column transaction_id_{postgres::Type::uuid};
  postgres::Column number_{postgres::Type::bigint};
  postgres::Column psp_{postgres::Type::text};
  postgres::Column idempotency_key_{postgres::Type::text};
  postgres::Column request_fingerprint_{postgres::Type::bytea};
  postgres::Column status_{postgres::Type::text};
  postgres::Column look_ups_{postgres::Type::bigint};
  postgres::Column psp_reference_{postgres::Type::text};
  postgres::Column reason_{postgres::Type::text};
  postgres::Column started_at_{postgres::Type::timestamptz};
  postgres::Column ended_at_{postgres::Type::timestamptz};
};

}  // namespace switchyard::store
