-- Version 6: what PSPs have said by themselves, in events of their webhooks. psp_events_due holds those that
-- are not over. And what a customer brought back from where the PSP had sent them.
--
-- operations_by_psp_reference finds the payment that an event is about. The simulated PSP sends none, and its
-- names ("sim_...") are not in it: a query must say the same of them.

CREATE TABLE psp_events (
  account         text        NOT NULL,
  event           text        NOT NULL,
  type            text        NOT NULL,
  reference       text        NOT NULL,
  idempotency_key text        NOT NULL,
  psp_reference   text        NOT NULL,
  payment         text        NOT NULL,
  kind            text        NOT NULL,
  what            text        NOT NULL,
  what_reference  text        NOT NULL,
  amount_minor    bigint      NOT NULL,
  currency        text        NOT NULL,
  reason_code     text        NOT NULL,
  reason          text        NOT NULL,
  reason_kind     text        NOT NULL,
  received_at     timestamptz NOT NULL,
  due_at          timestamptz,
  tries           bigint      NOT NULL,
  result          text        NOT NULL,
  PRIMARY KEY (account, event)
);

CREATE INDEX psp_events_due ON psp_events (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX operations_by_psp_reference ON operations (psp_reference)
  WHERE kind = 'authorize' AND psp_reference <> '' AND psp_reference NOT LIKE 'sim\_%';

ALTER TABLE operations ADD COLUMN brought_back text NOT NULL DEFAULT '';
