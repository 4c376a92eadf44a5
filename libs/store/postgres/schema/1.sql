-- Version 1: the tables of the SQLite store (../sqlite/schema/1.sql says why they are so), with PostgreSQL's own
-- types for ids and times. The primary keys begin with the merchant, by which the tables could be sharded.

CREATE TABLE users (
  id            bigint      PRIMARY KEY CHECK (id > 0),
  username      text        NOT NULL UNIQUE,
  password_hash text        NOT NULL,
  enabled       boolean     NOT NULL,
  created_at    timestamptz NOT NULL
);

CREATE TABLE login_failures (
  subject        text        PRIMARY KEY,
  count          bigint      NOT NULL,
  window_ends_at timestamptz NOT NULL
);

CREATE INDEX login_failures_window ON login_failures (window_ends_at);

CREATE TABLE transactions (
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
);

CREATE INDEX transactions_due ON transactions (next_action_at) WHERE next_action_at IS NOT NULL;

CREATE TABLE attempts (
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
);

CREATE TABLE idempotency_keys (
  merchant_id         bigint      NOT NULL,
  key                 text        NOT NULL,
  request_fingerprint bytea       NOT NULL,
  transaction_id      uuid        NOT NULL,
  reply               text        NOT NULL,
  created_at          timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, key)
);

CREATE TABLE copies (
  started_at  timestamptz NOT NULL,
  finished_at timestamptz
);

CREATE TABLE health (
  id         bigint      PRIMARY KEY CHECK (id = 1),
  checked_at timestamptz NOT NULL
);
