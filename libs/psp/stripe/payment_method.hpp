// What the customer pays with, as the merchant gave it for Stripe in Transaction::payment_method. Pure.
//
// | {"stripe":"pm_1"}                         | a card that is used once or belongs to nobody             |
// | {"stripe":{"payment_method":"pm_1",       | one that Stripe keeps with a customer, who is not there   |
// |   "customer":"cus_1","off_session":true}} |                                                           |
//
// A card that is kept with a customer is only charged with that customer's name. off_session says that the
// customer is not there: the merchant charges by an agreement, and Stripe tells the issuer so. Only the
// merchant knows that, so it is never concluded from a return_url that is missing.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "payment/answer.hpp"

namespace switchyard::psp::stripe {

// The member of Transaction::payment_method that is ours.
inline constexpr std::string_view adapter_name = "stripe";

struct PaymentMethod {
  std::string id{};
  // Empty where not given.
  std::string customer{};
  bool off_session = false;
};

// Rejected: it is not there, or not one of the forms above.
std::expected<PaymentMethod, payment::Rejected> read_payment_method(std::string_view by_adapter);

}  // namespace switchyard::psp::stripe
