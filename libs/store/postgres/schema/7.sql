-- Version 7: operations_by_key finds the payment that an event is about by our key: where the PSP's name for it
-- was never learned, because each answer was lost, or may change while the customer acts. What is on its way
-- is not in it: its event is heard again.

CREATE INDEX operations_by_key ON operations (idempotency_key)
  WHERE kind = 'authorize' AND phase <> 'requested' AND phase <> 'sent'
    AND (psp_reference = '' OR phase = 'action_required');
