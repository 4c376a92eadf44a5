#include "payment/psp_keys.hpp"

#include <fmt/format.h>

#include "base/hex.hpp"
#include "payment/fingerprint.hpp"
#include "payment/retry_policy.hpp"

namespace switchyard::payment {

std::string derived_key(std::string_view installation, MerchantId merchant, std::string_view merchants_key,
                        Kind kind) {
  // The merchant's key is last: nothing in it can be taken for what stands before it.
  const auto digest = fingerprint(
      fmt::format("{}\n{}\n{}\n{}", installation, merchant.value, to_string(kind), merchants_key));
  return to_hex(std::string_view(digest).substr(0, 16));
}

std::string numbered_key(const Transaction& transaction, std::int32_t number) {
  return fmt::format("{}-{}-{}", transaction.merchant_id.value, psp_reference(transaction), number);
}

KeyHold hold_of_key(const Operation& operation, std::chrono::minutes held_for, Timestamp now) {
  // Longer than a request is on its way, with what clocks may be apart.
  constexpr std::chrono::minutes margin{5};
  if (held_for >= for_ever) return KeyHold::holds;
  const auto sent_at = operation.sent_at.value_or(operation.requested_at);
  if (now < sent_at) return KeyHold::unclear;
  return now - sent_at <= held_for - margin ? KeyHold::holds : KeyHold::ended;
}

bool may_be_resent(const Operation& operation, std::chrono::minutes held_for, Timestamp now) {
  return operation.sent_at && !operation.request.empty() &&
         hold_of_key(operation, held_for, now) == KeyHold::holds;
}

}  // namespace switchyard::payment
