-- Version 3: what is queued and what has been started are found apart from each other. While an outside queue
-- holds the queued ones, a look for the started ones passed over all of them. Each row is in one of the two.

DROP INDEX transactions_due;
CREATE INDEX transactions_queued ON transactions (next_action_at_ms)
  WHERE next_action_at_ms IS NOT NULL AND status = 'queued';
CREATE INDEX transactions_started ON transactions (next_action_at_ms)
  WHERE next_action_at_ms IS NOT NULL AND status <> 'queued';
