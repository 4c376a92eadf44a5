// Stripe's objects as it shows them (Stripe API reference: PaymentIntent, Charge, Refund), made and brought
// up to what the ledger says: its money is the truth, the objects only show it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/clock.hpp"
#include "psp-simulator/stripe/cards.hpp"
#include "psp-simulator/stripe/form.hpp"
#include "psp/simulator/book.hpp"

namespace switchyard::psp_simulator::stripe {

inline constexpr std::string_view intent_type = "payment_intent";
inline constexpr std::string_view charge_type = "charge";
inline constexpr std::string_view refund_type = "refund";

// What the ledger has of a payment's attempt.
struct Standing {
  psp::simulator::Charge charge;
  std::vector<psp::simulator::Operation> operations;
};

// In Stripe's unit; 0 is 0.
std::int64_t shown(Money money);

// From the parameters of a create, which were looked at.
boost::json::object new_intent(std::string_view id, const Form& form, Timestamp now);
boost::json::object new_charge(std::string_view id, const boost::json::object& intent, const Card& card,
                               Timestamp now);
boost::json::object new_refund(const psp::simulator::Operation& refund, const boost::json::object& intent,
                               const Form& form, Timestamp now);

// Puts entries of metadata over those that there are; an empty value takes one away.
void add_metadata(boost::json::object& object, const Form& form);
std::string metadata_in(const boost::json::object& object, std::string_view name);

// The card that the payment was made with last.
const Card& card_of(const boost::json::object& intent);

// Both show what the ledger says now; the status, too. The reason is for a payment that is canceled now.
void refresh(boost::json::object& intent, boost::json::object& charge, const Standing& standing,
             std::string_view cancellation_reason, Timestamp now);
void refresh(boost::json::object& refund, const psp::simulator::Operation& operation);

// It is over without money.
void cancel(boost::json::object& intent, std::string_view reason, Timestamp now);
// It waits for the customer, who is to go to the address.
void ask_customer(boost::json::object& intent, std::string_view address, std::string_view return_url);
// The attempt has come to nothing, and another card may be tried.
void fail(boost::json::object& intent, boost::json::object card_error);

}  // namespace switchyard::psp_simulator::stripe
