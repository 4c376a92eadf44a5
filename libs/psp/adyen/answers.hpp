// What the answers of Adyen mean. Pure, so that the whole table is a unit test.
//
// To POST /payments, 200 or 201, by resultCode (outcomes.hpp):
//
// | Authorised                        | Succeeded: held, or taken where the transaction captures by itself |
// | Refused, Cancelled, Error         | Declined, with the reason of refusalReasonCode (refusals.hpp)      |
// | Pending, Received                 | Pending: AUTHORISATION says what came of it (events.hpp)           |
// | RedirectShopper, IdentifyShopper, | ActionRequired; with the address where it can simply be opened and |
// |   ChallengeShopper,               |   the merchant gave a return_url                                   |
// |   PresentToShopper                |                                                                    |
// | PartiallyAuthorised and others    | Contradicted: not what was asked for, a person looks               |
// |   that are never asked for        |                                                                    |
// | any other                         | OutcomeUnknown                                                     |
//
// ActionRequired without an address: the customer cannot be asked, and the payment stays open at Adyen.
// Whoever gives it up cancels it by reference first (cancel_by_reference.hpp); an AUTHORISATION may still
// come.
//
// To a modification, 200 or 201 with status "received": Pending. Its result, even that it was not possible,
// comes as an event.
//
// | another reference, payment, account or key; an amount that is none | Contradicted                      |
// |   of ours                                                          |                                   |
// | an answer that does not say what it must, or has a wrong type      | OutcomeUnknown                    |
// | the header transient-error: true, whatever else it says            | OutcomeUnknown: nothing is final, |
// |                                                                    |   it is sent again                |
// | errors 703 and 704, 409, 5xx, any other status, no answer          | OutcomeUnknown                    |
// | 422 with error 101 or 103 to a payment                             | Declined: the customer mends it   |
// | any other 422 with an error code, 400, 401, 403, 404               | Rejected                          |
// | one of these that speaks of a payment                              | OutcomeUnknown                    |
// | 429                                                                | NotSent: turned away unread       |
// | no byte of the request left                                        | NotSent                           |
//
// An outcome that is unknown is learned by sending the same again under the same key. The answer to that is
// believed as the first one would have been, but for two things: a 2xx without the header of our key may be
// of a second payment (Contradicted); and an error says something about the first time only with that header.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/adyen/answer_headers.hpp"
#include "psp/adyen/report.hpp"
#include "psp/adyen/settings.hpp"

namespace switchyard::psp::adyen {

payment::Answer read_answer(const Settings& settings, const payment::Step& step,
                            const http::CallResult& result, const AnswerHeaders& headers);

// What the answer to a later request about the payment says of it. That Adyen refuses the request says
// nothing.
payment::Found found_of(payment::Answer answer);

// The payment in Adyen's report.
payment::Answer read_payment(const payment::Step& step, const Report& report);

// To the same request, sent again.
payment::Found read_answer_to_resend(const Settings& settings, const payment::Step& step,
                                     const http::CallResult& result, const AnswerHeaders& headers);

// --- For whatever is sent to Adyen -------------------------------------------------------------

struct Sent {
  // The Idempotency-Key.
  std::string header_key;
  // Whether the customer's data went with it, and may be what is wrong.
  bool is_payment = false;
};
// The body of a success; or what the answer means where it is none, or of another key.
std::expected<Report, payment::Answer> read_success(const Sent& sent, const http::CallResult& result,
                                                    const AnswerHeaders& headers);

// What Adyen says of something, and what was asked for.
struct Fact {
  std::string_view name;
  std::string_view said;
  std::string_view asked;
};
// Contradicted where something is said that was not asked for, else Pending if the modification is
// "received".
payment::Answer read_modification(const Report& report, std::span<const Fact> facts);

}  // namespace switchyard::psp::adyen
