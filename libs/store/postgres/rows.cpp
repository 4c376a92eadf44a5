#include "store/postgres/rows.hpp"

#include <array>
#include <map>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace switchyard::store {
namespace {

struct SqlType {
  std::string_view name;
  postgres::Type element;
};
// In the order of ColumnType.
constexpr std::array<SqlType, 6> sql_types{{
    {"bigint", postgres::Type::bigint},
    {"boolean", postgres::Type::boolean},
    {"uuid", postgres::Type::uuid},
    {"text", postgres::Type::text},
    {"bytea", postgres::Type::bytea},
    {"timestamptz", postgres::Type::timestamptz},
}};
static_assert(static_cast<std::size_t>(ColumnType::timestamptz) + 1 == sql_types.size());

const SqlType& sql_type(const ColumnName& column) {
  return sql_types.at(static_cast<std::size_t>(column.type));
}

}  // namespace

std::string names_of(ColumnNames columns, std::string_view prefix) {
  return list_of(columns, [prefix](const ColumnName& column, std::size_t) {
    return fmt::format("{}{}", prefix, column.name);
  });
}

std::string reads_of(ColumnNames columns, std::string_view prefix) {
  return list_of(columns, [prefix](const ColumnName& column, std::size_t) {
    return fmt::format("{}{}::{}", prefix, column.name, sql_type(column).name);
  });
}

std::string arrays_of(ColumnNames columns) {
  return list_of(columns, [](const ColumnName& column, std::size_t number) {
    return fmt::format("${}::{}[]", number, sql_type(column).name);
  });
}

std::string assignments_of(ColumnNames columns, std::string_view from) {
  return list_of(columns, [from](const ColumnName& column, std::size_t) {
    return column.is_fixed ? "" : fmt::format("{0} = {1}{0}", column.name, from);
  });
}

std::vector<ColumnName> changing_columns(const TableName& table) {
  std::vector<ColumnName> changing;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.is_in_update(i)) changing.push_back(table.columns[i]);
  }
  return changing;
}

Place place_of(const postgres::Row& row) {
  return {{row.integer(0)}, {row.uuid(1)}};
}

Place place_of(const payment::Transaction& transaction) {
  return {transaction.merchant_id, transaction.id};
}

postgres::Statement about(const std::string& sql, std::span<const Place> places) {
  postgres::Column merchants(postgres::Type::bigint);
  postgres::Column ids(postgres::Type::uuid);
  for (const auto& [merchant, id] : places) {
    merchants.add(merchant.value);
    ids.add(id.value);
  }
  return postgres::Statement(sql, merchants, ids);
}

std::vector<FoundState> read_transactions(const postgres::Rows& rows) {
  std::vector<FoundState> found;
  found.reserve(static_cast<std::size_t>(rows.size()));
  for (const auto row : rows.all()) {
    auto transaction = get_transaction(row);
    if (transaction) {
      found.push_back({place_of(row), payment::State{std::move(*transaction), {}}});
    } else {
      found.push_back({place_of(row), std::unexpected(std::move(transaction.error()))});
    }
  }
  return found;
}

void add_operations(std::vector<FoundState>& found, std::span<const postgres::Rows> operations) {
  std::map<Place, Readable<payment::State>*> states;
  for (auto& [place, state] : found) states.emplace(place, &state);
  for (const auto& rows : operations) {
    for (const auto row : rows.all()) {
      const auto known = states.find(place_of(row));
      if (known == states.end() || !*known->second) continue;
      auto& state = *known->second;
      auto operation = get_operation(row, state->transaction);
      if (operation) {
        state->operations.push_back(std::move(*operation));
      } else {
        state = std::unexpected(std::move(operation.error()));
      }
    }
  }
  for (auto& one : found) {
    if (one.state) one.state = sound(std::move(*one.state));
  }
}

PostgresColumns::PostgresColumns(const TableName& table) : table_(table) {
  columns_.reserve(table.columns.size());
  for (const auto& column : table.columns) columns_.emplace_back(sql_type(column).element);
}

postgres::Column& PostgresColumns::next() {
  const auto column = next_;
  if (column == 0) ++rows_;
  next_ = (next_ + 1) % columns_.size();
  return columns_[column];
}

postgres::Statement PostgresColumns::insert(const std::string& sql) const {
  postgres::Statement statement(sql);
  for (const auto& column : columns_) statement.bind(column);
  return statement;
}

postgres::Statement PostgresColumns::select(const std::string& sql) const {
  postgres::Statement statement(sql);
  for (std::size_t i = 0; i < table_.key_size; ++i) statement.bind(columns_[i]);
  return statement;
}

postgres::Statement PostgresColumns::update(const std::string& sql) const {
  postgres::Statement statement(sql);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (table_.is_in_update(i)) statement.bind(columns_[i]);
  }
  return statement;
}

}  // namespace switchyard::store
