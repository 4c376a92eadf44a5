-- Version 1.
--
-- transactions is clustered by (merchant, id): ids are UUIDv7, so a merchant's rows lie in the order of time,
-- new ones are appended, the list is a scan from the end, and no second index is needed for either.
-- transactions_due is outbox, retry schedule and sweep at once: it holds just the rows that need work.
-- (Version 3 has two in its place.)

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
