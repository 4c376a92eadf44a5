// Stripe's events (Stripe API reference, Events): made when something has come about, kept for GET
// /v1/events, and put up for the webhook.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>

#include "payment/operation.hpp"
#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::stripe {

inline constexpr std::string_view event_type = "event";

// `key`: of the request that led to it; empty if none did.
void tell(Session& session, std::string_view type, payment::Kind about, const boost::json::object& object,
          std::string_view reference, std::string_view key);

// The events of a payment whose status was `before`, and is what it shows now.
void tell_of_payment(Session& session, const Document& intent, const boost::json::object* charge,
                     std::string_view before, std::string_view key);

}  // namespace switchyard::psp_simulator::stripe
