// What the answers of psp-simulator mean. Pure, so that the whole table is a unit test.
//
// | answer to what was sent                                | means                              |
// |--------------------------------------------------------|------------------------------------|
// | 200, 201 that says what was asked                      | Succeeded, Declined, Pending       |
// | 200, 201 of another reference, key, kind, charge or    | Contradicted (report.hpp); another |
// |   method, or with a number that is no amount           |   amount is found by the machine   |
// | 400, 401, 403, 404, 405, 413, 415, 431                 | Rejected: refused as it was read   |
// | 422 to a capture, void or refund, with a code for what | Declined                           |
// |   the charge does not allow (outcomes.hpp)             |                                    |
// | 429                                                    | NotSent: turned away unread        |
// | one of these whose body speaks of a charge             | OutcomeUnknown: it is looked up    |
// | any other status, an answer that cannot be read, none  | OutcomeUnknown                     |
// | no byte of the request left                            | NotSent                            |
//
// 409 and any other 422 are unknown: there may be something under this key. 5xx, too: it may have come after
// it. A refusal of the second sending of an operation says nothing about the first one, which the state
// machine knows. A look-up is believed only as 200 with a whole list: a 404 may be a router's.
#pragma once

#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::simulator {

payment::Answer read_answer(const payment::Step& step, const http::CallResult& result);

payment::Found read_look_up_answer(const payment::Step& step, const http::CallResult& result);

}  // namespace switchyard::psp::simulator
