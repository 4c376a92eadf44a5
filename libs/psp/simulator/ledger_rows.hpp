// The ledger's tables, and reading and writing their rows. For the thread of the database.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psp/simulator/book.hpp"
#include "sqlite/database.hpp"

namespace switchyard::psp::simulator {

// Opens or makes the ledger, and gives one of an older version the tables of this one. `unique_keys`: a key
// counts by itself; without, below its reference. `more_tables`: of whoever keeps more in the same file, made
// unless they are there. Throws DatabaseError.
std::unique_ptr<sqlite::Database> open_ledger(const std::string& path, sqlite::Durability durability,
                                              bool unique_keys, const char* more_tables = nullptr);

// One ledger, as its keys count.
class LedgerRows {
 public:
  LedgerRows(sqlite::Database& database, bool unique_keys) : database_(database), unique_keys_(unique_keys) {}

  // `reference` counts where keys count below it.
  std::optional<Charge> find_charge(std::string_view reference, std::string_view key);
  std::optional<Operation> find_operation(std::string_view reference, std::string_view key);
  std::vector<Charge> charges_of(std::string_view reference, std::size_t limit);
  // In the order in which they came.
  std::vector<Operation> operations_of(std::string_view reference, std::string_view charge_key);

  void insert(const Charge& charge, Timestamp now);
  void insert(const Operation& operation, Timestamp now);
  // Money and outcome.
  void save(const Charge& charge);
  // The outcome.
  void save(const Operation& operation);

  // Does what has come due: what was pending ends, what is to be taken back is.
  void let_time_pass(Timestamp now);
  // When something of this PSP's comes due next.
  std::optional<Timestamp> next_change(std::string_view psp);

  // Whether it comes the first time: it will not again.
  bool is_seen_the_first_time(std::string_view key);

 private:
  std::vector<Charge> charges_due(Timestamp now);
  std::vector<Operation> operations_due(Timestamp now);
  void end(Charge charge);
  void end(Operation operation);

  sqlite::Database& database_;
  const bool unique_keys_;
};

}  // namespace switchyard::psp::simulator
