// Adyen's payments (Adyen, Checkout API v71): made, and gone on with when the customer is back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "psp-simulator/dialect/dialect.hpp"
#include "psp/simulator/book.hpp"

namespace switchyard::psp_simulator::adyen {

inline constexpr std::string_view payment_type = "payment";
// Where customers prove who they are, in the place of their bank's page.
inline constexpr std::string_view customers_path = "/v71/test_customers/{id}";

Reply make_payment(Session& session, const Asked& asked);
// What the merchant account takes: POST /paymentMethods, which moves nothing.
Reply list_payment_methods(Session& session, const Asked& asked);
Reply add_details(Session& session, const Asked& asked);
Reply customer_is_back(Session& session, const Asked& asked);

// Tells of a payment that has come to something by itself.
void settle_payment(Session& session, Document payment);

// --- For modifications -------------------------------------------------------------------------

// The body as an object; nothing if it is none.
std::optional<boost::json::object> read_body(std::string_view body);
// {"currency", "value"} in Adyen's unit.
boost::json::object amount_of(Money money);
// Nothing if it is not there, or no amount above 0 that Adyen knows.
std::optional<Money> read_amount(const boost::json::object& body);
// What the book has a payment under: our reference in the merchant's, or the merchant's, or Adyen's own.
std::string book_reference_of(const Document& payment);
// Of the payment in the ledger; nothing where the customer is still to come.
std::optional<psp::simulator::Charge> charge_of(Session& session, const Document& payment);

}  // namespace switchyard::psp_simulator::adyen
