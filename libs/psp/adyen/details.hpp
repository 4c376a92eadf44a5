// What the customer brought back from the page that Adyen sent them to, and how Adyen takes it (Checkout API
// v71, POST /payments/details). The answer is the payment's. Pure.
//
// Sent again, it is the same request under the same key; another that the merchant says later has another
// key.
#pragma once

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/adyen/answer_headers.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp::adyen {

bool brings_details(const payment::Operation& operation);
// brings_details() holds.
http::ClientRequest details_of(const Settings& settings, const payment::Step& step);
payment::Found read_details(const payment::Step& step, const http::CallResult& result,
                            const AnswerHeaders& headers);

}  // namespace switchyard::psp::adyen
