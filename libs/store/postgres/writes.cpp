#include "store/postgres/writes.hpp"

#include <fmt/format.h>

namespace switchyard::store {
namespace {

using postgres::Statement;

const auto transaction_names = list_of(transactions_table, "{name}");
const auto key_names = list_of(idempotency_keys_table, "{name}");

const auto select_operations_sql = fmt::format(R"(
SELECT {}
FROM operations
WHERE (merchant_id, transaction_id) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[]))
ORDER BY merchant_id, transaction_id, number)",
                                               list_of(operations_table, as_read));

const std::string select_keys_sql = R"(
SELECT k.request_fingerprint::bytea, k.transaction_id::uuid, k.reply::text
FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS i (merchant_id, kind, key, position)
LEFT JOIN idempotency_keys k ON k.merchant_id = i.merchant_id AND k.kind = i.kind AND k.key = i.key
ORDER BY i.position)";

const auto insert_keys = insert_in_order(idempotency_keys_table);
const auto insert_transactions = insert_in_order(transactions_table) + R"(
ON CONFLICT (merchant_id, id) DO NOTHING
RETURNING merchant_id::bigint, id::uuid)";

const auto insert_transactions_with_keys = fmt::format(
    R"(
INSERT INTO transactions ({0})
SELECT {1}
FROM unnest({2}, ${3}::text[], ${4}::text[]) AS i ({0}, kind, key)
JOIN idempotency_keys k
  ON k.merchant_id = i.merchant_id AND k.kind = i.kind AND k.key = i.key AND k.transaction_id = i.id
ON CONFLICT (merchant_id, id) DO NOTHING
RETURNING merchant_id::bigint, id::uuid)",
    transaction_names, list_of(transactions_table, "i.{name}"), list_of(transactions_table, as_array),
    transaction_columns.size() + 1, transaction_columns.size() + 2);

const auto insert_keys_of_new = fmt::format(R"(
INSERT INTO idempotency_keys ({0})
SELECT i.*
FROM unnest({1}) AS i ({0})
WHERE NOT EXISTS (
  SELECT FROM transactions t
  WHERE t.merchant_id = i.merchant_id AND t.id = i.transaction_id)
ORDER BY i.merchant_id, i.kind, i.key
ON CONFLICT (merchant_id, kind, key) DO NOTHING)",
                                            key_names, list_of(idempotency_keys_table, as_array));

// One that was claimed since, or by somebody else, is no longer what the try has stored.
const auto select_own = fmt::format(R"(
SELECT t.merchant_id::bigint, t.id::uuid
FROM unnest({1}) AS i ({0})
JOIN transactions t ON t.merchant_id = i.merchant_id AND t.id = i.id
WHERE t.created_at = i.created_at AND t.amount_minor = i.amount_minor
  AND (i.version = 0 OR t.version = i.version AND t.updated_at = i.updated_at))",
                                    transaction_names, list_of(transactions_table, as_array));

std::string update_transactions(std::string_view condition) {
  return fmt::format(R"(
UPDATE transactions t
SET {0}
FROM unnest({1}) AS i ({2})
WHERE t.merchant_id = i.merchant_id AND t.id = i.id{3})",
                     list_of(transactions_table, "{name} = i.{name}", Which::changing),
                     list_of(transactions_table, as_array, Which::in_update),
                     list_of(transactions_table, "{name}", Which::in_update), condition);
}
const auto update_locked = update_transactions("");
const auto update_of_same_version = update_transactions(R"( AND t.version = i.version
RETURNING t.merchant_id::bigint, t.id::uuid)");

std::string insert_operations(std::string_view condition, std::string_view on_conflict) {
  return fmt::format(R"(
INSERT INTO operations ({0})
SELECT {1}
FROM unnest({2}, ${3}::bigint[]) AS i ({0}, version)
{4}
ON CONFLICT (merchant_id, transaction_id, number) DO {5})",
                     list_of(operations_table, "{name}"), list_of(operations_table, "i.{name}"),
                     list_of(operations_table, as_array), operation_columns.size() + 1, condition,
                     on_conflict);
}
constexpr std::string_view join_same_version = R"(JOIN transactions t
  ON t.merchant_id = i.merchant_id AND t.id = i.transaction_id AND t.version = i.version)";
const auto update_operation =
    "UPDATE SET " + list_of(operations_table, "{name} = excluded.{name}", Which::changing);
// Whoever has stored the transaction before, at this version, has stored its operations, too.
const auto insert_operations_of_new = insert_operations(join_same_version, "NOTHING");
const auto upsert_operations_of_locked = insert_operations("", update_operation);
// Runs behind update_of_same_version in its transaction: the rows that one changed are locked, and the
// others' version can only have grown.
const auto upsert_operations_of_same_version = insert_operations(join_same_version, update_operation);

}  // namespace

Statement select_operations(std::span<const Place> places) {
  return about(select_operations_sql, places);
}

Statement select_keys(const PostgresColumns& keys) {
  return keys.select(select_keys_sql);
}

Used replay_of(const postgres::Row& row, const IdempotencyKey& key) {
  if (row.is_null(0)) return std::nullopt;
  return get_reply(row, key);
}

void Writes::add(const payment::State& state, const Operations& operations) {
  transactions_.add(state.transaction);
  for (const auto* operation : operations) {
    operations_.add(state.transaction, *operation);
    versions_.add(state.transaction.version);
  }
}

void Writes::add_key(const payment::Transaction& transaction, const IdempotencyKey& key,
                     std::string_view reply) {
  keys_.put(transaction.merchant_id.value, payment::to_string(key.kind), std::string_view(key.key),
            std::string_view(key.request_fingerprint), transaction.id.value, reply, transaction.updated_at);
}

Statements Writes::of_new() const {
  Statements statements;
  if (has_keys()) {
    statements.push_back(keys_.insert(insert_keys_of_new));
    statements.push_back(transactions_.insert(insert_transactions_with_keys));
    statements.back()
        .bind(keys_.column(position_of("kind", idempotency_key_columns)))
        .bind(keys_.column(position_of("key", idempotency_key_columns)));
  } else {
    statements.push_back(transactions_.insert(insert_transactions));
  }
  add_operations_to(statements, insert_operations_of_new);
  if (has_keys()) statements.push_back(select_keys(keys_));
  return statements;
}

Statement Writes::look_for_own() const {
  return transactions_.insert(select_own);
}

Statements Writes::of_locked() const {
  Statements statements;
  if (!transactions_.empty()) statements.push_back(transactions_.update(update_locked));
  add_operations_to(statements, upsert_operations_of_locked);
  if (has_keys()) statements.push_back(keys_.insert(insert_keys));
  return statements;
}

Statements Writes::of_same_version() const {
  Statements statements;
  statements.push_back(transactions_.update(update_of_same_version));
  add_operations_to(statements, upsert_operations_of_same_version);
  return statements;
}

void Writes::add_operations_to(Statements& statements, const std::string& sql) const {
  if (operations_.empty()) return;
  statements.push_back(operations_.insert(sql));
  statements.back().bind(versions_);
}

}  // namespace switchyard::store
