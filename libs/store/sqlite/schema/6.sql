-- Version 6: what the customer pays with, and where they are sent when the PSP wants them to act.

ALTER TABLE transactions ADD COLUMN payment_method TEXT NOT NULL DEFAULT '';
ALTER TABLE transactions ADD COLUMN return_url TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN action_url TEXT NOT NULL DEFAULT '';
