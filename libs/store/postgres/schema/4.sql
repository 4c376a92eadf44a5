-- Version 4: an operation is the unit of work, and an attempt was the only kind of it.
--
-- Only the last attempt can be open. It was the request of programs before this version word for word, unless
-- its fingerprint says that a still older one wrote it: then nothing is ever sent again for it. installation
-- is random, made once, and carried by every copy.

ALTER TABLE transactions RENAME COLUMN epoch TO version;
ALTER TABLE transactions RENAME COLUMN attempt_count TO operation_count;

ALTER TABLE transactions
  ADD COLUMN held_minor        bigint NOT NULL DEFAULT 0,
  ADD COLUMN derived_reference text   NOT NULL DEFAULT '',
  ADD COLUMN reference         text   NOT NULL DEFAULT '',
  ADD COLUMN description       text   NOT NULL DEFAULT '',
  ADD COLUMN metadata          text   NOT NULL DEFAULT '';

UPDATE transactions SET held_minor = authorized_minor - captured_minor WHERE status = 'authorized';

ALTER TABLE transactions
  ADD CHECK (held_minor BETWEEN 0 AND authorized_minor - captured_minor);

CREATE INDEX transactions_by_reference ON transactions (merchant_id, reference, id)
  WHERE reference <> '';

CREATE TABLE operations (
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
  resolution      text        NOT NULL,
  due_at          timestamptz,
  requested_at    timestamptz NOT NULL,
  sent_at         timestamptz,
  ended_at        timestamptz,
  PRIMARY KEY (merchant_id, transaction_id, number)
);

INSERT INTO operations (
  merchant_id, transaction_id, number, kind, amount_minor, is_final, phase, psp, idempotency_key, request,
  claims, sends, look_ups, psp_reference, reason_code, reason, reason_kind, taken_back, reference, note,
  resolution, due_at, requested_at, sent_at, ended_at)
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
  false, '', '', '',
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
) AS r (request);

DROP TABLE attempts;
ALTER TABLE idempotency_keys ADD COLUMN kind text NOT NULL DEFAULT 'authorize';
ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey;
ALTER TABLE idempotency_keys ADD PRIMARY KEY (merchant_id, kind, key);
CREATE TABLE installation (id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'));
CREATE UNIQUE INDEX installation_is_one ON installation ((true));
INSERT INTO installation (id) VALUES (md5(gen_random_uuid()::text || gen_random_uuid()::text));
