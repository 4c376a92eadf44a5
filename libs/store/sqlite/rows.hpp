// Rows of the schema as the domain's types, both ways.
#pragma once

#include "sqlite/database.hpp"
#include "store/changed.hpp"
#include "store/columns.hpp"
#include "store/store.hpp"

namespace switchyard::store {

// "merchant_id, id, ..., updated_at_ms"
std::string column_list(const TableName& table);

// Nothing if there is no such row.
std::optional<Readable<payment::State>> read_state(sqlite::Database& database, MerchantId merchant,
                                                   TransactionId id);

// A merchant's transactions as they are listed, all or those of one reference: ?1 is the merchant, ?2 what
// they are older than, ?3 the reference.
const char* select_newest_first(bool of_reference);

// False if one of its id is there.
bool insert_transaction(sqlite::Database& database, const payment::Transaction& transaction);
// False if its version is not `expected_version`.
bool update_transaction(sqlite::Database& database, const payment::Transaction& transaction,
                        std::int64_t expected_version);
// The first `stored` of the transaction's operations are there already.
void write_operations(sqlite::Database& database, const payment::Transaction& transaction,
                      const Operations& operations, std::size_t stored);

// One whose account and event are there is left as it is.
void insert_psp_event(sqlite::Database& database, const PspEvent& event);

// What the key was first used for, if it was.
Used read_reply(sqlite::Database& database, MerchantId merchant, const std::optional<IdempotencyKey>& key);
void insert_key(sqlite::Database& database, const payment::Transaction& transaction,
                const IdempotencyKey& key, const std::string& reply);

}  // namespace switchyard::store
