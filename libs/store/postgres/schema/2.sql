-- Version 2: as the SQLite store's.

CREATE INDEX transactions_by_id ON transactions (id);
CREATE INDEX transactions_in_review ON transactions (id) WHERE status = 'manual_review';

CREATE TABLE foreign_workers (
  id            bigint      PRIMARY KEY CHECK (id = 1),
  first_seen_at timestamptz NOT NULL
);
