#include "store/postgres/schema.hpp"

#include <array>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

namespace switchyard::store {
namespace {

using postgres::Statement;

// Version 1: the tables of the SQLite store (sqlite/schema.cpp says why they are so), with PostgreSQL's own
// types for ids and times. The primary keys begin with the merchant, by which the tables could be sharded.
constexpr std::array version_1{
    R"(CREATE TABLE users (
      id            bigint      PRIMARY KEY CHECK (id > 0),
      username      text        NOT NULL UNIQUE,
      password_hash text        NOT NULL,
      enabled       boolean     NOT NULL,
      created_at    timestamptz NOT NULL
    ))",
    R"(CREATE TABLE login_failures (
      subject        text        PRIMARY KEY,
      count          bigint      NOT NULL,
      window_ends_at timestamptz NOT NULL
    ))",
    "CREATE INDEX login_failures_window ON login_failures (window_ends_at)",
    R"(CREATE TABLE transactions (
      merchant_id      bigint      NOT NULL,
      id               uuid        NOT NULL,
      amount_minor     bigint      NOT NULL CHECK (amount_minor > 0),
      currency         text        NOT NULL CHECK (length(currency) = 3),
      capture_method   text        NOT NULL,
      status           text        NOT NULL,
      authorized_minor bigint      NOT NULL CHECK (authorized_minor BETWEEN 0 AND amount_minor),
      captured_minor   bigint      NOT NULL CHECK (captured_minor BETWEEN 0 AND authorized_minor),
      refunded_minor   bigint      NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
      epoch            bigint      NOT NULL,
      attempt_count    bigint      NOT NULL,
      next_action_at   timestamptz,
      reason           text        NOT NULL,
      created_at       timestamptz NOT NULL,
      updated_at       timestamptz NOT NULL,
      PRIMARY KEY (merchant_id, id)
    ))",
    "CREATE INDEX transactions_due ON transactions (next_action_at) WHERE next_action_at IS NOT NULL",
    R"(CREATE TABLE attempts (
      merchant_id         bigint      NOT NULL,
      transaction_id      uuid        NOT NULL,
      number              bigint      NOT NULL,
      psp                 text        NOT NULL,
      idempotency_key     text        NOT NULL,
      request_fingerprint bytea       NOT NULL,
      status              text        NOT NULL,
      look_ups            bigint      NOT NULL,
      psp_reference       text        NOT NULL,
      reason              text        NOT NULL,
      started_at          timestamptz NOT NULL,
      ended_at            timestamptz,
      PRIMARY KEY (merchant_id, transaction_id, number)
    ))",
    R"(CREATE TABLE idempotency_keys (
      merchant_id         bigint      NOT NULL,
      key                 text        NOT NULL,
      request_fingerprint bytea       NOT NULL,
      transaction_id      uuid        NOT NULL,
      reply               text        NOT NULL,
      created_at          timestamptz NOT NULL,
      PRIMARY KEY (merchant_id, key)
    ))",
    R"(CREATE TABLE copies (
      started_at  timestamptz NOT NULL,
      finished_at timestamptz
    ))",
    R"(CREATE TABLE health (
      id         bigint      PRIMARY KEY CHECK (id = 1),
      checked_at timestamptz NOT NULL
    ))",
};

// Version 2: as the SQLite store's.
constexpr std::array version_2{
    "CREATE INDEX transactions_by_id ON transactions (id)",
    "CREATE INDEX transactions_in_review ON transactions (id) WHERE status = 'manual_review'",
    R"(CREATE TABLE foreign_workers (
      id            bigint      PRIMARY KEY CHECK (id = 1),
      first_seen_at timestamptz NOT NULL
    ))",
};

// Version 3: what has been started is found without passing over what is queued, all of which may be in an
// outside queue's hands. transactions_due stays: it finds the rest, and programs of the version before that
// still run need it. A new transaction is in that one only.
constexpr std::array version_3{
    "CREATE INDEX transactions_started ON transactions (next_action_at) "
    "WHERE next_action_at IS NOT NULL AND status <> 'queued'",
};

// Version 4: an operation is the unit of work, and an attempt was the only kind of it.
//
// Only the last attempt can be open. It was the request of programs before this version word for word, unless
// its fingerprint says that a still older one wrote it: then nothing is ever sent again for it. installation
// is random, made once, and carried by every copy.
constexpr std::array version_4{
    "ALTER TABLE transactions RENAME COLUMN epoch TO version",
    "ALTER TABLE transactions RENAME COLUMN attempt_count TO operation_count",
    R"(ALTER TABLE transactions
      ADD COLUMN held_minor        bigint NOT NULL DEFAULT 0,
      ADD COLUMN derived_reference text   NOT NULL DEFAULT '',
      ADD COLUMN reference         text   NOT NULL DEFAULT '',
      ADD COLUMN description       text   NOT NULL DEFAULT '',
      ADD COLUMN metadata          text   NOT NULL DEFAULT '')",
    "UPDATE transactions SET held_minor = authorized_minor - captured_minor WHERE status = 'authorized'",
    R"(ALTER TABLE transactions
      ADD CHECK (held_minor BETWEEN 0 AND authorized_minor - captured_minor))",
    R"(CREATE INDEX transactions_by_reference ON transactions (merchant_id, reference, id)
      WHERE reference <> '')",
    R"(CREATE TABLE operations (
      merchant_id     bigint      NOT NULL,
      transaction_id  uuid        NOT NULL,
      number          bigint      NOT NULL,
      kind            text        NOT NULL,
      amount_minor    bigint      NOT NULL CHECK (amount_minor > 0),
      is_final        boolean     NOT NULL,
      phase           text        NOT NULL,
      psp             text        NOT NULL,
      idempotency_key text        NOT NULL,
      request         text        NOT NULL,
      claims          bigint      NOT NULL,
      sends           bigint      NOT NULL,
      look_ups        bigint      NOT NULL,
      psp_reference   text        NOT NULL,
      reason_code     text        NOT NULL,
      reason          text        NOT NULL,
      reason_kind     text        NOT NULL,
      taken_back      boolean     NOT NULL,
      reference       text        NOT NULL,
      note            text        NOT NULL,
      due_at          timestamptz,
      requested_at    timestamptz NOT NULL,
      sent_at         timestamptz,
      ended_at        timestamptz,
      PRIMARY KEY (merchant_id, transaction_id, number)
    ))",
    R"(INSERT INTO operations (
      merchant_id, transaction_id, number, kind, amount_minor, is_final, phase, psp, idempotency_key, request,
      claims, sends, look_ups, psp_reference, reason_code, reason, reason_kind, taken_back, reference, note,
      due_at, requested_at, sent_at, ended_at)
    SELECT
      a.merchant_id, a.transaction_id, a.number, 'authorize', t.amount_minor, true, p.phase, a.psp,
      a.idempotency_key,
      CASE WHEN a.request_fingerprint = sha256(convert_to(r.request, 'UTF8')) THEN r.request ELSE '' END,
      CASE WHEN l.is_last THEN t.version ELSE 1 END,
      CASE WHEN l.is_last THEN a.number ELSE 1 END,
      a.look_ups, a.psp_reference,
      CASE WHEN p.phase = 'declined' THEN a.reason ELSE '' END,
      CASE WHEN p.phase = 'declined' THEN '' ELSE a.reason END,
      CASE
        WHEN p.phase = 'declined' AND a.reason IN ('51', '91') THEN 'soft_decline'
        WHEN p.phase = 'declined' THEN 'hard_decline'
        WHEN a.reason = '' THEN ''
        ELSE 'unknown'
      END,
      false, '', '',
      CASE WHEN l.is_last AND l.is_open THEN t.next_action_at END,
      a.started_at, a.started_at,
      CASE WHEN p.phase IN ('succeeded', 'declined', 'failed') THEN coalesce(a.ended_at, t.updated_at) END
    FROM attempts a
    JOIN transactions t ON t.merchant_id = a.merchant_id AND t.id = a.transaction_id
    CROSS JOIN LATERAL (
      SELECT a.number = t.operation_count, t.status IN ('queued', 'processing', 'unknown')
    ) AS l (is_last, is_open)
    CROSS JOIN LATERAL (
      SELECT CASE
        WHEN a.status = 'approved' THEN 'succeeded'
        WHEN a.status = 'not_sent' AND l.is_last AND t.status = 'processing' THEN 'requested'
        WHEN a.status = 'not_sent' THEN 'failed'
        WHEN a.status IN ('started', 'unknown') AND l.is_last AND t.status IN ('unknown', 'manual_review')
          THEN t.status
        WHEN a.status = 'started' THEN 'sent'
        ELSE a.status
      END
    ) AS p (phase)
    CROSS JOIN LATERAL (
      SELECT format('{"reference":"%s","amount":%s,"currency":"%s","capture_method":"%s"}',
        t.id, t.amount_minor, t.currency, t.capture_method)
    ) AS r (request))",
    "DROP TABLE attempts",
    "ALTER TABLE idempotency_keys ADD COLUMN kind text NOT NULL DEFAULT 'authorize'",
    "ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey",
    "ALTER TABLE idempotency_keys ADD PRIMARY KEY (merchant_id, kind, key)",
    "CREATE TABLE installation (id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'))",
    "CREATE UNIQUE INDEX installation_is_one ON installation ((true))",
    "INSERT INTO installation (id) VALUES (md5(gen_random_uuid()::text || gen_random_uuid()::text))",
};

using Migration = std::span<const char* const>;
constexpr std::array<Migration, 4> migrations{Migration(version_1), Migration(version_2),
                                              Migration(version_3), Migration(version_4)};
static_assert(migrations.size() == newest_postgres_version);

// "SWYD": the advisory lock of those who migrate.
constexpr std::int64_t migration_lock = 0x53575944;

// A table that another process is changing, or a slow disk; nobody can be served meanwhile anyhow.
constexpr std::chrono::minutes migration_time{60};

// What the program does with its tables, whoever owns them.
struct Privileges {
  const char* table;
  const char* wanted;
};
constexpr std::array privileges{
    Privileges{"users", "SELECT, INSERT, UPDATE"},
    Privileges{"login_failures", "SELECT, INSERT, UPDATE, DELETE"},
    Privileges{"transactions", "SELECT, INSERT, UPDATE"},
    Privileges{"operations", "SELECT, INSERT, UPDATE"},
    Privileges{"idempotency_keys", "SELECT, INSERT"},
    Privileges{"installation", "SELECT"},
    Privileges{"copies", "SELECT"},
    Privileges{"foreign_workers", "SELECT, INSERT"},
    Privileges{"health", "SELECT, INSERT, UPDATE"},
};

constexpr std::string_view not_permitted = "42501";

Task<postgres::Outcome<std::vector<postgres::Rows>>> try_run(postgres::Connection& connection,
                                                             std::vector<Statement> statements) {
  return connection.run(std::move(statements), std::chrono::steady_clock::now() + migration_time);
}

Task<std::vector<postgres::Rows>> run(postgres::Connection& connection, std::vector<Statement> statements) {
  auto done = co_await try_run(connection, std::move(statements));
  if (!done) throw std::runtime_error(fmt::format("the schema: {}", done.error().message));
  co_return std::move(*done);
}

std::string name_privilege(std::string_view user, std::string_view table, std::string_view what) {
  return fmt::format(
      "the role {0} may not use the table {1} as it must; as its owner: GRANT {2} ON {1} TO \"{0}\"", user,
      table, what);
}

// Text is stored as UTF-8, which other encodings cannot hold or do not check.
Task<void> require_utf8(postgres::Connection& connection) {
  std::vector<Statement> statements;
  statements.emplace_back("SELECT current_setting('server_encoding'), current_database()::text");
  const auto found = co_await run(connection, std::move(statements));
  const auto encoding = found.front().bytes(0, 0);
  if (encoding == "UTF8") co_return;
  throw std::runtime_error(
      fmt::format("the database {0} has the encoding {1}, and names and texts are UTF-8; make another one: "
                  "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0",
                  found.front().bytes(0, 1), encoding));
}

// The version of the schema, 0 if there is none. Needs no privilege but to read.
Task<std::int64_t> look_at_version(postgres::Connection& connection) {
  std::vector<Statement> look;
  look.emplace_back("SELECT to_regclass('switchyard_schema') IS NULL, current_user::text");
  const auto looked = co_await run(connection, std::move(look));
  if (looked.front().boolean(0, 0)) co_return 0;
  std::vector<Statement> read;
  read.emplace_back("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  const auto version = co_await try_run(connection, std::move(read));
  if (!version && version.error().sqlstate == not_permitted) {
    throw std::runtime_error(name_privilege(looked.front().bytes(0, 1), "switchyard_schema", "SELECT"));
  }
  if (!version) throw std::runtime_error(fmt::format("the schema: {}", version.error().message));
  co_return version->front().integer(0, 0);
}

void require_known(std::int64_t version) {
  if (version <= newest_postgres_version) return;
  throw std::runtime_error(
      fmt::format("the database has schema version {}, and this program knows versions up to {}; start the "
                  "newer program that wrote it",
                  version, newest_postgres_version));
}

Task<void> require_privileges(postgres::Connection& connection) {
  std::vector<Statement> statements;
  statements.push_back(look_for_privileges());
  const auto found = co_await run(connection, std::move(statements));
  if (const auto missing = missing_privilege(found.front())) throw std::runtime_error(*missing);
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
  begin.emplace_back("SELECT pg_advisory_xact_lock($1::bigint)").bind(migration_lock);
  begin.emplace_back("CREATE TABLE IF NOT EXISTS switchyard_schema (version bigint NOT NULL)");
  begin.emplace_back("SELECT coalesce(max(version), 0)::bigint FROM switchyard_schema");
  const auto begun = co_await try_run(connection, std::move(begin));
  if (!begun) refuse_migration(begun.error());
  const auto version = begun->back().integer(0, 0);
  require_known(version);
  std::vector<Statement> rest;
  for (auto next = version; next < to; ++next) {
    for (const char* sql : migrations[static_cast<std::size_t>(next)]) rest.emplace_back(sql);
    rest.emplace_back("INSERT INTO switchyard_schema (version) VALUES ($1::bigint)").bind(next + 1);
  }
  rest.emplace_back("COMMIT");
  const auto done = co_await try_run(connection, std::move(rest));
  if (!done) refuse_migration(done.error());
  co_return version;
}

}  // namespace

Statement look_for_privileges() {
  postgres::Column tables(postgres::Type::text);
  postgres::Column wanted(postgres::Type::text);
  for (const auto& [table, what] : privileges) {
    tables.add(std::string_view(table));
    wanted.add(std::string_view(what));
  }
  // Which of a list one has, has_table_privilege() does not say: it is true for any of them.
  Statement statement(R"(
SELECT current_user::text, i.name, i.wanted
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (name, wanted, number)
WHERE NOT (
  SELECT bool_and(has_table_privilege(i.name, trim(p)))
  FROM unnest(string_to_array(i.wanted, ',')) AS p)
ORDER BY i.number
LIMIT 1)");
  statement.bind(tables).bind(wanted);
  return statement;
}

std::optional<std::string> missing_privilege(const postgres::Rows& found) {
  if (found.size() == 0) return std::nullopt;
  return name_privilege(found.bytes(0, 0), found.bytes(0, 1), found.bytes(0, 2));
}

Task<void> require_finished_copy(postgres::Connection& connection) {
  std::vector<Statement> statements;
  statements.emplace_back("SELECT count(*) FROM copies WHERE finished_at IS NULL");
  const auto unfinished = co_await run(connection, std::move(statements));
  if (unfinished.front().integer(0, 0) == 0) co_return;
  throw std::runtime_error(
      "a copy into this database has not been finished; run `switchyard store copy` again, it goes on where "
      "it was");
}

Task<std::string> read_installation(postgres::Connection& connection) {
  std::vector<Statement> statements;
  statements.emplace_back("SELECT id::text FROM installation");
  const auto found = co_await run(connection, std::move(statements));
  if (found.front().size() != 1)
    throw std::runtime_error("the table installation must have one row, and has not");
  co_return std::string(found.front().bytes(0, 0));
}

Task<std::int64_t> migrate(postgres::Connection& connection, std::int64_t to) {
  co_await require_utf8(connection);
  auto version = co_await look_at_version(connection);
  require_known(version);
  if (version < to) version = co_await migrate_in_turn(connection, to);
  if (to == newest_postgres_version) co_await require_privileges(connection);
  co_return version;
}

}  // namespace switchyard::store
