// Why a payment was refused: refusalReasonCode.
//
// Source: Adyen, Development resources, "Refusal reasons" (2 to 46; 43 to 45 in one copy only). Adyen does
// not say which may be tried again: the kinds are ours, by what the scheme's rule for such a decline is.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "payment/operation.hpp"

namespace switchyard::psp::adyen {

struct Refusal {
  std::string_view code;
  std::string_view message;
  payment::ReasonKind kind;
};

namespace refusal_kinds {
inline constexpr auto soft = payment::ReasonKind::soft_decline;
inline constexpr auto hard = payment::ReasonKind::hard_decline;
// The customer can mend it: another CVC, a PIN, 3-D Secure.
inline constexpr auto customer = payment::ReasonKind::customer_action;
inline constexpr auto ours = payment::ReasonKind::configuration;
}  // namespace refusal_kinds

inline constexpr auto refusals = std::to_array<Refusal>({
    {"2", "Refused", refusal_kinds::soft},
    {"3", "Referral", refusal_kinds::soft},
    {"4", "Acquirer Error", refusal_kinds::soft},
    {"5", "Blocked Card", refusal_kinds::hard},
    {"6", "Expired Card", refusal_kinds::hard},
    {"7", "Invalid Amount", refusal_kinds::ours},
    {"8", "Invalid Card Number", refusal_kinds::hard},
    {"9", "Issuer Unavailable", refusal_kinds::soft},
    {"10", "Not supported", refusal_kinds::hard},
    {"11", "3D Not Authenticated", refusal_kinds::customer},
    {"12", "Not enough balance", refusal_kinds::soft},
    {"14", "Acquirer Fraud", refusal_kinds::hard},
    {"15", "Cancelled", refusal_kinds::soft},
    {"16", "Shopper Cancelled", refusal_kinds::customer},
    {"17", "Invalid Pin", refusal_kinds::customer},
    {"18", "Pin tries exceeded", refusal_kinds::hard},
    {"19", "Pin validation not possible", refusal_kinds::soft},
    {"20", "FRAUD", refusal_kinds::hard},
    {"21", "Not Submitted", refusal_kinds::soft},
    {"22", "FRAUD-CANCELLED", refusal_kinds::hard},
    {"23", "Transaction Not Permitted", refusal_kinds::hard},
    {"24", "CVC Declined", refusal_kinds::customer},
    {"25", "Restricted Card", refusal_kinds::hard},
    {"26", "Revocation Of Auth", refusal_kinds::hard},
    {"27", "Declined Non Generic", refusal_kinds::soft},
    {"28", "Withdrawal amount exceeded", refusal_kinds::soft},
    {"29", "Withdrawal count exceeded", refusal_kinds::soft},
    {"31", "Issuer Suspected Fraud", refusal_kinds::hard},
    {"32", "AVS Declined", refusal_kinds::customer},
    {"33", "Card requires online pin", refusal_kinds::hard},
    {"34", "No checking account available on Card", refusal_kinds::hard},
    {"35", "No savings account available on Card", refusal_kinds::hard},
    {"36", "Mobile pin required", refusal_kinds::customer},
    {"37", "Contactless fallback", refusal_kinds::customer},
    {"38", "Authentication required", refusal_kinds::customer},
    {"39", "RReq not received from DS", refusal_kinds::customer},
    {"40", "Current AID is in Penalty Box", refusal_kinds::soft},
    {"41", "CVM Required Restart Payment", refusal_kinds::customer},
    {"42", "3DS Authentication Error", refusal_kinds::customer},
    {"43", "Online PIN required", refusal_kinds::soft},
    {"44", "Try another interface", refusal_kinds::soft},
    {"45", "Chip downgrade mode", refusal_kinds::soft},
    {"46", "Transaction blocked by Adyen to prevent excessive retry fees", refusal_kinds::hard},
});

// Nothing for a code that is not known here.
constexpr const Refusal* find_refusal(std::string_view code) {
  const auto* const found = std::ranges::find(refusals, code, &Refusal::code);
  return found == refusals.end() ? nullptr : found;
}

}  // namespace switchyard::psp::adyen
