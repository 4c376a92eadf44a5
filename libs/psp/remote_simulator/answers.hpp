// What the answers of psp-simulator mean. Pure, so that the whole table is a unit test.
//
// | answer to POST /charges                                    | outcome                           |
// |------------------------------------------------------------|-----------------------------------|
// | 200, 201 that says what was asked, approved or declined    | Approved, Declined                |
// | 400, 401, 403, 404, 405, 413, 415, 429, 431                | NotSent: refused as it was read,  |
// |                                                            | before anything could be charged  |
// | one of these whose body speaks of a charge                 | OutcomeUnknown: it is looked up   |
// | 200, 201 that says another amount, currency, reference ... | Contradicted (psp/charge.hpp)     |
// | any other status, an answer that cannot be read, none      | OutcomeUnknown                    |
// | no byte of the request left                                | NotSent                           |
//
// 409 and 422 are unknown: there may be a charge under this key. 5xx, too: it may have come after the charge.
// A refusal of the second sending of an attempt says nothing about the first one, which the state machine
// knows. A look-up is believed only as 200 with a whole list: a 404 may be a router's.
#pragma once

#include "http/async_client.hpp"
#include "psp/adapter.hpp"

namespace switchyard::psp::remote_simulator {

payment::Outcome read_authorize_answer(const http::CallResult& answer, const AuthorizeRequest& request);

LookUpResult read_look_up_answer(const http::CallResult& answer, const AuthorizeRequest& request);

}  // namespace switchyard::psp::remote_simulator
