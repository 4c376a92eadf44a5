#include "psp-simulator/stripe/cards.hpp"

#include <algorithm>
#include <array>

#include "psp/simulator/outcomes.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

constexpr std::string_view prefix = "pm_card_";

constexpr auto cards = std::to_array<Card>({
    {.name = "visa", .last4 = "4242"},
    {.name = "visa_debit", .last4 = "5556"},
    {.name = "mastercard", .last4 = "4444", .brand = "mastercard"},
    {.name = "mastercard_debit", .last4 = "3222", .brand = "mastercard"},
    {.name = "mastercard_prepaid", .last4 = "5100", .brand = "mastercard"},
    {.name = "amex", .last4 = "8431", .brand = "amex"},
    {.name = "discover", .last4 = "1117", .brand = "discover"},
    {.name = "diners", .last4 = "0004", .brand = "diners"},
    {.name = "jcb", .last4 = "0505", .brand = "jcb"},
    {.name = "unionpay", .last4 = "0005", .brand = "unionpay"},
    {.name = "us", .last4 = "4242"},
    {.name = "bypassPending", .last4 = "0077"},

    {.name = "chargeDeclined", .last4 = "0002", .decline = "generic_decline"},
    {.name = "chargeDeclinedInsufficientFunds", .last4 = "9995", .decline = "insufficient_funds"},
    {.name = "chargeDeclinedLostCard", .last4 = "9987", .decline = "lost_card"},
    {.name = "chargeDeclinedStolenCard", .last4 = "9979", .decline = "stolen_card"},
    {.name = "chargeDeclinedVelocityLimitExceeded", .last4 = "6975", .decline = "card_velocity_exceeded"},
    {.name = "chargeDeclinedFraudulent", .last4 = "0019", .decline = "fraudulent", .is_blocked = true},
    {.name = "chargeDeclinedExpiredCard", .last4 = "0069", .decline = "expired_card"},
    {.name = "chargeDeclinedIncorrectCvc", .last4 = "0127", .decline = "incorrect_cvc"},
    {.name = "chargeDeclinedProcessingError", .last4 = "0119", .decline = "processing_error"},
    {.name = "chargeCustomerFail", .last4 = "0341", .decline = "generic_decline"},
    {.name = "radarBlock", .last4 = "0019", .decline = "fraudulent", .is_blocked = true},

    {.name = "authenticationRequired", .last4 = "3155", .asks = true},
    {.name = "threeDSecureRequired", .last4 = "3063", .asks = true},
    {.name = "threeDSecure2Required", .last4 = "3220", .asks = true},

    {.name = "pendingRefund", .last4 = "7726", .refund = RefundFate::pends},
    {.name = "refundFail", .last4 = "5126", .refund = RefundFate::fails},
});

struct Words {
  std::string_view code;
  std::string_view words;
  std::string_view advice = {};
};

constexpr auto all_words = std::to_array<Words>({
    {"authentication_required", "The customer has to be asked."},
    {"card_velocity_exceeded", "The card has made too many payments.", "try_again_later"},
    {"expired_card", "The card has expired.", "do_not_try_again"},
    {"fraudulent", "The card was declined.", "do_not_try_again"},
    {"generic_decline", "The card was declined.", "try_again_later"},
    {"incorrect_cvc", "The security code is wrong.", "confirm_card_data"},
    {"insufficient_funds", "There is not enough money.", "try_again_later"},
    {"issuer_not_available", "The bank cannot be reached.", "try_again_later"},
    {"lost_card", "The card was declined.", "do_not_try_again"},
    {"processing_error", "The card could not be processed.", "try_again_later"},
    {"stolen_card", "The card was declined.", "do_not_try_again"},
});

const Words* find_words(std::string_view code) {
  const auto* const found = std::ranges::find(all_words, code, &Words::code);
  return found == all_words.end() ? nullptr : found;
}

}  // namespace

const Card* find_card(std::string_view payment_method) {
  if (!payment_method.starts_with(prefix)) return nullptr;
  auto name = payment_method.substr(prefix.size());
  constexpr std::string_view brand = "visa_";
  if (name.starts_with(brand) && name != "visa_debit") name.remove_prefix(brand.size());
  const auto* const found = std::ranges::find(cards, name, &Card::name);
  return found == cards.end() ? nullptr : found;
}

bool is_code_of_its_own(std::string_view code) {
  static constexpr std::array<std::string_view, 4> codes{"expired_card", "incorrect_cvc", "processing_error",
                                                         "authentication_required"};
  return std::ranges::find(codes, code) != codes.end();
}

std::string_view stripe_code_of(std::string_view ledger_code) {
  if (ledger_code == psp::simulator::insufficient_funds) return "insufficient_funds";
  if (ledger_code == psp::simulator::issuer_unavailable) return "issuer_not_available";
  if (ledger_code == psp::simulator::suspected_fraud) return "fraudulent";
  if (ledger_code == psp::simulator::taken_back) return "generic_decline";
  return ledger_code;
}

std::string_view words_of_decline(std::string_view code) {
  const auto* found = find_words(code);
  return found == nullptr ? "The card was declined." : found->words;
}

std::string_view advice_of(std::string_view code) {
  const auto* found = find_words(code);
  return found == nullptr ? std::string_view() : found->advice;
}

}  // namespace switchyard::psp_simulator::stripe
