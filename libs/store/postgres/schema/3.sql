-- Version 3: what has been started is found without passing over what is queued, all of which may be in an
-- outside queue's hands. transactions_due stays: it finds the rest, and programs of the version before that
-- still run need it. A new transaction is in that one only.

CREATE INDEX transactions_started ON transactions (next_action_at)
  WHERE next_action_at IS NOT NULL AND status <> 'queued';
