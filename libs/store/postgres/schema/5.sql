-- Version 5: what the customer pays with, and where they are sent when the PSP wants them to act.

ALTER TABLE transactions
  ADD COLUMN payment_method text NOT NULL DEFAULT '',
  ADD COLUMN return_url     text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN action_url text NOT NULL DEFAULT '';
