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

}  // namespace

Task<Result<AttemptPage>> SqliteStore::list_attempts(AttemptRange range, std::size_t limit) {
  SWITCHYARD_ASSERT(limit > 0);
  return merchants_.run<AttemptPage>(ourselves,
                                     [this, range, limit](sqlite::Database& database) -> Result<AttemptPage> {
                                       auto row = database.query(oldest_first);
                                       row.bind(range.merchant.value, range.first.value, range.last.value);
                                       AttemptPage page;
                                       AttemptReader reader(page, limit, range.merchant, set_aside_);
                                       while (row.step() && reader.read(row)) {
                                       }
                                       return page;
                                     });
}

}  // namespace switchyard::store
