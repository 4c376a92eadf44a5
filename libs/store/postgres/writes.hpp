// Statements that write transactions, with their operations and keys.
#pragma once

#include <span>

#include "store/changed.hpp"
#include "store/postgres/rows.hpp"

namespace switchyard::store {

using Statements = std::vector<postgres::Statement>;

// All operations of these transactions, each one's in the order of their numbers.
postgres::Statement select_operations(std::span<const Place> places);

// Looks for keys, whose rows begin with merchant, kind and key: whether they were used, and for what. One row
// for each, in their order.
postgres::Statement select_keys(const PostgresColumns& keys);
// What the key of such a row was first used for, if it was.
Used replay_of(const postgres::Row& row, const IdempotencyKey& key);

// What has been decided about many transactions, each of them once.
class Writes {
 public:
  void add(const payment::State& state, const Operations& operations);
  void add_key(const payment::Transaction& transaction, const IdempotencyKey& key, std::string_view reply);
  bool has_keys() const { return !keys_.empty(); }

  // New ones; where some have keys, all have. Those are stored if their key is their own: it was free, or it
  // is from an earlier try of the same request. The first statement, or with keys the second, returns the
  // places of those that were not there; with keys the last one is select_keys().
  Statements of_new() const;
  // Of new ones that are there, the places of those that an earlier try may have stored.
  postgres::Statement look_for_own() const;
  // Those whose rows are locked. Refused (23505) if a key has been used meanwhile.
  Statements of_locked() const;
  // Those whose version is the one that they have here: the first statement returns their places.
  Statements of_same_version() const;

 private:
  void add_operations_to(Statements& statements, const std::string& sql) const;

  PostgresColumns keys_{idempotency_keys_table};
  PostgresColumns transactions_{transactions_table};
  PostgresColumns operations_{operations_table};
  // Of each operation's transaction.
  postgres::Column versions_{postgres::Type::bigint};
};

}  // namespace switchyard::store
