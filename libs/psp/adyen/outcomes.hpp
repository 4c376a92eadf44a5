// What Adyen's words for an outcome mean to us: resultCode of a payment, errorCode of an error.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace switchyard::psp::adyen {

enum class Result {
  authorised,
  refused,
  cancelled,  // the customer gave up
  error,      // at the acquirer; nothing was taken
  waiting,    // AUTHORISATION will say
  action,     // the customer is to do something
  not_ours,   // the answer to something that is never asked: a person looks
};

struct ResultCode {
  std::string_view code;
  Result result;
};

// Source: Adyen, Checkout API v71, POST /payments, resultCode. One that is not here is unknown.
inline constexpr auto result_codes = std::to_array<ResultCode>({
    {"Authorised", Result::authorised},
    {"Refused", Result::refused},
    {"Cancelled", Result::cancelled},
    {"Error", Result::error},
    {"Pending", Result::waiting},
    {"Received", Result::waiting},
    {"RedirectShopper", Result::action},
    {"IdentifyShopper", Result::action},
    {"ChallengeShopper", Result::action},
    {"PresentToShopper", Result::action},
    // A part of an order, of gift cards.
    {"PartiallyAuthorised", Result::not_ours},
    {"AuthenticationFinished", Result::not_ours},
    {"AuthenticationNotRequired", Result::not_ours},
    {"Success", Result::not_ours},
});

constexpr const ResultCode* find_result_code(std::string_view code) {
  const auto* const found = std::ranges::find(result_codes, code, &ResultCode::code);
  return found == result_codes.end() ? nullptr : found;
}

enum class Fault {
  ours,      // what we send, or our configuration
  customer,  // what the customer typed
  not_yet,   // the same request is to be sent again later
};

struct ErrorCode {
  std::string_view code;
  // Where Adyen gives no message.
  std::string_view message;
  Fault fault;
};

// Source: Adyen, Development resources, "Error codes", of those that these requests can meet. Any other is
// ours.
inline constexpr auto error_codes = std::to_array<ErrorCode>({
    {"000", "unknown", Fault::ours},
    {"010", "not allowed", Fault::ours},
    {"100", "no amount specified", Fault::ours},
    {"101", "invalid card number", Fault::customer},
    {"102", "unable to determine the type of the card", Fault::ours},
    {"103", "CVC is not the right length", Fault::customer},
    {"104", "billing address problem", Fault::ours},
    {"130", "reference missing", Fault::ours},
    {"14_030", "returnUrl missing", Fault::ours},
    {"167", "original pspReference required for this operation", Fault::ours},
    {"177", "invalid metadata", Fault::ours},
    {"702", "the request cannot be parsed", Fault::ours},
    {"703", "a needed resource is temporarily unavailable", Fault::not_yet},
    {"704", "the request is already processed or in progress", Fault::not_yet},
    {"800", "contract not found", Fault::ours},
    {"901", "invalid merchant account", Fault::ours},
    {"905", "payment details are not supported", Fault::ours},
});

constexpr const ErrorCode* find_error_code(std::string_view code) {
  const auto* const found = std::ranges::find(error_codes, code, &ErrorCode::code);
  return found == error_codes.end() ? nullptr : found;
}

}  // namespace switchyard::psp::adyen
