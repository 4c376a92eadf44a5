// What is looked at of very many payments.
#include "base/assert.hpp"
#include "store/attempt_row.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

// Two walks side by side, along the tables' own order.
constexpr const char* oldest_first = R"(
  SELECT t.currency, t.id, t.amount_minor, t.created_at_ms, t.metadata, t.payment_method,
    coalesce(o.psp, ''), coalesce(o.phase, 'requested'), coalesce(o.reason_kind, '')
  FROM transactions t
  LEFT JOIN operations o ON o.merchant_id = t.merchant_id AND o.transaction_id = t.id AND o.number = 1
  WHERE t.merchant_id = ?1 AND t.id BETWEEN ?2 AND ?3
  ORDER BY t.id)";

// The ids alone, from the end of their index; then each payment's operations by their key.
constexpr const char* newest_first = R"(
  SELECT t.id, t.merchant_id, o.psp IS NOT NULL, coalesce(o.psp, ''), coalesce(o.phase, ''),
    coalesce(o.reason_code, ''), coalesce(o.reason, ''), coalesce(o.reason_kind, ''),
    coalesce(o.ended_at_ms, o.sent_at_ms, o.requested_at_ms, 0)
  FROM (SELECT id, merchant_id FROM transactions WHERE id >= ?1 ORDER BY id DESC LIMIT ?2) t
  LEFT JOIN operations o
    ON o.merchant_id = t.merchant_id AND o.transaction_id = t.id AND o.kind = 'authorize' AND o.psp <> ''
  ORDER BY t.id DESC, o.number DESC)";

}  // namespace

Task<Result<AttemptPage>> SqliteStore::list_attempts(AttemptRange range, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0);
  return merchants_.run<AttemptPage>(ourselves,
                                     [this, range, limit](sqlite::Database& database) -> Result<AttemptPage> {
                                       auto row = database.query(oldest_first);
                                       row.bind(range.merchant.value, range.first.value, range.last.value);
                                       AttemptPage page;
                                       AttemptReader reader(page, limit, set_aside_);
                                       while (row.step() && reader.read(row)) {
                                       }
                                       return page;
                                     });
}

Task<Result<RecentAttempts>> SqliteStore::list_recent_attempts(TransactionId first, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0);
  return merchants_.run<RecentAttempts>(
      ourselves, [this, first, limit](sqlite::Database& database) -> Result<RecentAttempts> {
        auto row = database.query(newest_first);
        row.bind(first.value, static_cast<std::int64_t>(limit));
        RecentAttempts all;
        while (row.step()) add_recent_attempt(row, all, set_aside_);
        return all;
      });
}

}  // namespace switchyard::store
