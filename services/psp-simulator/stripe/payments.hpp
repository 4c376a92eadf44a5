// Stripe's PaymentIntents (Stripe API reference): made, confirmed, captured and canceled.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "psp-simulator/dialect/dialect.hpp"
#include "psp-simulator/stripe/objects.hpp"

namespace switchyard::psp_simulator::stripe {

Reply create_payment(Session& session, const Asked& asked);
Reply update_payment(Session& session, const Asked& asked);
Reply confirm_payment(Session& session, const Asked& asked);
Reply capture_payment(Session& session, const Asked& asked);
Reply cancel_payment(Session& session, const Asked& asked);

// Where customers prove who they are, in the place of their bank's page.
inline constexpr std::string_view customers_path = "/v1/test_customers/{id}";
// The customer is back from where ask_customer() sent them: 303 to the return_url.
Reply customer_is_back(Session& session, const Asked& asked);

// What the ledger has of the payment's last attempt; nothing where there was none.
std::optional<Standing> standing_of(Session& session, const boost::json::object& intent);
// Brings the payment and its charge up to the ledger, saves both, and tells what has changed. The reason is
// for a payment that is canceled by it: by itself, if nobody asked for it.
void save_as_booked(Session& session, Document& intent, std::string_view key,
                    std::string_view cancellation_reason = "automatic");

// The payment as an answer; with what `expand` asks for.
Reply show(Session& session, const Document& intent, const Form& form);

// What the book has the payment under: our own reference in its metadata, or its id.
std::string reference_of(const boost::json::object& intent);

}  // namespace switchyard::psp_simulator::stripe
