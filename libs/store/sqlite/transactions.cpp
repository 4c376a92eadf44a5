// What merchants do: create, show, list.
#include "base/assert.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

// Bounds the work of one page when a filter matches few rows.
constexpr std::size_t rows_scanned_max = 10'000;

// Sorts after every id.
constexpr Uuid last_id{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// What is stored of the key, if anything is.
Result<std::optional<Replayed>> read_reply(sqlite::Database& database, MerchantId merchant,
                                           const std::string& key, const std::string& request_fingerprint) {
  auto row = database.query(
      "SELECT request_fingerprint, transaction_id, reply FROM idempotency_keys WHERE merchant_id = ? AND "
      "key = ?");
  row.bind(merchant.value).bind(key);
  if (!row.step()) return std::nullopt;
  if (row.blob(0) != request_fingerprint) {
    return fail(ErrorCode::idempotency_key_reused_with_different_body,
                "the idempotency key was used for another request; take a new key for a new request");
  }
  return Replayed{read_transaction_id(row, 1), std::string(row.text(2))};
}

void insert_idempotency_key(sqlite::Database& database, const payment::Transaction& transaction,
                            const IdempotencyKey& key) {
  database
      .query(
          "INSERT INTO idempotency_keys (merchant_id, key, request_fingerprint, transaction_id, reply, "
          "created_at_ms) "
          "VALUES (?, ?, ?, ?, ?, ?)")
      .bind(transaction.merchant_id.value)
      .bind(key.key)
      .bind_blob(key.request_fingerprint)
      .bind_blob(transaction.id.value.bytes)
      .bind(key.reply)
      .bind(to_ms(transaction.created_at))
      .run();
}

bool matches(const payment::Transaction& transaction, const TransactionFilter& filter) {
  return (!filter.status || transaction.status == *filter.status) &&
         (!filter.currency || transaction.amount.currency() == *filter.currency);
}

}  // namespace

Task<Result<CreateResult>> SqliteStore::create_transaction(NewTransaction created) {
  if (!created.idempotency_key) {
    return writer_.run<CreateResult>(
        [created = std::move(created)](sqlite::Database& database) -> Result<CreateResult> {
          insert_transaction(database, created.transaction);
          return Created{};
        });
  }
  return create_with_key(std::move(created));
}

Task<Result<CreateResult>> SqliteStore::create_with_key(NewTransaction created) {
  const KeysInFlight::Hold hold(keys_in_flight_, created.transaction.merchant_id,
                                created.idempotency_key->key);
  if (!hold) co_return std::unexpected(first_use_in_flight());
  auto insert = [created = std::move(created)](sqlite::Database& database) -> Result<CreateResult> {
    const auto& key = *created.idempotency_key;
    auto earlier = read_reply(database, created.transaction.merchant_id, key.key, key.request_fingerprint);
    if (!earlier) return std::unexpected(std::move(earlier.error()));
    if (*earlier) return std::move(**earlier);
    insert_idempotency_key(database, created.transaction, key);
    insert_transaction(database, created.transaction);
    return Created{};
  };
  co_return co_await writer_.run<CreateResult>(std::move(insert));
}

Task<Result<std::optional<Replayed>>> SqliteStore::find_reply(MerchantId merchant, std::string key,
                                                              std::string request_fingerprint) {
  // Before the read: a use that ends in between is committed, and read.
  if (keys_in_flight_.holds(merchant, key)) co_return std::unexpected(first_use_in_flight());
  auto read = [merchant, key = std::move(key),
               request_fingerprint = std::move(request_fingerprint)](sqlite::Database& database) {
    return read_reply(database, merchant, key, request_fingerprint);
  };
  co_return co_await merchants_.run<std::optional<Replayed>>(merchant.value, std::move(read));
}

Task<Result<TransactionWithAttempts>> SqliteStore::find_transaction(MerchantId merchant, TransactionId id) {
  return merchants_.run<TransactionWithAttempts>(
      merchant.value, [merchant, id](sqlite::Database& database) -> Result<TransactionWithAttempts> {
        auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                  " FROM transactions WHERE merchant_id = ? AND id = ?");
        row.bind(merchant.value).bind_blob(id.value.bytes);
        if (!row.step()) return fail(ErrorCode::not_found, "there is no transaction with this id");
        TransactionWithAttempts found{read_transaction(row), {}};

        auto attempt =
            database.query("SELECT " SWITCHYARD_ATTEMPT_COLUMNS
                           " FROM attempts WHERE merchant_id = ? AND transaction_id = ? ORDER BY number");
        attempt.bind(merchant.value).bind_blob(id.value.bytes);
        while (attempt.step()) found.attempts.push_back(read_attempt(attempt));
        return found;
      });
}

Task<Result<TransactionPage>> SqliteStore::list_transactions(MerchantId merchant, TransactionFilter filter) {
  return merchants_.run<TransactionPage>(
      merchant.value, [merchant, filter](sqlite::Database& database) -> Result<TransactionPage> {
        SWITCHYARD_ASSERT(filter.limit > 0);
        const Uuid before = filter.before ? filter.before->value : last_id;
        auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                  " FROM transactions WHERE merchant_id = ? AND id < ? ORDER BY id DESC");
        row.bind(merchant.value).bind_blob(before.bytes);

        TransactionPage page;
        std::optional<TransactionId> last_seen;
        for (std::size_t scanned = 0; row.step(); ++scanned) {
          // There is one more row: the page ends with a cursor to it.
          if (page.items.size() == filter.limit || scanned == rows_scanned_max) {
            page.next = last_seen;
            break;
          }
          auto transaction = read_transaction(row);
          last_seen = transaction.id;
          if (matches(transaction, filter)) page.items.push_back(std::move(transaction));
        }
        return page;
      });
}

}  // namespace switchyard::store
