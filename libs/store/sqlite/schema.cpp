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

// Version 5: what was asked of a PSP is an operation, of whatever kind. An attempt is an authorization.
//
// `request` is what version 1 of the protocol sent. What had not arrived, and was to be tried again, is tried
// again under the key of its last attempt. The row of `installation` goes into what PSPs are told
// (payment/psp_keys.hpp). transactions_by_reference: a merchant's own reference, newest last.
constexpr const char* version_5 = R"(
  ALTER TABLE transactions RENAME COLUMN epoch TO version;
  ALTER TABLE transactions RENAME COLUMN attempt_count TO operation_count;
  ALTER TABLE transactions ADD COLUMN held_minor INTEGER NOT NULL DEFAULT 0
    CHECK (held_minor BETWEEN 0 AND authorized_minor - captured_minor);
  ALTER TABLE transactions ADD COLUMN derived_reference TEXT NOT NULL DEFAULT '';
  ALTER TABLE transactions ADD COLUMN reference TEXT NOT NULL DEFAULT '';
  ALTER TABLE transactions ADD COLUMN description TEXT NOT NULL DEFAULT '';
  ALTER TABLE transactions ADD COLUMN metadata TEXT NOT NULL DEFAULT '';
  UPDATE transactions SET held_minor = authorized_minor - captured_minor WHERE status = 'authorized';
  CREATE INDEX transactions_by_reference ON transactions (merchant_id, reference, id) WHERE reference <> '';

  CREATE TABLE operations (
    merchant_id     INTEGER NOT NULL,
    transaction_id  BLOB    NOT NULL,
    number          INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    amount_minor    INTEGER NOT NULL CHECK (amount_minor > 0),
    is_final        INTEGER NOT NULL CHECK (is_final IN (0, 1)),
    phase           TEXT    NOT NULL,
    psp             TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    request         TEXT    NOT NULL,
    claims          INTEGER NOT NULL,
    sends           INTEGER NOT NULL,
    look_ups        INTEGER NOT NULL,
    psp_reference   TEXT    NOT NULL,
    reason_code     TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    reason_kind     TEXT    NOT NULL,
    taken_back      INTEGER NOT NULL CHECK (taken_back IN (0, 1)),
    reference       TEXT    NOT NULL,
    note            TEXT    NOT NULL,
    due_at_ms       INTEGER,
    requested_at_ms INTEGER NOT NULL,
    sent_at_ms      INTEGER,
    ended_at_ms     INTEGER,
    PRIMARY KEY (merchant_id, transaction_id, number)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO operations
  SELECT merchant_id, transaction_id, number, 'authorize', amount_minor, 1, phase, psp, idempotency_key,
    '{"reference":"' || lower(substr(digits, 1, 8) || '-' || substr(digits, 9, 4) || '-' ||
      substr(digits, 13, 4) || '-' || substr(digits, 17, 4) || '-' || substr(digits, 21)) ||
      '","amount":' || amount_minor || ',"currency":"' || currency || '","capture_method":"' ||
      capture_method || '"}',
    iif(is_last, version, 1), iif(is_last, number, 1), look_ups, psp_reference,
    iif(phase = 'declined', reason, ''), iif(phase = 'declined', '', reason),
    CASE
      WHEN phase = 'declined' THEN iif(reason IN ('51', '91'), 'soft_decline', 'hard_decline')
      WHEN reason = '' THEN ''
      ELSE 'unknown'
    END,
    0, '', '',
    iif(is_last AND is_open, next_action_at_ms, NULL), started_at_ms, started_at_ms,
    iif(phase IN ('requested', 'sent', 'unknown', 'manual_review'), NULL, coalesce(ended_at_ms, updated_at_ms))
  FROM (
    SELECT a.*, t.amount_minor, t.currency, t.capture_method, t.version, t.next_action_at_ms, t.updated_at_ms,
      hex(t.id) AS digits, a.number = t.operation_count AS is_last,
      t.status IN ('queued', 'processing', 'unknown') AS is_open,
      CASE a.status
        WHEN 'started' THEN 'sent'
        WHEN 'approved' THEN 'succeeded'
        WHEN 'unknown' THEN iif(t.status = 'manual_review', 'manual_review', 'unknown')
        WHEN 'not_sent' THEN
          iif(t.status = 'processing' AND a.number = t.operation_count, 'requested', 'failed')
        ELSE a.status
      END AS phase
    FROM attempts a
    JOIN transactions t ON t.merchant_id = a.merchant_id AND t.id = a.transaction_id);
  DROP TABLE attempts;

  ALTER TABLE idempotency_keys RENAME TO keys_of_version_4;
  CREATE TABLE idempotency_keys (
    merchant_id         INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    key                 TEXT    NOT NULL,
    request_fingerprint BLOB    NOT NULL,
    transaction_id      BLOB    NOT NULL,
    reply               TEXT    NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, kind, key)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO idempotency_keys
  SELECT merchant_id, 'authorize', key, request_fingerprint, transaction_id, reply, created_at_ms
  FROM keys_of_version_4;
  DROP TABLE keys_of_version_4;

  CREATE TABLE installation (
    id TEXT PRIMARY KEY CHECK (length(id) = 32)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO installation VALUES (lower(hex(randomblob(16))));
)";

constexpr std::array migrations{version_1, version_2, version_3, version_4, version_5};
static_assert(migrations.size() == newest_version);

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

std::int64_t migrate(sqlite::Database& database, std::int64_t to) {
  database.execute("BEGIN IMMEDIATE");
  const auto version = require_known_schema(database);
  for (auto next = version; next < to; ++next) {
    database.execute(migrations.at(static_cast<std::size_t>(next)));
  }
  if (version < to) {
    database.execute(fmt::format("PRAGMA application_id = {}", application_id).c_str());
    database.execute(fmt::format("PRAGMA user_version = {}", to).c_str());
  }
  database.execute("COMMIT");
  return version;
}

}  // namespace switchyard::store
