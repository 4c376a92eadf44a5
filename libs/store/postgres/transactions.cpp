// What merchants do: create, show, list.
#include "base/assert.hpp"
#include "store/postgres/rows.hpp"
#include "store/postgres/run.hpp"

namespace switchyard::store {
namespace {

// Sorts after every id.
constexpr Uuid last_id{
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// A row that is there already is this very transaction, sent again: ids are random.
constexpr const char* insert_transactions =
    "INSERT INTO transactions (" SWITCHYARD_PG_TRANSACTION("") ") "
    "SELECT * FROM unnest(" SWITCHYARD_PG_TRANSACTION_ARRAYS ") ON CONFLICT (merchant_id, id) DO NOTHING";

// In one order everywhere, so that two batches with the same keys wait for each other and not in a circle.
constexpr const char* insert_keys =
    "INSERT INTO idempotency_keys (merchant_id, key, request_fingerprint, transaction_id, reply, created_at) "
    "SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::uuid[], $5::text[], $6::timestamptz[]) "
    "AS i (merchant_id, key, request_fingerprint, transaction_id, reply, created_at) ORDER BY merchant_id, "
    "key "
    "ON CONFLICT (merchant_id, key) DO NOTHING";

// Only those whose key is their own: it was free, or it is from an earlier try of the same request.
constexpr const char* insert_transactions_with_keys =
    "INSERT INTO transactions (" SWITCHYARD_PG_TRANSACTION("") ") SELECT " SWITCHYARD_PG_TRANSACTION("i.")
    " FROM unnest(" SWITCHYARD_PG_TRANSACTION_ARRAYS ", $16::text[]) "
    "AS i (" SWITCHYARD_PG_TRANSACTION("") ", key) "
    "JOIN idempotency_keys k ON k.merchant_id = i.merchant_id AND k.key = i.key AND k.transaction_id = i.id "
    "ON CONFLICT (merchant_id, id) DO NOTHING";

constexpr const char* select_keys =
    "SELECT k.request_fingerprint::bytea, k.transaction_id::uuid, k.reply::text "
    "FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS i (merchant_id, key, position) "
    "LEFT JOIN idempotency_keys k ON k.merchant_id = i.merchant_id AND k.key = i.key ORDER BY i.position";

Result<Replayed> replayed(const Rows& keys, int row, const std::string& request_fingerprint) {
  if (keys.bytes(row, 0) != request_fingerprint) {
    return fail(ErrorCode::idempotency_key_reused_with_different_body,
                "the idempotency key was used for another request; take a new key for a new request");
  }
  return Replayed{{keys.uuid(row, 1)}, std::string(keys.bytes(row, 2))};
}

// The result of each creation, told from the keys as they now are.
std::vector<Result<CreateResult>> results_of(const std::vector<NewTransaction>& created, const Rows& keys) {
  std::vector<Result<CreateResult>> results;
  results.reserve(created.size());
  for (const auto& one : created) {
    const auto row = static_cast<int>(results.size());
    SWITCHYARD_ASSERT(!keys.is_null(row, 0));
    if (keys.uuid(row, 1) == one.transaction.id.value) {
      results.emplace_back(Created{});
    } else {
      results.emplace_back(replayed(keys, row, one.idempotency_key->request_fingerprint));
    }
  }
  return results;
}

}  // namespace

Task<Result<CreateResult>> PostgresStore::create_transaction(NewTransaction created) {
  if (!created.idempotency_key) co_return co_await creations_.run(std::move(created));
  const KeysInFlight::Hold hold(keys_in_flight_, created.transaction.merchant_id,
                                created.idempotency_key->key);
  if (!hold) co_return std::unexpected(first_use_in_flight());
  co_return co_await creations_with_keys_.run(std::move(created));
}

Task<std::vector<Result<CreateResult>>> PostgresStore::create_all(std::vector<NewTransaction> created) {
  auto together = [this](const std::vector<NewTransaction>& some) { return create_together(some); };
  return run_together_or_alone<CreateResult>(std::move(created), std::move(together));
}

Task<postgres::Outcome<std::vector<Result<CreateResult>>>> PostgresStore::create_together(
    const std::vector<NewTransaction>& created) {
  TransactionColumns columns;
  for (const auto& one : created) columns.add(one.transaction);
  Statements statements;
  columns.bind_to(statements.emplace_back(insert_transactions));
  auto done = co_await execute(std::move(statements), Effect::repeatable);
  if (!done) co_return std::unexpected(std::move(done.error()));
  std::vector<Result<CreateResult>> results(created.size(), Result<CreateResult>(Created{}));
  co_return results;
}

Task<std::vector<Result<CreateResult>>> PostgresStore::create_all_with_keys(
    std::vector<NewTransaction> created) {
  auto together = [this](const std::vector<NewTransaction>& some) { return create_together_with_keys(some); };
  return run_together_or_alone<CreateResult>(std::move(created), std::move(together));
}

Task<postgres::Outcome<std::vector<Result<CreateResult>>>> PostgresStore::create_together_with_keys(
    const std::vector<NewTransaction>& created) {
  TransactionColumns columns;
  Column merchants(Type::bigint);
  Column keys(Type::text);
  Column fingerprints(Type::bytea);
  Column ids(Type::uuid);
  Column replies(Type::text);
  Column times(Type::timestamptz);
  for (const auto& one : created) {
    columns.add(one.transaction);
    merchants.add(one.transaction.merchant_id.value);
    keys.add(one.idempotency_key->key);
    fingerprints.add(one.idempotency_key->request_fingerprint);
    ids.add(one.transaction.id.value);
    replies.add(one.idempotency_key->reply);
    times.add(one.transaction.created_at);
  }
  Statements statements;
  statements.emplace_back(insert_keys)
      .bind(merchants)
      .bind(keys)
      .bind(fingerprints)
      .bind(ids)
      .bind(replies)
      .bind(times);
  columns.bind_to(statements.emplace_back(insert_transactions_with_keys));
  statements.back().bind(keys);
  statements.emplace_back(select_keys).bind(merchants).bind(keys);
  auto done = co_await execute(std::move(statements), Effect::repeatable);
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return results_of(created, done->back());
}

Task<Result<std::optional<Replayed>>> PostgresStore::find_reply(MerchantId merchant, std::string key,
                                                                std::string request_fingerprint) {
  // Before the read: a use that ends in between is committed, and read.
  if (keys_in_flight_.holds(merchant, key)) co_return std::unexpected(first_use_in_flight());
  Column merchants(Type::bigint);
  merchants.add(merchant.value);
  Column keys(Type::text);
  keys.add(key);
  Statements statements;
  statements.emplace_back(select_keys).bind(merchants).bind(keys);
  auto read = [fingerprint =
                   std::move(request_fingerprint)](const RowSets& sets) -> Result<std::optional<Replayed>> {
    const auto& found = sets.front();
    if (found.is_null(0, 0)) return std::nullopt;
    return replayed(found, 0, fingerprint);
  };
  co_return co_await query_in_turn<std::optional<Replayed>>(merchants_, merchant.value, std::move(statements),
                                                            std::move(read));
}

Task<Result<TransactionWithAttempts>> PostgresStore::find_transaction(MerchantId merchant, TransactionId id) {
  Statements statements;
  statements
      .emplace_back("SELECT " SWITCHYARD_PG_TRANSACTION_READ(
          "") " FROM transactions WHERE merchant_id = $1::bigint AND id = $2::uuid")
      .bind(merchant.value)
      .bind(id.value);
  statements
      .emplace_back("SELECT " SWITCHYARD_PG_ATTEMPT_READ(
          "") " FROM attempts WHERE merchant_id = $1::bigint AND transaction_id = $2::uuid ORDER BY number")
      .bind(merchant.value)
      .bind(id.value);
  const auto read = [this, merchant, id](const RowSets& sets) -> Result<TransactionWithAttempts> {
    const auto set_aside = [&](const std::string& why) {
      set_aside_.note(merchant, id, why);
      return std::unexpected(is_set_aside(why));
    };
    if (sets[0].size() == 0) return fail(ErrorCode::not_found, "there is no transaction with this id");
    auto transaction = read_transaction(sets[0], 0);
    if (!transaction) return set_aside(transaction.error());
    TransactionWithAttempts found{std::move(*transaction), {}};
    for (int row = 0; row < sets[1].size(); ++row) {
      auto attempt = read_attempt(sets[1], row, 0);
      if (!attempt) return set_aside(attempt.error());
      found.attempts.push_back(std::move(*attempt));
    }
    return found;
  };
  return query_in_turn<TransactionWithAttempts>(merchants_, merchant.value, std::move(statements), read);
}

Task<Result<TransactionPage>> PostgresStore::list_transactions(MerchantId merchant,
                                                               TransactionFilter filter) {
  SWITCHYARD_ASSERT(filter.limit > 0);
  const Uuid before = filter.before ? filter.before->value : last_id;
  Statements statements;
  statements
      .emplace_back("SELECT " SWITCHYARD_PG_TRANSACTION_READ(
          "") " FROM (SELECT * FROM transactions WHERE merchant_id = $1::bigint AND id < $2::uuid ORDER BY "
              "id DESC "
              "LIMIT $3::bigint) scanned WHERE ($4::text = '' OR status = $4::text) "
              "AND ($5::text = '' OR currency = $5::text) ORDER BY id DESC LIMIT $6::bigint")
      .bind(merchant.value)
      .bind(before)
      .bind(rows_of_a_page_max)
      .bind(filter.status ? payment::to_string(*filter.status) : std::string_view())
      .bind(filter.currency ? filter.currency->code() : std::string_view())
      .bind(static_cast<std::int64_t>(filter.limit) + 1);
  // The last row that the scan above can have seen, if there is another one behind it.
  statements
      .emplace_back(
          "SELECT id::uuid FROM transactions WHERE merchant_id = $1::bigint AND id < $2::uuid "
          "ORDER BY id DESC OFFSET $3::bigint LIMIT 2")
      .bind(merchant.value)
      .bind(before)
      .bind(rows_of_a_page_max - 1);
  const auto read = [this, merchant,
                     limit = static_cast<int>(filter.limit)](const RowSets& sets) -> Result<TransactionPage> {
    TransactionPage page;
    const auto& rows = sets[0];
    for (int row = 0; row < std::min(rows.size(), limit); ++row) {
      auto transaction = read_transaction(rows, row);
      if (transaction) {
        page.items.push_back(std::move(*transaction));
      } else {
        set_aside_.note(merchant, {rows.uuid(row, 1)}, transaction.error());
      }
    }
    if (rows.size() > limit) {
      page.next = TransactionId{rows.uuid(limit - 1, 1)};
    } else if (sets[1].size() == 2) {
      page.next = TransactionId{sets[1].uuid(0, 0)};
    }
    return page;
  };
  return query_in_turn<TransactionPage>(merchants_, merchant.value, std::move(statements), read);
}

}  // namespace switchyard::store
