// What merchants do: create, show, list.
#include "base/assert.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

namespace switchyard::store {
namespace {

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

// Before the row is read as a whole, which costs more than to pass over it.
bool matches(const sqlite::Query& row, const TransactionFilter& filter) {
  return (!filter.status || row.text(5) == payment::to_string(*filter.status)) &&
         (!filter.currency || row.text(3) == filter.currency->code());
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
      merchant.value, [this, merchant, id](sqlite::Database& database) -> Result<TransactionWithAttempts> {
        const auto set_aside = [&](const std::string& why) -> std::unexpected<Error> {
          set_aside_.note(merchant, id, why);
          return std::unexpected(is_set_aside(why));
        };
        auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                  " FROM transactions WHERE merchant_id = ? AND id = ?");
        row.bind(merchant.value).bind_blob(id.value.bytes);
        if (!row.step()) return fail(ErrorCode::not_found, "there is no transaction with this id");
        auto transaction = read_transaction(row);
        if (!transaction) return set_aside(transaction.error());
        TransactionWithAttempts found{std::move(*transaction), {}};

        auto attempt =
            database.query("SELECT " SWITCHYARD_ATTEMPT_COLUMNS
                           " FROM attempts WHERE merchant_id = ? AND transaction_id = ? ORDER BY number");
        attempt.bind(merchant.value).bind_blob(id.value.bytes);
        while (attempt.step()) {
          auto one = read_attempt(attempt);
          if (!one) return set_aside(one.error());
          found.attempts.push_back(std::move(*one));
        }
        return found;
      });
}

Task<Result<TransactionPage>> SqliteStore::list_transactions(MerchantId merchant, TransactionFilter filter) {
  return merchants_.run<TransactionPage>(
      merchant.value, [this, merchant, filter](sqlite::Database& database) -> Result<TransactionPage> {
        SWITCHYARD_ASSERT(filter.limit > 0);
        const Uuid before = filter.before ? filter.before->value : last_id;
        auto row = database.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                                  " FROM transactions WHERE merchant_id = ? AND id < ? ORDER BY id DESC");
        row.bind(merchant.value).bind_blob(before.bytes);

        TransactionPage page;
        std::optional<TransactionId> last_seen;
        for (std::int64_t looked_at = 0; row.step(); ++looked_at) {
          // There is one more row: the page ends with a cursor to it.
          if (page.items.size() == filter.limit || looked_at == rows_of_a_page_max) {
            page.next = last_seen;
            break;
          }
          last_seen = read_transaction_id(row, 1);
          if (!matches(row, filter)) continue;
          auto transaction = read_transaction(row);
          if (transaction) {
            page.items.push_back(std::move(*transaction));
          } else {
            set_aside_.note(merchant, *last_seen, transaction.error());
          }
        }
        return page;
      });
}

}  // namespace switchyard::store
