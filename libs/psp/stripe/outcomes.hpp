// What Stripe's objects mean for the operation that was asked for, and what of it is believed. Pure.
//
// A payment is ours only if its reference and key are, its amount and currency and whether its money is taken
// or only held; a capture or void only if it is of the payment that was authorized. One that says something
// else is Contradicted, one that leaves out what must be there OutcomeUnknown. How much was held, taken or
// given back is passed on, and held against what was asked by the machine (payment/answer.hpp).
//
// Stripe API reference, PaymentIntent object, status:
//
// | status                  | authorize                      | capture              | void                  |
// |-------------------------|--------------------------------|----------------------|-----------------------|
// | succeeded               | Succeeded; Contradicted where  | Succeeded if it is   | Contradicted: taken   |
// |                         |   it was only to be held       |   under our key      |   by somebody         |
// | requires_capture        | Succeeded, if it is to be held | nothing was done     | nothing was done      |
// | processing              | Pending                        | Pending              | OutcomeUnknown        |
// | requires_action         | ActionRequired                 | OutcomeUnknown       | OutcomeUnknown        |
// | requires_payment_method | Declined, if it was tried      | OutcomeUnknown       | OutcomeUnknown        |
// | requires_confirmation   | OutcomeUnknown                 | OutcomeUnknown       | OutcomeUnknown        |
// | canceled                | Declined                       | Declined: not held   | Succeeded             |
//
// Refund object, status: succeeded; pending and requires_action are Pending; failed and canceled Declined.
#pragma once

#include <optional>

#include "payment/answer.hpp"
#include "payment/state_machine.hpp"
#include "psp/stripe/objects.hpp"

namespace switchyard::psp::stripe {

enum class Told {
  in_answer,  // to the very request: what it says was done by it
  when_read,  // by itself: somebody else may have done it
};

// To an authorization, a capture or a void.
payment::Found believe(const Intent& intent, const payment::Step& step, Told told);
// To a refund.
payment::Found believe(const Refund& refund, const payment::Step& step);

// Contradicted or OutcomeUnknown if the payment is not the one that the step is about; nothing if it is.
std::optional<payment::Found> why_not_ours(const Intent& intent, const payment::Step& step);

// Whether money is held or taken, or soon may be.
bool may_have_money(const Intent& intent);

}  // namespace switchyard::psp::stripe
