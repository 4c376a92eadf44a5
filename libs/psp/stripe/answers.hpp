// What Stripe's answer to a request means (Stripe API reference, Errors; documentation, "Error codes"). Pure.
//
// | answer                                             | means                                              |
// |----------------------------------------------------|----------------------------------------------------|
// | 200 with the object that was asked for             | what its status says (outcomes.hpp)                |
// | 400, 402 card_error                                | Declined                                           |
// | 400 with a code of error_table                     | see there                                          |
// | 400 for a refund above what is left                | as charge_already_refunded                         |
// | 400 idempotency_error: our key with another body   | OutcomeUnknown: something is there under our key   |
// | 400, 404, 422 with any other error of Stripe's     | Rejected: ours to mend                             |
// | 401, 403                                           | Rejected: our key or its rights                    |
// | 409 idempotency_key_in_use, any 409                | OutcomeUnknown: the first request still runs       |
// | 429, also lock_timeout                             | NotSent: turned away unread                        |
// | one of these about another's payment               | Contradicted                                       |
// | any other status, an answer that cannot be read    | OutcomeUnknown: it may have been done              |
// | none, and no byte of the request left              | NotSent                                            |
//
// 400, 402, 404 and 422 are believed only with an error of Stripe's in the body, 401 and 403 with no body,
// too: a page of HTML is of somebody in between, who may have kept Stripe's answer. Stripe's words are for
// people and never decide. Of 401 and 403 they are left out: they repeat a part of the secret key.
#pragma once

#include <array>
#include <string_view>

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::stripe {

enum class ErrorMeaning {
  // The payment is not in the state that the request needs, and stands in the error: its status tells.
  follow_payment,
  // The hold is gone, if the payment in the error does not say otherwise: Declined, and nothing is held.
  hold_is_over,
  // Declined in answer to the first sending. Later it may be our own refund that has left nothing: it is
  // looked up.
  nothing_left,
  // Declined.
  refund_refused,
};

struct ErrorRow {
  std::string_view code;
  ErrorMeaning meaning;
};

// Values of error.code that are no fault of the request.
inline constexpr auto error_table = std::to_array<ErrorRow>({
    {"capture_charge_authorization_expired", ErrorMeaning::hold_is_over},
    {"charge_already_refunded", ErrorMeaning::nothing_left},
    {"charge_disputed", ErrorMeaning::refund_refused},
    {"charge_expired_for_capture", ErrorMeaning::hold_is_over},
    {"charge_not_refundable", ErrorMeaning::refund_refused},
    {"payment_intent_unexpected_state", ErrorMeaning::follow_payment},
    {"refund_disputed_payment", ErrorMeaning::refund_refused},
});

payment::Answer read_answer(const payment::Step& step, const http::CallResult& result);

// Why a status and a body that are no good answer are none, in words for people.
std::string reason_of_status(long status, std::string_view body);

}  // namespace switchyard::psp::stripe
