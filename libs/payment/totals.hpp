// What an operation does to the money of its transaction: the one table of kind and result.
#pragma once

#include "payment/operation.hpp"

namespace switchyard::payment {

// | kind                    | succeeded                                  | taken back           |
// |-------------------------|--------------------------------------------|----------------------|
// | authorize, manual       | authorized + amount, held + amount         | both - amount        |
// | authorize, automatic    | authorized + amount, captured + amount     | both - amount        |
// | capture                 | captured + amount, held - amount (final: 0)| captured - amount    |
// | void                    | held 0                                     | held + amount        |
// | refund                  | refunded + amount                          | refunded - amount    |
//
// Any other result moves nothing; held never falls below 0: a final capture that overtakes a pending one has
// released it all. The invariants of the totals are asserted by whoever writes them.
void book(Transaction& transaction, const Operation& succeeded);

// False, and nothing is changed, if totals would not be in order any more, or would not be when the refunds
// that are open succeed: then they stay as they were, for a person.
bool take_back(State& state, const Operation& operation);
// Nothing is held any more, whoever let go of it; what was captured stays.
void release(Transaction& transaction);
// What was taken back has happened after all. What of a hold a capture used was never given back.
void put_back(Transaction& transaction, const Operation& operation);

// 0 <= refunded <= captured, captured + held <= authorized <= amount.
bool totals_are_in_order(const Transaction& transaction);

// Whether all that is open may succeed, and the totals would still be in order. request() lets no more in
// than that; what ended without money, and is for a person since, is in addition.
bool leaves_room_for_open(const State& state);

// What of the hold can still be captured, and what of the captured money can still be given back, when all
// that is open is counted as done. Never below 0.
std::int64_t left_to_capture(const State& state);
std::int64_t left_to_refund(const State& state);

}  // namespace switchyard::payment
