#include "store/postgres/schema.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "postgres/blocking.hpp"

namespace switchyard::store {
namespace {

using postgres::Statement;

// "SWYD": the advisory lock of those who migrate.
constexpr std::int64_t migration_lock = 0x53575944;

// A table that another process is changing, or a slow disk; nobody can be served meanwhile anyhow.
constexpr std::chrono::minutes migration_time{60};

constexpr std::string_view not_permitted = "42501";

Task<postgres::Outcome<std::vector<postgres::Rows>>> try_run(postgres::Connection& connection,
                                                             std::vector<Statement> statements) {
  return connection.run(std::move(statements), std::chrono::steady_clock::now() + migration_time);
}

Task<postgres::Rows> run(postgres::Connection& connection, const char* sql) {
  std::vector<Statement> statements;
  statements.emplace_back(sql);
  auto done = co_await try_run(connection, std::move(statements));
  if (!done) throw std::runtime_error(fmt::format("the schema: {}", done.error().message));
  co_return std::move(done->front());
}

std::string name_privilege(std::string_view user, std::string_view table, std::string_view what) {
  return fmt::format(
      "the role {0} may not use the table {1} as it must; as its owner: GRANT {2} ON {1} TO \"{0}\"", user,
      table, what);
}

// Text is stored as UTF-8, which other encodings cannot hold or do not check.
Task<void> require_utf8(postgres::Connection& connection) {
  const auto found =
      co_await run(connection, "SELECT current_setting('server_encoding'), current_database()::text");
  const auto encoding = found[0].text(0);
  if (encoding == "UTF8") co_return;
  throw std::runtime_error(
      fmt::format("the database {0} has the encoding {1}, and names and texts are UTF-8; make another one: "
                  "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
                  found[0].text(1), encoding));
}

// The version of the schema, 0 if there is none. Needs no privilege but to read.
Task<std::int64_t> look_at_version(postgres::Connection& connection) {
  const auto looked =
      co_await run(connection, "SELECT to_regclass('switchyard_schema') IS NULL, current_user::text");
  if (looked[0].boolean(0)) co_return 0;
  std::vector<Statement> read;
  read.emplace_back("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  const auto version = co_await try_run(connection, std::move(read));
  if (!version && version.error().sqlstate == not_permitted) {
    throw std::runtime_error(name_privilege(looked[0].text(1), "switchyard_schema", "SELECT"));
  }
  if (!version) throw std::runtime_error(fmt::format("the schema: {}", version.error().message));
  co_return version->front()[0].integer(0);
}

void require_known(std::int64_t version) {
  if (version <= newest_postgres_version) return;
  throw std::runtime_error(
      fmt::format("the database has schema version {}, and this program knows versions up to {}; start the "
                  "newer program that wrote it",
                  version, newest_postgres_version));
}

// For all but those who migrate.
void require_suitable(std::int64_t version, Opening opening) {
  if (version == newest_postgres_version || (version == 0 && opening == Opening::create)) return;
  if (version == 0) {
    throw std::runtime_error(
        "the database has no tables of Switchyard; a server makes them at its start, or: switchyard store "
        "migrate; see DATABASE_URL");
  }
  throw std::runtime_error("the database " + why_too_old(version, newest_postgres_version));
}

[[noreturn]] void refuse_migration(const postgres::Failure& failure) {
  std::string remedy;
  if (failure.sqlstate == not_permitted || failure.sqlstate == "3F000") {
    remedy = fmt::format(
        "; to bring the schema to version {}, run `switchyard store migrate` once as the owner "
        "of the tables, or GRANT USAGE, CREATE ON SCHEMA",
        newest_postgres_version);
  }
  throw std::runtime_error(fmt::format("the schema: {}{}", failure.message, remedy));
}

Task<std::int64_t> migrate_in_turn(postgres::Connection& connection, std::int64_t to) {
  std::vector<Statement> begin;
  begin.emplace_back("BEGIN");
  begin.emplace_back("SET LOCAL statement_timeout = '3600s'");
  begin.emplace_back("SET LOCAL client_min_messages = 'warning'");
  begin.emplace_back("SELECT pg_advisory_xact_lock($1::bigint)", migration_lock);
  begin.emplace_back("CREATE TABLE IF NOT EXISTS switchyard_schema (version bigint NOT NULL)");
  begin.emplace_back("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  const auto begun = co_await try_run(connection, std::move(begin));
  if (!begun) refuse_migration(begun.error());
  const auto version = begun->back()[0].integer(0);
  require_known(version);
  std::vector<Statement> rest;
  for (auto next = version; next < to; ++next) {
    for (const char* sql : postgres_migrations.at(static_cast<std::size_t>(next))) rest.emplace_back(sql);
    rest.emplace_back("INSERT INTO switchyard_schema (version) VALUES ($1::bigint)", next + 1);
  }
  rest.emplace_back("COMMIT");
  const auto done = co_await try_run(connection, std::move(rest));
  if (!done) refuse_migration(done.error());
  co_return version;
}

}  // namespace

// What the program does with its tables, whoever owns them. Which of a list of privileges one has,
// has_table_privilege() does not say: it is true for any of them.
const char* const look_for_privileges = R"(
SELECT current_user::text, i.name, i.wanted
FROM (VALUES
  (1, 'users', 'SELECT, INSERT, UPDATE'),
  (2, 'login_failures', 'SELECT, INSERT, UPDATE, DELETE'),
  (3, 'transactions', 'SELECT, INSERT, UPDATE'),
  (4, 'operations', 'SELECT, INSERT, UPDATE'),
  (5, 'idempotency_keys', 'SELECT, INSERT'),
  (6, 'psp_events', 'SELECT, INSERT, UPDATE'),
  (7, 'installation', 'SELECT'),
  (8, 'copies', 'SELECT'),
  (9, 'foreign_workers', 'SELECT, INSERT'),
  (10, 'health', 'SELECT, INSERT, UPDATE')
) AS i (number, name, wanted)
WHERE NOT (
  SELECT bool_and(has_table_privilege(i.name, trim(p)))
  FROM unnest(string_to_array(i.wanted, ',')) AS p)
ORDER BY i.number
LIMIT 1)";

std::optional<std::string> missing_privilege(const postgres::Rows& found) {
  if (found.size() == 0) return std::nullopt;
  return name_privilege(found[0].text(0), found[0].text(1), found[0].text(2));
}

Task<void> require_finished_copy(postgres::Connection& connection) {
  const auto unfinished = co_await run(connection, "SELECT count(*) FROM copies WHERE finished_at IS NULL");
  if (unfinished[0].integer(0) == 0) co_return;
  throw std::runtime_error(
      "a copy into this database has not been finished; run `switchyard store copy` again, it goes on where "
      "it was");
}

Task<std::string> read_installation(postgres::Connection& connection) {
  const auto found = co_await run(connection, "SELECT id::text FROM installation");
  if (found.size() != 1) throw std::runtime_error("the table installation must have one row, and has not");
  co_return std::string(found[0].text(0));
}

Task<std::int64_t> migrate(postgres::Connection& connection, std::int64_t to) {
  co_await require_utf8(connection);
  auto version = co_await look_at_version(connection);
  require_known(version);
  if (version < to) version = co_await migrate_in_turn(connection, to);
  if (to == newest_postgres_version) {
    const auto found = co_await run(connection, look_for_privileges);
    if (const auto missing = missing_privilege(found)) throw std::runtime_error(*missing);
  }
  co_return version;
}

Task<std::int64_t> open_schema(postgres::Connection& connection, Opening opening) {
  if (opening != Opening::migrate) {
    const auto version = co_await look_at_version(connection);
    require_known(version);
    require_suitable(version, opening);
    if (opening == Opening::read_only) co_return version;
  }
  co_return co_await migrate(connection);
}

PostgresInspection inspect_postgres(const std::string& url) {
  postgres::BlockingConnection database(url, std::chrono::seconds(5));
  const auto server = database.run(postgres::Statement(
      "SELECT current_setting('server_version'), to_regclass('switchyard_schema') IS NULL"));
  PostgresInspection found{.server_version = std::string(server[0].text(0))};
  if (server[0].boolean(1)) return found;
  found.schema_version = database.integer("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  if (found.schema_version > 0) found.users = database.integer("SELECT count(*) FROM users");
  return found;
}

}  // namespace switchyard::store
