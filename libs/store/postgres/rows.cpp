#include "store/postgres/rows.hpp"

#include <array>
#include <map>

#include <fmt/format.h>

namespace switchyard::store {
namespace {

// In the order of ColumnType.
constexpr std::array element_types{postgres::Type::bigint, postgres::Type::boolean,
                                   postgres::Type::uuid,   postgres::Type::text,
                                   postgres::Type::bytea,  postgres::Type::timestamptz};

}  // namespace

Place place_of(const postgres::Row& row) {
  return {{row.integer(0)}, {row.uuid(1)}};
}

Place place_of(const payment::Transaction& transaction) {
  return {transaction.merchant_id, transaction.id};
}

postgres::Statement about(const std::string& sql, std::span<const Place> places) {
  PostgresColumns columns(transactions_table.key());
  for (const auto& [merchant, id] : places) columns.put(merchant.value, id.value);
  return columns.insert(sql);
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

std::string insert_in_order(const TableName& table) {
  return fmt::format(R"(
INSERT INTO {0} ({1})
SELECT *
FROM unnest({2}) AS i ({1})
ORDER BY {3})",
                     table.name, list_of(table, "{name}"), list_of(table, as_array),
                     list_of(table.key(), "{name}"));
}

PostgresColumns::PostgresColumns(const TableName& table) : table_(table) {
  columns_.reserve(table.columns.size());
  for (const auto& column : table.columns)
    columns_.emplace_back(element_types.at(static_cast<std::size_t>(column.type)));
}

postgres::Column& PostgresColumns::next() {
  const auto column = next_;
  if (column == 0) ++rows_;
  next_ = (next_ + 1) % columns_.size();
  return columns_[column];
}

}  // namespace switchyard::store
