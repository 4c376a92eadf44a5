// Stripe's errors: {"error":{"type","code","message","param",...}} (Stripe API reference, Errors). Pure.
#pragma once

#include <string_view>

#include <boost/json/object.hpp>

#include "psp-simulator/dialect/dialect.hpp"

namespace switchyard::psp_simulator::stripe {

struct ErrorWords {
  std::string_view type = "invalid_request_error";
  // Empty: none.
  std::string_view code{};
  std::string_view message{};
  std::string_view param{};
};

Reply error(unsigned status, const ErrorWords& words, boost::json::object more = {});

// A request that is not looked at further: it is not kept under its key.
Reply invalid(std::string_view code, std::string_view message, std::string_view param = {});
Reply missing(std::string_view param);
// No object of this name: 404 where the path names it, else 400.
Reply no_such(unsigned status, std::string_view what, std::string_view id, std::string_view param);
// What the payment's state does not allow; the payment stands in the error.
Reply unexpected_state(const boost::json::object& intent, std::string_view what);

// The members of a card_error with Stripe's most particular code; also the payment's last_payment_error.
boost::json::object card_error(std::string_view code, std::string_view charge_id);
// 402, with the payment.
Reply declined(boost::json::object card_error, const boost::json::object& intent);

}  // namespace switchyard::psp_simulator::stripe
