-- Version 7: what PSPs have said by themselves, in events of their webhooks. psp_events_due holds those that
-- are not over. And what a customer brought back from where the PSP had sent them.
--
-- operations_by_psp_reference finds the payment that an event is about. The simulated PSP sends none, and its
-- names ("sim_...") are not in it: a query must say the same of them, word for word.

CREATE TABLE psp_events (
  account         TEXT    NOT NULL,
  event           TEXT    NOT NULL,
  type            TEXT    NOT NULL,
  reference       TEXT    NOT NULL,
  idempotency_key TEXT    NOT NULL,
  psp_reference   TEXT    NOT NULL,
  payment         TEXT    NOT NULL,
  kind            TEXT    NOT NULL,
  what            TEXT    NOT NULL,
  what_reference  TEXT    NOT NULL,
  amount_minor    INTEGER NOT NULL,
  currency        TEXT    NOT NULL,
  reason_code     TEXT    NOT NULL,
  reason          TEXT    NOT NULL,
  reason_kind     TEXT    NOT NULL,
  received_at_ms  INTEGER NOT NULL,
  due_at_ms       INTEGER,
  tries           INTEGER NOT NULL,
  result          TEXT    NOT NULL,
  PRIMARY KEY (account, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX psp_events_due ON psp_events (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX operations_by_psp_reference ON operations (psp_reference)
  WHERE kind = 'authorize' AND psp_reference <> '' AND psp_reference NOT GLOB 'sim_*';

ALTER TABLE operations ADD COLUMN brought_back TEXT NOT NULL DEFAULT '';
