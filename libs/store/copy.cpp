#include "store/copy.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "base/io_threads.hpp"
#include "postgres/connection.hpp"
#include "store/postgres/rows.hpp"
#include "store/postgres/schema.hpp"
#include "store/sqlite/rows.hpp"
#include "store/sqlite/schema.hpp"

namespace switchyard::store {
namespace {

using postgres::Column;
using postgres::Statement;
using postgres::Type;

constexpr std::int64_t batch_rows = 2'000;
constexpr std::chrono::minutes batch_time{5};

// The destination, used from the one thread that blocks on it.
class Destination {
 public:
  explicit Destination(const std::string& url) {
    thread_.run(0, [&]() -> Task<void> {
      auto connection = co_await postgres::Connection::connect(thread_.executor(0), url, deadline());
      if (!connection) throw std::runtime_error(fmt::format("PostgreSQL: {}", connection.error().message));
      connection_ = std::move(*connection);
      static_cast<void>(co_await migrate(*connection_));
    });
  }

  std::vector<postgres::Rows> run(std::vector<Statement> statements) {
    return thread_.run(0, [&]() -> Task<std::vector<postgres::Rows>> {
      auto done = co_await connection_->run(std::move(statements), deadline());
      if (!done) throw std::runtime_error(fmt::format("PostgreSQL: {}", done.error().message));
      co_return std::move(*done);
    });
  }
  postgres::Rows run(Statement statement) {
    std::vector<Statement> statements;
    statements.push_back(std::move(statement));
    return std::move(run(std::move(statements)).front());
  }
  std::int64_t integer(const char* sql) { return run(Statement(sql)).integer(0, 0); }

 private:
  static postgres::Deadline deadline() { return std::chrono::steady_clock::now() + batch_time; }

  IoThreads thread_{1};
  std::unique_ptr<postgres::Connection> connection_;
};

std::string_view bytes_of(const Uuid& uuid) {
  return {reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()};
}

// --- One table each -------------------------------------------------------------------------------
//
// Rows go over in the order of their primary key, a batch in one commit. So the last key on the other side
// says how far the copy has come, and the batch after it is read from there.

// Rows as they are, with whatever this version cannot read: nothing is left out, and nothing is judged.
class RawColumns {
 public:
  explicit RawColumns(std::initializer_list<Type> types) {
    for (const auto type : types) columns_.emplace_back(type, Column(type));
  }

  void add(const sqlite::Query& row) {
    for (int i = 0; auto& [type, column] : columns_) {
      if (row.is_null(i)) {
        column.add_null();
      } else if (type == Type::uuid) {
        column.add(read_transaction_id(row, i).value);
      } else if (type == Type::timestamptz) {
        column.add(from_ms(row.integer(i)));
      } else if (type == Type::bigint) {
        column.add(row.integer(i));
      } else if (type == Type::bytea) {
        column.add(row.blob(i));
      } else {
        column.add(postgres::storable_text(row.text(i)));
      }
      ++i;
    }
  }

  void bind_to(Statement& statement) const {
    for (const auto& [type, column] : columns_) statement.bind(column);
  }

 private:
  std::vector<std::pair<Type, Column>> columns_;
};

struct Batch {
  std::int64_t rows = 0;
  std::vector<Statement> statements;
};

Batch next_users(sqlite::Database& source, Destination& destination) {
  auto row = source.query(
      "SELECT id, username, password_hash, enabled, created_at_ms FROM users WHERE id > ? ORDER BY id LIMIT "
      "?");
  row.bind(destination.integer("SELECT coalesce(max(id), 0) FROM users")).bind(batch_rows);
  Batch batch;
  Column ids(Type::bigint);
  Column names(Type::text);
  Column hashes(Type::text);
  Column enabled(Type::boolean);
  Column times(Type::timestamptz);
  for (; row.step(); ++batch.rows) {
    const auto user = read_user(row);
    ids.add(user.id.value);
    // In another form it could be, or become, somebody else's.
    if (postgres::storable_text(user.username) != user.username) {
      throw std::runtime_error(
          fmt::format("the name of user_id {} is not UTF-8 without NUL, which PostgreSQL cannot hold; give "
                      "the user another name in SQLite first",
                      user.id.value));
    }
    names.add(user.username);
    hashes.add(user.password_hash);
    enabled.add(user.enabled);
    times.add(from_ms(row.integer(4)));
  }
  batch.statements
      .emplace_back(
          "INSERT INTO users (id, username, password_hash, enabled, created_at) "
          "SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::timestamptz[])")
      .bind(ids)
      .bind(names)
      .bind(hashes)
      .bind(enabled)
      .bind(times);
  return batch;
}

Batch next_transactions(sqlite::Database& source, Destination& destination) {
  const auto last = destination.run(
      Statement("SELECT merchant_id, id FROM transactions ORDER BY merchant_id DESC, id DESC LIMIT 1"));
  const bool first = last.size() == 0;
  const Uuid last_id = first ? Uuid{} : last.uuid(0, 1);
  auto row =
      source.query("SELECT " SWITCHYARD_TRANSACTION_COLUMNS
                   " FROM transactions WHERE (merchant_id, id) > (?, ?) ORDER BY merchant_id, id LIMIT ?");
  row.bind(first ? INT64_MIN : last.integer(0, 0)).bind_blob(bytes_of(last_id)).bind(batch_rows);
  Batch batch;
  RawColumns columns{Type::bigint, Type::uuid,        Type::bigint, Type::text,        Type::text,
                     Type::text,   Type::bigint,      Type::bigint, Type::bigint,      Type::bigint,
                     Type::bigint, Type::timestamptz, Type::text,   Type::timestamptz, Type::timestamptz};
  for (; row.step(); ++batch.rows) columns.add(row);
  columns.bind_to(batch.statements.emplace_back("INSERT INTO transactions (" SWITCHYARD_PG_TRANSACTION(
      "") ") "
          "SELECT * FROM unnest(" SWITCHYARD_PG_TRANSACTION_ARRAYS ")"));
  return batch;
}

Batch next_attempts(sqlite::Database& source, Destination& destination) {
  const auto last =
      destination.run(Statement("SELECT merchant_id, transaction_id, number FROM attempts "
                                "ORDER BY merchant_id DESC, transaction_id DESC, number DESC LIMIT 1"));
  const bool first = last.size() == 0;
  const Uuid last_id = first ? Uuid{} : last.uuid(0, 1);
  auto row = source.query("SELECT merchant_id, transaction_id, " SWITCHYARD_ATTEMPT_COLUMNS
                          " FROM attempts "
                          "WHERE (merchant_id, transaction_id, number) > (?, ?, ?) "
                          "ORDER BY merchant_id, transaction_id, number LIMIT ?");
  row.bind(first ? INT64_MIN : last.integer(0, 0))
      .bind_blob(bytes_of(last_id))
      .bind(first ? std::int64_t{0} : last.integer(0, 2))
      .bind(batch_rows);
  Batch batch;
  RawColumns columns{Type::bigint, Type::uuid,  Type::bigint,      Type::text,
                     Type::text,   Type::bytea, Type::text,        Type::bigint,
                     Type::text,   Type::text,  Type::timestamptz, Type::timestamptz};
  for (; row.step(); ++batch.rows) columns.add(row);
  columns.bind_to(batch.statements.emplace_back(
      "INSERT INTO attempts (merchant_id, transaction_id, " SWITCHYARD_PG_ATTEMPT(
          "") ") "
              "SELECT * FROM unnest(" SWITCHYARD_PG_ATTEMPT_ARRAYS ")"));
  return batch;
}

Batch next_keys(sqlite::Database& source, Destination& destination) {
  // SQLite orders text by its bytes.
  const auto last =
      destination.run(Statement("SELECT merchant_id, key FROM idempotency_keys "
                                "ORDER BY merchant_id DESC, key COLLATE \"C\" DESC LIMIT 1"));
  const bool first = last.size() == 0;
  const std::string last_key(first ? std::string_view() : last.bytes(0, 1));
  auto row = source.query(
      "SELECT merchant_id, key, request_fingerprint, transaction_id, reply, created_at_ms FROM "
      "idempotency_keys "
      "WHERE (merchant_id, key) > (?, ?) ORDER BY merchant_id, key LIMIT ?");
  row.bind(first ? INT64_MIN : last.integer(0, 0)).bind(last_key).bind(batch_rows);
  Batch batch;
  Column merchants(Type::bigint);
  Column keys(Type::text);
  Column fingerprints(Type::bytea);
  Column ids(Type::uuid);
  Column replies(Type::text);
  Column times(Type::timestamptz);
  for (; row.step(); ++batch.rows) {
    merchants.add(row.integer(0));
    keys.add(row.text(1));
    fingerprints.add(row.blob(2));
    ids.add(read_transaction_id(row, 3).value);
    replies.add(row.text(4));
    times.add(from_ms(row.integer(5)));
  }
  batch.statements
      .emplace_back(
          "INSERT INTO idempotency_keys (merchant_id, key, request_fingerprint, transaction_id, reply, "
          "created_at) "
          "SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::uuid[], $5::text[], "
          "$6::timestamptz[])")
      .bind(merchants)
      .bind(keys)
      .bind(fingerprints)
      .bind(ids)
      .bind(replies)
      .bind(times);
  return batch;
}

struct Table {
  const char* name;
  Batch (*next)(sqlite::Database&, Destination&);
  const char* count;
  // Lines that must be the same on both sides, in SQL that both understand. A sum is taken in two parts,
  // because both add up 64 bits only.
  const char* sums;
};

#define SWITCHYARD_SUM(x)                                                      \
  "CAST(coalesce(sum(" x " / 1000000000), 0) AS bigint), CAST(coalesce(sum(" x \
  " % 1000000000), 0) AS "                                                     \
  "bigint)"

constexpr std::array<Table, 4> tables{{
    {"users", next_users, "SELECT count(*) FROM users",
     "SELECT 'enabled', count(*), " SWITCHYARD_SUM("id") " FROM users WHERE enabled"},
    {"transactions", next_transactions, "SELECT count(*) FROM transactions",
     "SELECT currency || ' ' || status, count(*), " SWITCHYARD_SUM("amount_minor") ", " SWITCHYARD_SUM(
         "autho"
         "rized"
         "_mino"
         "r") ", " SWITCHYARD_SUM("captured_minor") ", " SWITCHYARD_SUM("refunded_minor") ", " SWITCHYARD_SUM("epoch") ", " SWITCHYARD_SUM("attempt_count") " FROM "
                                                                                                                                                            "transactions "
                                                                                                                                                            "GROUP BY "
                                                                                                                                                            "currency, "
                                                                                                                                                            "status"},
    {"attempts", next_attempts, "SELECT count(*) FROM attempts",
     "SELECT psp || ' ' || status, count(*), " SWITCHYARD_SUM("number") ", " SWITCHYARD_SUM(
         "look_ups") " FROM attempts GROUP BY psp, status"},
    {"idempotency_keys", next_keys, "SELECT count(*) FROM idempotency_keys",
     "SELECT '', count(*), " SWITCHYARD_SUM("length(key)") ", " SWITCHYARD_SUM(
         "merchant_id") " FROM idempotency_keys"},
}};

std::vector<std::string> sums_of(sqlite::Database& source, const Table& table, int columns) {
  std::vector<std::string> lines;
  auto row = source.query(table.sums);
  while (row.step()) {
    std::string line(row.text(0));
    for (int column = 1; column < columns; ++column) line += fmt::format(" {}", row.integer(column));
    lines.push_back(std::move(line));
  }
  std::ranges::sort(lines);
  return lines;
}

std::vector<std::string> sums_of(Destination& destination, const Table& table, int& columns) {
  std::vector<std::string> lines;
  const auto rows = destination.run(Statement(table.sums));
  columns = rows.columns();
  for (int row = 0; row < rows.size(); ++row) {
    std::string line(rows.bytes(row, 0));
    for (int column = 1; column < columns; ++column) line += fmt::format(" {}", rows.integer(row, column));
    lines.push_back(std::move(line));
  }
  std::ranges::sort(lines);
  return lines;
}

void require_same(sqlite::Database& source, Destination& destination, const Table& table) {
  int columns = 0;
  const auto copied = sums_of(destination, table, columns);
  const auto original = sums_of(source, table, columns);
  if (copied == original) return;
  throw std::runtime_error(fmt::format(
      "the counts and sums of {} differ after the copy: the SQLite store was written to between two "
      "runs of it; begin again with --restart",
      table.name));
}

// A store that was never opened by this version has no such table, and nothing to say.
void copy_foreign_workers(sqlite::Database& source, Destination& destination) {
  const bool has_table =
      source.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'foreign_workers'") == 1;
  if (!has_table || source.integer("SELECT count(*) FROM foreign_workers") == 0) return;
  const auto seen_at = from_ms(source.integer("SELECT first_seen_at_ms FROM foreign_workers"));
  Statement insert(
      "INSERT INTO foreign_workers (id, first_seen_at) VALUES (1, $1::timestamptz) ON CONFLICT DO NOTHING");
  insert.bind(seen_at);
  destination.run(std::move(insert));
}

// --- The copy as a whole -----------------------------------------------------------------------------

bool is_unfinished(Destination& destination) {
  return destination.integer("SELECT count(*) FROM copies WHERE finished_at IS NULL") > 0;
}

void begin(Destination& destination, bool restart) {
  const bool unfinished = is_unfinished(destination);
  if (restart && unfinished) {
    destination.run(
        Statement("TRUNCATE users, login_failures, transactions, attempts, idempotency_keys, copies"));
  }
  if (!restart && unfinished) return;
  for (const auto& table : tables) {
    if (destination.integer(table.count) > 0) {
      throw std::runtime_error(
          fmt::format("the PostgreSQL database has {} already; copy into an empty one", table.name));
    }
  }
  destination.run(Statement("INSERT INTO copies (started_at) VALUES (now())"));
}

CopiedTable copy(sqlite::Database& source, Destination& destination, const Table& table,
                 const CopyOptions& options) {
  CopiedTable copied{table.name, 0, 0};
  for (;;) {
    auto batch = table.next(source, destination);
    if (batch.rows == 0) break;
    destination.run(std::move(batch.statements));
    copied.copied_now += batch.rows;
    if (options.on_progress) options.on_progress(copied);
  }
  require_same(source, destination, table);
  copied.rows = destination.integer(table.count);
  return copied;
}

}  // namespace

std::vector<CopiedTable> copy_sqlite_to_postgres(const std::string& sqlite_path,
                                                 const std::string& postgres_url,
                                                 const CopyOptions& options) {
  sqlite::Database source(sqlite_path, sqlite::Durability::synced, sqlite::Access::existing);
  if (require_known_schema(source) == 0) {
    throw std::runtime_error(fmt::format("{}: is empty; there is nothing to copy", sqlite_path));
  }
  // From here on nobody changes it, and nobody could before we were done.
  source.execute("BEGIN IMMEDIATE");
  Destination destination(postgres_url);
  begin(destination, options.restart);
  std::vector<CopiedTable> copied;
  copied.reserve(tables.size());
  for (const auto& table : tables) copied.push_back(copy(source, destination, table, options));
  copy_foreign_workers(source, destination);
  destination.run(Statement("UPDATE copies SET finished_at = now()"));
  source.execute("ROLLBACK");
  return copied;
}

}  // namespace switchyard::store
