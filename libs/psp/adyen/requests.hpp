// What Adyen is sent (Adyen, Checkout API v71). Pure.
//
// | operation | path                                     | members of the body                             |
// |-----------|------------------------------------------|-------------------------------------------------|
// | authorize | /payments                                | merchantAccount, reference, amount,             |
// |           |                                          |   paymentMethod and its own                     |
// |           |                                          |   (payment_method.hpp), returnUrl, and one of   |
// |           |                                          |   the two below                                 |
// | capture   | /payments/{paymentPspReference}/captures | merchantAccount, amount, reference              |
// | void      | /payments/{paymentPspReference}/cancels  | merchantAccount, reference                      |
// | refund    | /payments/{paymentPspReference}/refunds  | merchantAccount, amount, reference              |
//
// Manual capture is additionalData.manualCapture "true", a text. Automatic capture is captureDelayHours 0:
// the account's own setting may be a delay, or manual, and an Authorised would then be no more than a hold.
#pragma once

#include <expected>
#include <string>

#include "http/client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp::adyen {

// The JSON of the operation. Written once and stored: these bytes stay.
//
// Rejected: an amount that Adyen cannot be asked for, or of nothing; what cannot be paid with; a capture that
// is not final, where the account has only one; a payment whose name at Adyen is not known.
std::expected<std::string, payment::Rejected> encode(const Settings& settings, const payment::State& state,
                                                     const payment::Operation& operation);

// The request with the stored body, the API key and the Idempotency-Key.
http::ClientRequest request_of(const Settings& settings, const payment::Step& step);

// POST to a path below the base address.
http::ClientRequest post(const Settings& settings, std::string_view path, std::string body,
                         std::string_view header_key);

// What Adyen called the payment that an operation belongs to; empty where that is not known.
std::string payment_psp_reference(const payment::State& state);

}  // namespace switchyard::psp::adyen
