// How events of PSPs, and the payments that they are about, are found. Each walks one index; the schema's
// test shows it.
#pragma once

#include <string>

#include <fmt/format.h>

#include "store/sqlite/rows.hpp"

namespace switchyard::store {

// ?1: a time; ?2: a limit.
inline const auto due_psp_events = fmt::format(R"(
  SELECT {} FROM psp_events
  WHERE due_at_ms <= ?1
  ORDER BY due_at_ms LIMIT ?2)",
                                               column_list(psp_events_table));
inline constexpr const char* any_due_psp_event = "SELECT 1 FROM psp_events WHERE due_at_ms <= ?1 LIMIT 1";

// ?1: the account; ?2: what it calls the payment; ?3: our key. The last conditions of each are those of
// operations_by_psp_reference and of operations_by_key.
inline constexpr const char* owner_of_psp_payment = R"(
  SELECT merchant_id, transaction_id FROM operations
  WHERE psp_reference = ?2 AND psp = ?1
    AND kind = 'authorize' AND psp_reference <> '' AND psp_reference NOT GLOB 'sim_*'
  UNION ALL
  SELECT merchant_id, transaction_id FROM operations
  WHERE idempotency_key = ?3 AND ?3 <> '' AND psp = ?1
    AND kind = 'authorize' AND phase <> 'requested' AND phase <> 'sent'
    AND (psp_reference = '' OR phase = 'action_required')
  LIMIT 1)";

}  // namespace switchyard::store
