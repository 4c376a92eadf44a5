// Rows of the schema as the domain's types, both ways, and the parts of statements that name columns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/rows.hpp"
#include "postgres/statement.hpp"
#include "store/columns.hpp"
#include "store/store.hpp"

namespace switchyard::store {

// For list_of(): a column cast to the type that it is read as, so that one that an operator has altered is no
// wrong number; and what PostgresColumns binds.
inline constexpr const char* as_read = "{name}::{type}";
inline constexpr const char* as_array = "${place}::{type}[]";

// Which transaction a row is about, where its first two columns say so.
using Place = std::pair<MerchantId, TransactionId>;
Place place_of(const postgres::Row& row);
Place place_of(const payment::Transaction& transaction);

// A statement whose $1 and $2 are the places' merchants and ids.
postgres::Statement about(const std::string& sql, std::span<const Place> places);

// A transaction that was found, or why it cannot be read.
struct FoundState {
  Place place;
  Readable<payment::State> state;
};
// Transactions in the rows' order, without their operations.
std::vector<FoundState> read_transactions(const postgres::Rows& rows);
// Gives them their operations, each one's in the order of their numbers, and looks whether each state is
// sound.
void add_operations(std::vector<FoundState>& found, std::span<const postgres::Rows> operations);

// For PostgresColumns::insert(); what is there already is refused. All inserts are in one order
// everywhere, so that two batches with the same rows wait for each other and not in a circle.
std::string insert_in_order(const TableName& table);

// Many rows of a table as one array for each column.
class PostgresColumns {
 public:
  explicit PostgresColumns(const TableName& table);

  // One row, of put_columns(); what PostgreSQL cannot hold of its texts becomes question marks.
  template <class... Parts>
  void add(const Parts&... parts) {
    put_columns(parts..., [this](const auto& value) {
      if constexpr (std::is_same_v<decltype(value), const std::string_view&>) {
        put(std::string_view(postgres::storable_text(value)));
      } else {
        put(value);
      }
    });
  }
  // The next values of a row, as they are.
  template <class... Values>
  void put(const Values&... values) {
    (next().add(values), ...);
  }
  void put_null() { next().add_null(); }

  bool empty() const { return rows_ == 0; }
  const postgres::Column& column(std::size_t number) const { return columns_[number]; }
  // A statement whose first parameters are all columns, those of the key, or changing_columns().
  postgres::Statement insert(const std::string& sql) const {
    return with(sql, [](std::size_t) { return true; });
  }
  postgres::Statement select(const std::string& sql) const {
    return with(sql, [this](std::size_t number) { return number < table_.key_size; });
  }
  postgres::Statement update(const std::string& sql) const {
    return with(sql, [this](std::size_t number) { return table_.is_in_update(number); });
  }

 private:
  postgres::Column& next();
  template <class Wanted>
  postgres::Statement with(const std::string& sql, Wanted is_wanted) const {
    postgres::Statement statement(sql);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (is_wanted(i)) statement.bind(columns_[i]);
    }
    return statement;
  }

  TableName table_;
  std::vector<postgres::Column> columns_;
  std::size_t next_ = 0;
  std::size_t rows_ = 0;
};

}  // namespace switchyard::store
