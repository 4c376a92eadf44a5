-- Version 5: what was asked of a PSP is an operation, of whatever kind. An attempt is an authorization.
--
-- `request` is what version 1 of the protocol sent. What had not arrived, and was to be tried again, is tried
-- again under the key of its last attempt. The row of `installation` goes into what PSPs are told
-- (payment/psp_keys.hpp). transactions_by_reference: a merchant's own reference, newest last.

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
  resolution      TEXT    NOT NULL,
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
  0, '', '', '',
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
