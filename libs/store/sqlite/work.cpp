// What workers do: claim what is due, save what came of it.
#include "base/assert.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

std::vector<payment::Transaction> read_due(sqlite::Database& database, Timestamp now, std::size_t limit) {
  std::vector<payment::Transaction> due;
  auto row =
      database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                     " FROM transactions WHERE next_action_at_ms <= ? ORDER BY next_action_at_ms LIMIT ?");
  row.bind(to_ms(now)).bind(static_cast<std::int64_t>(limit));
  while (row.step()) due.push_back(read_transaction(row));
  return due;
}

std::optional<payment::Attempt> read_last_attempt(sqlite::Database& database,
                                                  const payment::Transaction& transaction) {
  if (transaction.attempt_count == 0) return std::nullopt;
  auto row = database.query("SELECT " SWITCHYARD_ATTEMPT_COLUMNS
                            " FROM attempts WHERE merchant_id = ? AND transaction_id = ? AND number = ?");
  row.bind(transaction.merchant_id.value)
      .bind_blob(transaction.id.value.bytes)
      .bind(std::int64_t{transaction.attempt_count});
  SWITCHYARD_ASSERT(row.step());
  return read_attempt(row);
}

}  // namespace

Task<Result<std::vector<payment::Transition>>> SqliteStore::claim_due(std::string psp, Timestamp now,
                                                                      std::size_t limit,
                                                                      payment::RetryPolicy policy) {
  using Transitions = std::vector<payment::Transition>;
  return writer_.run<Transitions>([psp = std::move(psp), now, limit,
                                   policy](sqlite::Database& database) -> Result<Transitions> {
    Transitions claimed;
    for (auto& transaction : read_due(database, now, limit)) {
      const auto epoch = transaction.epoch;
      auto attempt = read_last_attempt(database, transaction);
      auto transition =
          payment::apply({std::move(transaction), std::move(attempt)}, payment::Claimed{psp}, now, policy);
      const auto& state = transition.state;
      SWITCHYARD_ASSERT(update_transaction(database, state.transaction, epoch));
      upsert_attempt(database, state.transaction, *state.attempt);
      claimed.push_back(std::move(transition));
    }
    return claimed;
  });
}

Task<Result<void>> SqliteStore::save_outcome(payment::State state) {
  return writer_.run<void>([state = std::move(state)](sqlite::Database& database) -> Result<void> {
    const auto& transaction = state.transaction;
    if (!update_transaction(database, transaction, transaction.epoch)) {
      return fail(ErrorCode::stale_epoch, "another worker has taken the transaction over");
    }
    upsert_attempt(database, transaction, *state.attempt);
    return {};
  });
}

Task<Result<std::int64_t>> SqliteStore::count_backlog(std::int64_t most) {
  return reader_.run<std::int64_t>([most](sqlite::Database& database) -> Result<std::int64_t> {
    auto row = database.query(
        "SELECT count(*) FROM (SELECT 1 FROM transactions WHERE next_action_at_ms IS NOT NULL LIMIT ?)");
    row.bind(most);
    row.step();
    return row.integer(0);
  });
}

}  // namespace switchyard::store
