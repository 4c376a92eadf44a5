// What is looked at of very many payments.
#include "base/assert.hpp"
#include "store/attempt_row.hpp"
#include "store/postgres/run.hpp"

namespace switchyard::store {
namespace {

// One row more than fits, which begins the next page. Each payment's operation is looked up by its key:
// joined as tables, a server that has no statistics yet compares each payment with all operations of the
// merchant.
constexpr const char* oldest_first = R"(
SELECT t.currency::text, t.id::uuid, t.amount_minor::bigint, t.created_at::timestamptz, t.metadata::text,
  t.payment_method::text, coalesce(o.psp, '')::text, coalesce(o.phase, 'requested')::text, coalesce(o.reason_kind, '')::text
FROM transactions t
LEFT JOIN LATERAL (
  SELECT psp, phase, reason_kind
  FROM operations
  WHERE merchant_id = t.merchant_id AND transaction_id = t.id AND number = 1
  LIMIT 1
) o ON true
WHERE t.merchant_id = $1::bigint AND t.id BETWEEN $2::uuid AND $3::uuid
ORDER BY t.id
LIMIT $4::bigint + 1)";

// The ids alone, from the end of their index; then each payment's operations by their key.
constexpr const char* newest_first = R"(
SELECT t.id::uuid, t.merchant_id::bigint, (o.psp IS NOT NULL)::boolean, coalesce(o.psp, '')::text,
  coalesce(o.phase, '')::text, coalesce(o.reason_code, '')::text, coalesce(o.reason, '')::text,
  coalesce(o.reason_kind, '')::text, coalesce(o.at, 'epoch')::timestamptz
FROM (
  SELECT id, merchant_id
  FROM transactions
  WHERE id >= $1::uuid
  ORDER BY id DESC
  LIMIT $2::bigint
) t
LEFT JOIN LATERAL (
  SELECT number, psp, phase, reason_code, reason, reason_kind, coalesce(ended_at, sent_at, requested_at) AS at
  FROM operations
  WHERE merchant_id = t.merchant_id AND transaction_id = t.id AND kind = 'authorize' AND psp <> ''
  OFFSET 0
) o ON true
ORDER BY t.id DESC, o.number DESC)";

}  // namespace

Task<Result<AttemptPage>> PostgresStore::list_attempts(AttemptRange range, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0);
  Statement select(oldest_first, range.merchant.value, range.first.value, range.last.value,
                   static_cast<std::int64_t>(limit));
  const auto read = [this, limit](const Rows& rows) -> Result<AttemptPage> {
    AttemptPage page;
    AttemptReader reader(page, limit, set_aside_);
    for (const auto row : rows.all()) {
      if (!reader.read(row)) break;
    }
    return page;
  };
  return query<AttemptPage>(std::move(select), Effect::none, read);
}

Task<Result<RecentAttempts>> PostgresStore::list_recent_attempts(TransactionId first, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0);
  Statement select(newest_first, first.value, static_cast<std::int64_t>(limit));
  const auto read = [this](const Rows& rows) -> Result<RecentAttempts> {
    RecentAttempts all;
    for (const auto row : rows.all()) add_recent_attempt(row, all, set_aside_);
    return all;
  };
  return query<RecentAttempts>(std::move(select), Effect::none, read);
}

}  // namespace switchyard::store
