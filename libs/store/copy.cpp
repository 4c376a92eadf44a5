#include "store/copy.hpp"

#include <array>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "postgres/blocking.hpp"
#include "store/postgres/rows.hpp"
#include "store/postgres/schema.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::store {
namespace {

using postgres::BlockingConnection;
using postgres::Statement;

constexpr std::int64_t batch_rows = 2'000;
constexpr std::chrono::minutes batch_time{5};

// --- One table each -------------------------------------------------------------------------------
//
// Rows go over in the order of their primary key, a batch in one commit. So the last key on the other side
// says how far the copy has come, and the batch after it is read from there.

// Lines that must be the same on both sides, in any order, in SQL that both understand. A sum is taken in two
// parts, because both add up 64 bits only.
std::string sums_of(const TableName& table, std::string_view group, std::string_view more_to_sum) {
  auto sql = fmt::format("SELECT {} || ' ' || count(*)", group);
  const auto sum = [&sql](std::string_view summed) {
    sql += fmt::format(R"(
      || ' ' || CAST(coalesce(sum({0} / 1000000000), 0) AS bigint)
      || ' ' || CAST(coalesce(sum({0} % 1000000000), 0) AS bigint))",
                       summed);
  };
  for (const auto& column : table.columns) {
    if (column.type == ColumnType::bigint) sum(column.name);
  }
  if (!more_to_sum.empty()) sum(more_to_sum);
  return sql + fmt::format(" FROM {} GROUP BY {}", table.name, group);
}

// A table with its statements, which live as long as the program.
struct Table : TableName {
  std::string sums;
  std::string all = column_list(*this);
  std::string order = list_of(key(), "{name}");
  std::string count = fmt::format("SELECT count(*) FROM {}", name);
  // The last key there.
  std::string last = fmt::format("SELECT {} FROM {} ORDER BY {} LIMIT 1", list_of(key(), as_read), name,
                                 list_of(key(), "{name}{collation} DESC"));
  std::string first_rows = fmt::format("SELECT {} FROM {} ORDER BY {} LIMIT ?", all, name, order);
  std::string next_rows = fmt::format("SELECT {0} FROM {1} WHERE ({2}) > ({3}) ORDER BY {2} LIMIT ?", all,
                                      name, order, list_of(key(), "?"));
  std::string insert = fmt::format("INSERT INTO {} ({}) SELECT * FROM unnest({})", name,
                                   list_of(*this, "{name}"), list_of(*this, as_array));
};

const std::array<Table, 5>& all_tables() {
  static const std::array<Table, 5> tables{{
      {users_table, sums_of(users_table, "CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END", "")},
      {transactions_table, sums_of(transactions_table, "currency || ' ' || status", "")},
      {operations_table, sums_of(operations_table, "psp || ' ' || kind || ' ' || phase", "")},
      {idempotency_keys_table, sums_of(idempotency_keys_table, "kind", "length(key)")},
      {psp_events_table, sums_of(psp_events_table, "account || ' ' || what", "length(event)")},
  }};
  return tables;
}

// In another form it could be, or become, somebody else's.
void require_storable_name(const sqlite::Query& user) {
  if (postgres::storable_text(user.text(1)) == user.text(1)) return;
  throw std::runtime_error(
      fmt::format("the name of user_id {} is not UTF-8 without NUL, which PostgreSQL cannot hold; give "
                  "the user another name in SQLite first",
                  user.integer(0)));
}

// The row as it is, with whatever this version cannot read: nothing is left out, and nothing is judged.
void put_row(PostgresColumns& columns, const Table& table, const sqlite::Query& row) {
  if (table.name == users_table.name) require_storable_name(row);
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const int column = static_cast<int>(i);
    const auto type = table.columns[i].type;
    if (row.is_null(column)) {
      columns.put_null();
    } else if (type == ColumnType::uuid) {
      columns.put(row.uuid(column));
    } else if (type == ColumnType::timestamptz) {
      columns.put(row.time(column));
    } else if (type == ColumnType::bigint) {
      columns.put(row.integer(column));
    } else if (type == ColumnType::boolean) {
      columns.put(row.boolean(column));
    } else if (type == ColumnType::bytea || i < table.key_size) {
      columns.put(row.blob(column));
    } else {
      columns.put(std::string_view(postgres::storable_text(row.text(column))));
    }
  }
}

void bind_key(sqlite::Query& query, const Table& table, const postgres::Row& key) {
  for (std::size_t i = 0; i < table.key_size; ++i) {
    const int column = static_cast<int>(i);
    const auto type = table.columns[i].type;
    if (type == ColumnType::bigint) {
      query.bind(key.integer(column));
    } else if (type == ColumnType::uuid) {
      query.bind_blob(key.text(column));
    } else {
      query.bind(key.text(column));
    }
  }
}

// Returns the number of rows that went over, 0 at the end.
std::int64_t copy_batch(sqlite::Database& source, BlockingConnection& destination, const Table& table) {
  const auto last = destination.run(Statement(table.last));
  const bool is_first = last.size() == 0;
  auto query = source.query((is_first ? table.first_rows : table.next_rows).c_str());
  if (!is_first) bind_key(query, table, last[0]);
  query.bind(batch_rows);
  PostgresColumns columns(table);
  std::int64_t count = 0;
  for (; query.step(); ++count) put_row(columns, table, query);
  if (count == 0) return 0;
  destination.run(columns.insert(table.insert));
  return count;
}

void require_same(sqlite::Database& source, BlockingConnection& destination, const Table& table) {
  std::multiset<std::string, std::less<>> here;
  std::multiset<std::string, std::less<>> there;
  auto row = source.query(table.sums.c_str());
  while (row.step()) here.emplace(row.text(0));
  const auto rows = destination.run(Statement(table.sums));
  for (const auto one : rows.all()) there.emplace(one.text(0));
  if (here == there) return;
  throw std::runtime_error(fmt::format(
      "the counts and sums of {} differ after the copy: the SQLite store was written to between two "
      "runs of it; begin again with --restart",
      table.name));
}

void copy_foreign_workers(sqlite::Database& source, BlockingConnection& destination) {
  auto row = source.query("SELECT first_seen_at_ms FROM foreign_workers");
  if (!row.step()) return;
  destination.run(Statement(
      "INSERT INTO foreign_workers (id, first_seen_at) VALUES (1, $1::timestamptz) ON CONFLICT DO NOTHING",
      row.time(0)));
}

// What PSPs are told is derived from it: they know the copy's payments by it.
void copy_installation(sqlite::Database& source, BlockingConnection& destination) {
  auto row = source.query("SELECT id FROM installation");
  if (!row.step())
    throw std::runtime_error(fmt::format("{}: the table installation is empty", source.path()));
  destination.run(Statement("UPDATE installation SET id = $1::text", row.text(0)));
}

// --- The copy as a whole -----------------------------------------------------------------------------

void begin(BlockingConnection& destination, bool restart) {
  const bool unfinished = destination.integer("SELECT count(*) FROM copies WHERE finished_at IS NULL") > 0;
  if (restart && unfinished) {
    destination.run(Statement(
        "TRUNCATE users, login_failures, transactions, operations, idempotency_keys, psp_events, copies"));
  }
  if (!restart && unfinished) return;
  for (const auto& table : all_tables()) {
    if (destination.integer(table.count.c_str()) > 0) {
      throw std::runtime_error(
          fmt::format("the PostgreSQL database has {} already; copy into an empty one", table.name));
    }
  }
  destination.run(Statement("INSERT INTO copies (started_at) VALUES (now())"));
}

CopiedTable copy(sqlite::Database& source, BlockingConnection& destination, const Table& table,
                 const CopyOptions& options) {
  CopiedTable copied{std::string(table.name), 0, 0};
  while (const auto count = copy_batch(source, destination, table)) {
    copied.copied_now += count;
    if (options.on_progress) options.on_progress(copied);
  }
  require_same(source, destination, table);
  copied.rows = destination.integer(table.count.c_str());
  return copied;
}

void require_this_version(sqlite::Database& source) {
  const auto version = require_known_schema(source);
  if (version == newest_version) return;
  throw std::runtime_error(
      version == 0
          ? fmt::format("{}: is empty; there is nothing to copy", source.path())
          : fmt::format(
                "{0}: has schema version {1}, and what is copied has version {2}; bring it there first: "
                "DATABASE_URL=sqlite:{0} switchyard store migrate",
                source.path(), version, newest_version));
}

}  // namespace

std::vector<CopiedTable> copy_sqlite_to_postgres(const std::string& sqlite_path,
                                                 const std::string& postgres_url,
                                                 const CopyOptions& options) {
  sqlite::Database source(sqlite_path, sqlite::Durability::synced, sqlite::Access::existing);
  require_this_version(source);
  // From here on nobody changes it, and nobody could before we were done.
  source.execute("BEGIN IMMEDIATE");
  BlockingConnection destination(postgres_url, batch_time);
  destination.with_connection([](postgres::Connection& connection) { return migrate(connection); });
  begin(destination, options.restart);
  std::vector<CopiedTable> copied;
  copied.reserve(all_tables().size());
  for (const auto& table : all_tables()) copied.push_back(copy(source, destination, table, options));
  copy_foreign_workers(source, destination);
  copy_installation(source, destination);
  destination.run(Statement("UPDATE copies SET finished_at = now()"));
  source.execute("ROLLBACK");
  return copied;
}

}  // namespace switchyard::store
