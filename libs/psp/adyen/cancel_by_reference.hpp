// Ends an authorization whose outcome nobody knows, or that waits for a customer who cannot be asked, by the
// reference that it was sent with: Adyen then lets go of whatever there is (Adyen, Checkout API v71, POST
// /cancels; within 24 hours of the authorization). To be done before another PSP is tried.
//
// The result comes as TECHNICAL_CANCEL: of kind void_, with the authorization's key and, as Notice::payment,
// what Adyen calls the payment. success false says that there was nothing to cancel, or that it was captured.
#pragma once

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/adyen/answer_headers.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp::adyen {

// The step's operation is the authorization. Always the same request for the same one: it may be sent again.
http::ClientRequest cancel_by_reference(const Settings& settings, const payment::Step& step);

// Pending, with Adyen's name for the cancel, if it was received; the others as in answers.hpp.
payment::Answer read_cancel_by_reference(const Settings& settings, const payment::Step& step,
                                         const http::CallResult& result, const AnswerHeaders& headers);

}  // namespace switchyard::psp::adyen
