// The body of an answer of Adyen, as far as it is understood here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "psp/adyen/members.hpp"

namespace switchyard::psp::adyen {

// Empty what is not said. Payments, modifications and errors have some members each.
struct Report {
  std::string psp_reference;
  std::optional<Amount> amount;

  // Of a payment.
  std::string result_code;
  std::string merchant_reference;
  std::string refusal_reason;
  std::string refusal_reason_code;
  // Where the customer is to be sent, if that is an address that can simply be opened.
  std::string redirect_url;

  // Of a modification.
  std::string status;
  std::string reference;
  std::string merchant_account;
  std::string payment_psp_reference;
  std::string payment_reference;

  // Of an error.
  std::string error_code;
  std::string message;
};

// Nothing if it is no JSON object, or a member has a wrong type: an amount that is a text or a fraction, say.
std::optional<Report> read_report(std::string_view body);

}  // namespace switchyard::psp::adyen
