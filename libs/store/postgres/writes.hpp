// Statements that write transactions, with their operations and keys.
#pragma once

#include <span>

#include "store/postgres/rows.hpp"

namespace switchyard::store {

// All operations of these transactions, each one's in the order of their numbers.
postgres::Statement select_operations(std::span<const Place> places);

// Looks for keys: whether they were used, and for what.
class KeyLookup {
 public:
  void add(MerchantId merchant, const IdempotencyKey& key);
  bool empty() const { return empty_; }
  // One row for each, in their order; for replay_of().
  postgres::Statement statement() const;
  void bind_keys_to(postgres::Statement& statement) const { statement.bind(kinds_).bind(keys_); }

 private:
  postgres::Column merchants_{postgres::Type::bigint};
  postgres::Column kinds_{postgres::Type::text};
  postgres::Column keys_{postgres::Type::text};
  bool empty_ = true;
};
// Of a row of that: what the key was first used for, nothing if it was not used;
// idempotency_key_reused_with_different_body.
Result<std::optional<Replayed>> replay_of(const postgres::Row& row, const IdempotencyKey& key);

// What has been decided about many transactions, each of them once.
class Writes {
 public:
  void add(const payment::State& state, const Operations& operations);
  void add_key(const payment::Transaction& transaction, const IdempotencyKey& key, std::string_view reply);
  bool has_keys() const { return !keys_.empty(); }

  // New ones; where some have keys, all have. Those are stored if their key is their own: it was free, or it
  // is from an earlier try of the same request. The first statement, or with keys the second, returns the
  // places of those that were not there; with keys the last one is KeyLookup's.
  std::vector<postgres::Statement> of_new() const;
  // Of new ones that are there, the places of those that an earlier try may have stored.
  postgres::Statement look_for_own() const;
  // Those whose rows are locked. Refused (23505) if a key has been used meanwhile.
  std::vector<postgres::Statement> of_locked() const;
  // Those whose version is the one that they have here: the first statement returns their places.
  std::vector<postgres::Statement> of_same_version() const;

 private:
  void bind_operations_to(std::vector<postgres::Statement>& statements, const std::string& sql) const;

  KeyLookup lookup_;
  PostgresColumns keys_{idempotency_keys_table};
  PostgresColumns transactions_{transactions_table};
  PostgresColumns operations_{operations_table};
  // Of each operation's transaction.
  postgres::Column versions_{postgres::Type::bigint};
};

}  // namespace switchyard::store
