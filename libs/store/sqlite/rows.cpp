#include "store/sqlite/rows.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace switchyard::store {
namespace {

std::string insert_into(const TableName& table) {
  return fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, column_list(table),
                     list_of(table, "?{number}"));
}

std::string update(const TableName& table) {
  return fmt::format("UPDATE {} SET {}", table.name,
                     list_of(table, "{sqlite_name} = ?{number}", Which::changing));
}

// Of put_columns(): for insert_into(), or for update(), which needs to know which row it is and what may have
// changed. What is bound lives until the query ends.
auto bind_to(sqlite::Query& query, const TableName& table, bool is_update) {
  return [&query, &table, is_update, column = std::size_t{0}](const auto& value) mutable {
    is_update && !table.is_in_update(column++) ? query.skip() : query.bind(value);
  };
}

}  // namespace

std::string column_list(const TableName& table) {
  return list_of(table, "{sqlite_name}");
}

std::optional<Readable<payment::State>> read_state(sqlite::Database& database, MerchantId merchant,
                                                   TransactionId id) {
  static const auto of_transaction = fmt::format(
      "SELECT {} FROM transactions WHERE merchant_id = ? AND id = ?", column_list(transactions_table));
  static const auto of_operations =
      fmt::format("SELECT {} FROM operations WHERE merchant_id = ? AND transaction_id = ? ORDER BY number",
                  column_list(operations_table));
  auto row = database.query(of_transaction.c_str());
  row.bind(merchant.value, id.value);
  if (!row.step()) return std::nullopt;
  auto transaction = get_transaction(row);
  if (!transaction) return std::unexpected(transaction.error());
  payment::State state{std::move(*transaction), {}};
  // A new one has none to look for.
  if (state.transaction.operation_count > 0) {
    auto operations = database.query(of_operations.c_str());
    operations.bind(merchant.value, id.value);
    while (operations.step()) {
      auto operation = get_operation(operations, state.transaction);
      if (!operation) return std::unexpected(operation.error());
      state.operations.push_back(std::move(*operation));
    }
  }
  return sound(std::move(state));
}

const char* select_newest_first(bool of_reference) {
  static const auto merchants = fmt::format("SELECT {} FROM transactions WHERE merchant_id = ?1 AND id < ?2",
                                            column_list(transactions_table));
  static const auto all = merchants + " ORDER BY id DESC";
  static const auto some = merchants + " AND reference = ?3 AND reference <> '' ORDER BY id DESC";
  return (of_reference ? some : all).c_str();
}

bool insert_transaction(sqlite::Database& database, const payment::Transaction& transaction) {
  static const auto sql = insert_into(transactions_table) + " ON CONFLICT DO NOTHING";
  auto query = database.query(sql.c_str());
  put_columns(transaction, bind_to(query, transactions_table, false));
  query.run();
  return database.changes() == 1;
}

bool update_transaction(sqlite::Database& database, const payment::Transaction& transaction,
                        std::int64_t expected_version) {
  static const auto sql = fmt::format("{} WHERE merchant_id = ?1 AND id = ?2 AND version = ?{}",
                                      update(transactions_table), transaction_columns.size() + 1);
  auto query = database.query(sql.c_str());
  put_columns(transaction, bind_to(query, transactions_table, true));
  query.bind(expected_version).run();
  return database.changes() == 1;
}

void write_operations(sqlite::Database& database, const payment::Transaction& transaction,
                      const Operations& operations, std::size_t stored) {
  static const auto insert = insert_into(operations_table);
  static const auto change =
      update(operations_table) + " WHERE merchant_id = ?1 AND transaction_id = ?2 AND number = ?3";
  for (const auto* operation : operations) {
    const bool is_new = std::cmp_greater(operation->number, stored);
    auto query = database.query(is_new ? insert.c_str() : change.c_str());
    put_columns(transaction, *operation, bind_to(query, operations_table, !is_new));
    query.run();
    SWITCHYARD_ASSERT(database.changes() == 1);
  }
}

void insert_psp_event(sqlite::Database& database, const PspEvent& event) {
  static const auto sql = insert_into(psp_events_table) + " ON CONFLICT DO NOTHING";
  const auto row = row_of(event);
  auto query = database.query(sql.c_str());
  put_columns(row, bind_to(query, psp_events_table, false));
  query.run();
}

Used read_reply(sqlite::Database& database, MerchantId merchant, const std::optional<IdempotencyKey>& key) {
  if (!key) return std::nullopt;
  auto row = database.query(R"(
    SELECT request_fingerprint, transaction_id, reply FROM idempotency_keys
    WHERE merchant_id = ? AND kind = ? AND key = ?)");
  row.bind(merchant.value, payment::to_string(key->kind), key->key);
  if (!row.step()) return std::nullopt;
  return get_reply(row, *key);
}

void insert_key(sqlite::Database& database, const payment::Transaction& transaction,
                const IdempotencyKey& key, const std::string& reply) {
  static const auto sql = insert_into(idempotency_keys_table);
  database.query(sql.c_str())
      .bind(transaction.merchant_id.value, payment::to_string(key.kind), key.key)
      .bind_blob(key.request_fingerprint)
      .bind(transaction.id.value, reply, transaction.updated_at)
      .run();
}

}  // namespace switchyard::store
