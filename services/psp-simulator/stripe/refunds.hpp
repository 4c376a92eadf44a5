// Stripe's Refunds (Stripe API reference).
#pragma once

#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::stripe {

Reply create_refund(Session& session, const Asked& asked);

// Tells of a refund that has come to something by itself.
void settle_refund(Session& session, Document refund);

}  // namespace switchyard::psp_simulator::stripe
