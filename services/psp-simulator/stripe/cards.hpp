// What Stripe's test payment methods do (Stripe documentation, "Test card numbers"), by their names. Pure.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::psp_simulator::stripe {

enum class RefundFate {
  succeeds,
  pends,  // and succeeds later
  fails,  // after it has succeeded
};

struct Card {
  // As a payment method, without "pm_card_".
  std::string_view name;
  std::string_view last4;
  std::string_view brand = "visa";
  // Stripe's most particular code where it is declined: a decline_code, or a code that has none.
  std::string_view decline = {};
  // The customer is asked first.
  bool asks = false;
  RefundFate refund = RefundFate::succeeds;
  // Stopped by Stripe itself: the bank was never asked.
  bool is_blocked = false;
};

// Null for a payment method that is none of Stripe's test ones. The names of declines are known with "visa_"
// in them and without.
const Card* find_card(std::string_view payment_method);

// Whether a code has no decline_code beside it; any other is the decline_code of card_declined.
bool is_code_of_its_own(std::string_view code);
// The code by which Stripe tells a decline of the ledger's (psp/simulator/outcomes.hpp); others are Stripe's.
std::string_view stripe_code_of(std::string_view ledger_code);
// For people.
std::string_view words_of_decline(std::string_view code);
// What the network advises; empty: nothing.
std::string_view advice_of(std::string_view code);

}  // namespace switchyard::psp_simulator::stripe
