// How events of PSPs, and the payments that they are about, are found. Each walks one index;
// postgres_store_test.cpp shows it.
#pragma once

#include <fmt/format.h>

#include "store/postgres/rows.hpp"

namespace switchyard::store {

// What another worker takes is skipped, not waited for. $1: the time by which it is due; $2: a limit.
inline const auto lock_due_psp_events = fmt::format(R"(
SELECT {}
FROM psp_events
WHERE due_at <= $1::timestamptz
ORDER BY due_at
LIMIT $2::bigint
FOR UPDATE SKIP LOCKED)",
                                                    list_of(psp_events_table, as_read));

// $1: accounts; $2: what they call their payments; $3: our keys. One row for each, in their order. The last
// conditions of each are those of operations_by_psp_reference and of operations_by_key.
inline const std::string owners_of_psp_payments = R"(
SELECT o.merchant_id::bigint, o.transaction_id::uuid
FROM unnest($1::text[], $2::text[], $3::text[])
  WITH ORDINALITY AS i (psp, psp_reference, idempotency_key, position)
LEFT JOIN LATERAL (
  SELECT merchant_id, transaction_id
  FROM operations
  WHERE psp_reference = i.psp_reference AND psp = i.psp
    AND kind = 'authorize' AND psp_reference <> '' AND psp_reference NOT LIKE 'sim\_%'
  UNION ALL
  SELECT merchant_id, transaction_id
  FROM operations
  WHERE idempotency_key = i.idempotency_key AND i.idempotency_key <> '' AND psp = i.psp
    AND kind = 'authorize' AND phase <> 'requested' AND phase <> 'sent'
    AND (psp_reference = '' OR phase = 'action_required')
  LIMIT 1
) o ON true
ORDER BY i.position)";

}  // namespace switchyard::store
