-- Version 2.
--
-- transactions_by_id: whether a job from outside has the id of another merchant's transaction.
-- transactions_in_review: how many wait for a person. foreign_workers has a row once a worker that is not
-- ours was seen on the queue.

CREATE INDEX transactions_by_id ON transactions (id);
CREATE INDEX transactions_in_review ON transactions (id) WHERE status = 'manual_review';
CREATE TABLE foreign_workers (
  id               INTEGER PRIMARY KEY CHECK (id = 1),
  first_seen_at_ms INTEGER NOT NULL
) STRICT;
