// Why a card was not charged or a refund did not come about, in Stripe's codes. Pure.
//
// Stripe's reference lists codes and says of none whether it is hard or soft: the split is ours, read from
// Stripe documentation, "Decline codes", column "next steps". Where the answer has an advice_code, that one
// wins (ibid., "Advice codes"): it is what the card's network asks for. Of a code that is in neither table
// nothing is known, and no other account is asked because of it.
#pragma once

#include <array>
#include <string_view>

#include "payment/operation.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp::stripe {

struct CodeRow {
  std::string_view code;
  payment::ReasonKind kind;
};

// Values of error.advice_code.
inline constexpr auto advice_table = std::to_array<CodeRow>({
    {"confirm_card_data", payment::ReasonKind::customer_action},
    {"do_not_try_again", payment::ReasonKind::hard_decline},
    {"try_again_later", payment::ReasonKind::soft_decline},
});

// Values of error.decline_code, and of error.code where there is no decline_code. What is not here is soft:
// Stripe may add codes at any time.
inline constexpr auto decline_table = std::to_array<CodeRow>({
    // The issuer may say yes another time, or to another acquirer.
    {"approve_with_id", payment::ReasonKind::soft_decline},
    {"card_velocity_exceeded", payment::ReasonKind::soft_decline},
    {"insufficient_funds", payment::ReasonKind::soft_decline},
    {"issuer_not_available", payment::ReasonKind::soft_decline},
    {"processing_error", payment::ReasonKind::soft_decline},
    {"reenter_transaction", payment::ReasonKind::soft_decline},
    {"try_again_later", payment::ReasonKind::soft_decline},
    {"withdrawal_count_limit_exceeded", payment::ReasonKind::soft_decline},
    // The issuer does not say why.
    {"call_issuer", payment::ReasonKind::soft_decline},
    {"card_declined", payment::ReasonKind::soft_decline},
    {"do_not_honor", payment::ReasonKind::soft_decline},
    {"generic_decline", payment::ReasonKind::soft_decline},
    {"no_action_taken", payment::ReasonKind::soft_decline},
    // The customer must prove who they are, or give other data.
    {"authentication_not_handled", payment::ReasonKind::customer_action},
    {"authentication_required", payment::ReasonKind::customer_action},
    {"incorrect_address", payment::ReasonKind::customer_action},
    {"incorrect_cvc", payment::ReasonKind::customer_action},
    {"incorrect_pin", payment::ReasonKind::customer_action},
    {"incorrect_zip", payment::ReasonKind::customer_action},
    {"invalid_cvc", payment::ReasonKind::customer_action},
    {"invalid_expiry_month", payment::ReasonKind::customer_action},
    {"invalid_expiry_year", payment::ReasonKind::customer_action},
    {"invalid_pin", payment::ReasonKind::customer_action},
    {"mobile_device_authentication_required", payment::ReasonKind::customer_action},
    {"offline_pin_required", payment::ReasonKind::customer_action},
    {"online_or_offline_pin_required", payment::ReasonKind::customer_action},
    {"payment_intent_authentication_failure", payment::ReasonKind::customer_action},
    // It will not become a yes.
    {"card_not_supported", payment::ReasonKind::hard_decline},
    {"currency_not_supported", payment::ReasonKind::hard_decline},
    {"do_not_try_again", payment::ReasonKind::hard_decline},
    {"duplicate_transaction", payment::ReasonKind::hard_decline},
    {"expired_card", payment::ReasonKind::hard_decline},
    {"fraudulent", payment::ReasonKind::hard_decline},
    {"incorrect_number", payment::ReasonKind::hard_decline},
    {"invalid_account", payment::ReasonKind::hard_decline},
    {"invalid_amount", payment::ReasonKind::hard_decline},
    {"invalid_number", payment::ReasonKind::hard_decline},
    {"lost_card", payment::ReasonKind::hard_decline},
    {"merchant_blacklist", payment::ReasonKind::hard_decline},
    {"new_account_information_available", payment::ReasonKind::hard_decline},
    {"not_permitted", payment::ReasonKind::hard_decline},
    {"pickup_card", payment::ReasonKind::hard_decline},
    {"pin_try_exceeded", payment::ReasonKind::hard_decline},
    {"restricted_card", payment::ReasonKind::hard_decline},
    {"revocation_of_all_authorizations", payment::ReasonKind::hard_decline},
    {"revocation_of_authorization", payment::ReasonKind::hard_decline},
    {"security_violation", payment::ReasonKind::hard_decline},
    {"service_not_allowed", payment::ReasonKind::hard_decline},
    {"stolen_card", payment::ReasonKind::hard_decline},
    {"stop_payment_order", payment::ReasonKind::hard_decline},
    {"testmode_decline", payment::ReasonKind::hard_decline},
    {"transaction_not_allowed", payment::ReasonKind::hard_decline},
});

// Values of a refund's failure_reason (Stripe API reference, Refund object). A refund that failed may be
// asked for again where the money was only not there; what the card or the bank forbids stays forbidden.
inline constexpr auto refund_failure_table = std::to_array<CodeRow>({
    {"charge_for_pending_refund_disputed", payment::ReasonKind::hard_decline},
    {"declined", payment::ReasonKind::hard_decline},
    {"expired_or_canceled_card", payment::ReasonKind::hard_decline},
    {"insufficient_funds", payment::ReasonKind::soft_decline},
    {"lost_or_stolen_card", payment::ReasonKind::hard_decline},
    {"merchant_request", payment::ReasonKind::hard_decline},
    {"unknown", payment::ReasonKind::unknown},
});

// Of a card_error: the most particular code that there is, Stripe's words, and what to make of it.
payment::Reason reason_of(const ErrorWords& error);

// Of a refund whose status is failed or canceled.
payment::Reason reason_of(const Refund& refund);

}  // namespace switchyard::psp::stripe
