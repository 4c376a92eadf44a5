// What Stripe shows: objects by their names, lists of them with the newest first, and the search, which is
// behind (Stripe API reference, Pagination; documentation, Search).
#pragma once

#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::stripe {

// How much later the search knows of a payment.
inline constexpr std::chrono::milliseconds search_lag{1'000};

Reply get_payment(Session& session, const Asked& asked);
Reply list_payments(Session& session, const Asked& asked);
Reply search_payments(Session& session, const Asked& asked);
Reply get_refund(Session& session, const Asked& asked);
Reply list_refunds(Session& session, const Asked& asked);
Reply get_charge(Session& session, const Asked& asked);
Reply list_charges(Session& session, const Asked& asked);
Reply get_event(Session& session, const Asked& asked);
Reply list_events(Session& session, const Asked& asked);

}  // namespace switchyard::psp_simulator::stripe
