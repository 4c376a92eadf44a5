// What Stripe is sent: forms (Stripe API reference, PaymentIntents and Refunds). Pure.
//
// | authorize | POST /v1/payment_intents              | amount, currency, confirm, capture_method, card  |
// | capture   | POST /v1/payment_intents/{id}/capture | amount_to_capture; what is left is released      |
// | void      | POST /v1/payment_intents/{id}/cancel  |                                                  |
// | refund    | POST /v1/refunds                      | payment_intent, amount                           |
//
// Each but a void, which takes none, carries metadata with our reference and the operation's idempotency key.
// {id} is Stripe's name of the payment: what the authorization was answered with.
//
// Where the merchant gave a return_url, the customer may be asked (3-D Secure). Without one Stripe is told to
// decline instead (error_on_requires_action): nobody could send the customer anywhere.
#pragma once

#include <expected>
#include <string>

#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::stripe {

// Rejected: what Stripe could not take, or we cannot say what it would do with it.
std::expected<std::string, payment::Rejected> encode(const payment::State& state,
                                                     const payment::Operation& operation);

std::string path_of(const payment::Step& step);

// Of the request that ends an authorization which waits for its customer (PaymentIntents, Cancel).
std::string end_path_of(const payment::Step& step);
inline constexpr std::string_view end_request = "cancellation_reason=abandoned";

// Stripe's name of the payment that the transaction is; empty if it is not known.
std::string payment_id_of(const payment::State& state);

}  // namespace switchyard::psp::stripe
