// Adyen's standard webhook (Adyen, Webhooks API v1; Development resources, "Verify HMAC signatures").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "psp-simulator/dialect/dialect.hpp"
#include "token/hmac_sha256.hpp"

namespace switchyard::psp_simulator::adyen {

struct Notification {
  std::string_view event_code;
  bool is_success = true;
  // Of the payment, or of the modification that it is about.
  std::string psp_reference;
  // Of the modification's payment; empty for the payment itself.
  std::string original_reference{};
  std::string merchant_reference;
  std::string merchant_account;
  // "visa", say.
  std::string payment_method;
  boost::json::object amount;
  // Why it is no success.
  std::string reason{};
  // Of CANCEL_OR_REFUND: "cancel" or "refund".
  std::string_view action{};
};

// Puts it up to be sent. `reference`: the book's name of the payment.
void notify(Session& session, payment::Kind about, std::string_view reference,
            const Notification& notification);

// The body that goes out, with its item signed; `event` is what notify() put up.
std::string signed_body(std::string_view event, const token::HmacSha256& key);

}  // namespace switchyard::psp_simulator::adyen
