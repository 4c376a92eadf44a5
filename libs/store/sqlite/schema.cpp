#include "store/sqlite/schema.hpp"

#include <array>

#include <fmt/format.h>
#include <sqlite3.h>

namespace switchyard::store {
namespace {

// "SWYD": marks the file as Switchyard's (PRAGMA application_id).
constexpr std::int64_t application_id = 0x53575944;

// Version 1.
//
// transactions is clustered by (merchant, id): ids are UUIDv7, so a merchant's rows lie in the order of time,
// new ones are appended, the list is a scan from the end, and no second index is needed for either.
// transactions_due is outbox, retry schedule and sweep at once: it holds just the rows that need work.
// (Version 3 has two in its place.)
constexpr const char* version_1 = R"(
  CREATE TABLE users (
    id            INTEGER PRIMARY KEY CHECK (id > 0),
    username      TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    enabled       INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE login_failures (
    subject           TEXT    PRIMARY KEY,
    count             INTEGER NOT NULL,
    window_ends_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX login_failures_window ON login_failures (window_ends_at_ms);

  CREATE TABLE transactions (
    merchant_id       INTEGER NOT NULL,
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    amount_minor      INTEGER NOT NULL CHECK (amount_minor > 0),
    currency          TEXT    NOT NULL CHECK (length(currency) = 3),
    capture_method    TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    authorized_minor  INTEGER NOT NULL CHECK (authorized_minor BETWEEN 0 AND amount_minor),
    captured_minor    INTEGER NOT NULL CHECK (captured_minor BETWEEN 0 AND authorized_minor),
    refunded_minor    INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND captured_minor),
    epoch             INTEGER NOT NULL,
    attempt_count     INTEGER NOT NULL,
    next_action_at_ms INTEGER,
    reason            TEXT    NOT NULL,
    created_at_ms     INTEGER NOT NULL,
    updated_at_ms     INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX transactions_due ON transactions (next_action_at_ms) WHERE next_action_at_ms IS NOT NULL;

  CREATE TABLE attempts (
    merchant_id         INTEGER NOT NULL,
    transaction_id      BLOB    NOT NULL,
    number              INTEGER NOT NULL,
    psp                 TEXT    NOT NULL,
    idempotency_key     TEXT    NOT NULL,
    request_fingerprint BLOB    NOT NULL,
    status              TEXT    NOT NULL,
    look_ups            INTEGER NOT NULL,
    psp_reference       TEXT    NOT NULL,
    reason              TEXT    NOT NULL,
    started_at_ms       INTEGER NOT NULL,
    ended_at_ms         INTEGER,
    PRIMARY KEY (merchant_id, transaction_id, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE idempotency_keys (
    merchant_id         INTEGER NOT NULL,
    key                 TEXT    NOT NULL,
    request_fingerprint BLOB    NOT NULL,
    transaction_id      BLOB    NOT NULL,
    reply               TEXT    NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE health (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    checked_at_ms INTEGER NOT NULL
  ) STRICT;
)";

// Version 2.
//
// transactions_by_id: whether a job from outside has the id of another merchant's transaction.
// transactions_in_review: how many wait for a person. foreign_workers has a row once a worker that is not
// ours was seen on the queue.
constexpr const char* version_2 = R"(
  CREATE INDEX transactions_by_id ON transactions (id);
  CREATE INDEX transactions_in_review ON transactions (id) WHERE status = 'manual_review';
  CREATE TABLE foreign_workers (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    first_seen_at_ms INTEGER NOT NULL
  ) STRICT;
)";

// Version 3: what is queued and what has been started are found apart from each other. While an outside queue
// holds the queued ones, a look for the started ones passed over all of them. Each row is in one of the two.
constexpr const char* version_3 = R"(
  DROP INDEX transactions_due;
  CREATE INDEX transactions_queued ON transactions (next_action_at_ms)
    WHERE next_action_at_ms IS NOT NULL AND status = 'queued';
  CREATE INDEX transactions_started ON transactions (next_action_at_ms)
    WHERE next_action_at_ms IS NOT NULL AND status <> 'queued';
)";

// Version 4: the status stands in both indexes. SQLite (until 3.41, at least) looks at it although the index
// holds rows of one status only, so that counting a backlog read each row of it, each second. It stands last,
// where nothing is compared any more when a row is put in.
constexpr const char* version_4 = R"(
  DROP INDEX transactions_queued;
  DROP INDEX transactions_started;
  CREATE INDEX transactions_queued ON transactions (next_action_at_ms, merchant_id, id, status)
    WHERE next_action_at_ms IS NOT NULL AND status = 'queued';
  CREATE INDEX transactions_started ON transactions (next_action_at_ms, merchant_id, id, status)
    WHERE next_action_at_ms IS NOT NULL AND status <> 'queued';
)";

constexpr std::array migrations{version_1, version_2, version_3, version_4};
constexpr auto newest_version = static_cast<std::int64_t>(migrations.size());

}  // namespace

std::int64_t require_known_schema(sqlite::Database& database) {
  const auto version = database.integer("PRAGMA user_version");
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  // Last: if another process's migration commits in between, the file is known as ours.
  const auto id = database.integer("PRAGMA application_id");
  const bool fresh = version == 0 && tables == 0 && id == 0;
  if (!fresh && id != application_id) {
    throw sqlite::DatabaseError(
        SQLITE_MISMATCH,
        fmt::format("{}: is a SQLite database of another program; name another file in DATABASE_URL",
                    database.path()));
  }
  if (version > newest_version) {
    throw sqlite::DatabaseError(
        SQLITE_MISMATCH, fmt::format("{}: has schema version {}, and this program knows versions up to {}; "
                                     "start the newer program that wrote it",
                                     database.path(), version, newest_version));
  }
  return version;
}

std::int64_t migrate(sqlite::Database& database) {
  database.execute("BEGIN IMMEDIATE");
  const auto version = require_known_schema(database);
  for (auto next = version; next < newest_version; ++next) {
    database.execute(migrations[static_cast<std::size_t>(next)]);
  }
  if (version < newest_version) {
    database.execute(fmt::format("PRAGMA application_id = {}", application_id).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", newest_version).c_str());
  }
  database.execute("COMMIT");
  return version;
}

}  // namespace switchyard::store
