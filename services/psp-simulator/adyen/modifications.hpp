// What is asked for of Adyen's payments later (Adyen, Checkout API v71, Modifications): each is "received",
// and a webhook tells what came of it.
#pragma once

#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::adyen {

inline constexpr std::string_view modification_type = "modification";

Reply capture_payment(Session& session, const Asked& asked);
Reply cancel_payment(Session& session, const Asked& asked);
Reply refund_payment(Session& session, const Asked& asked);
// Gives back what was taken, or else lets go of what is held.
Reply reverse_payment(Session& session, const Asked& asked);
// Of whatever was paid under the merchant's reference in the last day.
Reply cancel_by_reference(Session& session, const Asked& asked);

// Tells of a modification that has come to something by itself.
void settle_modification(Session& session, Document modification);

}  // namespace switchyard::psp_simulator::adyen
