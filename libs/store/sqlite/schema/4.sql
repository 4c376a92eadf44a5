-- Version 4: the status stands in both indexes. SQLite (until 3.41, at least) looks at it although the index
-- holds rows of one status only, so that counting a backlog read each row of it, each second. It stands last,
-- where nothing is compared any more when a row is put in.

DROP INDEX transactions_queued;
DROP INDEX transactions_started;
CREATE INDEX transactions_queued ON transactions (next_action_at_ms, merchant_id, id, status)
  WHERE next_action_at_ms IS NOT NULL AND status = 'queued';
CREATE INDEX transactions_started ON transactions (next_action_at_ms, merchant_id, id, status)
  WHERE next_action_at_ms IS NOT NULL AND status <> 'queued';
