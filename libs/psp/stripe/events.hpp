// What a webhook's event says (Stripe API reference, Events; documentation, "Types of events"). Pure.
//
// Events come late, twice and in any order, and as the object was then: what concerns an operation of ours is
// asked for at Stripe, and the event only says that it is time to.
//
// | type                                                      | notice                                   |
// |-----------------------------------------------------------|------------------------------------------|
// | payment_intent.succeeded, .amount_capturable_updated      | Happened                                 |
// | payment_intent.processing, .requires_action               | AskAgain                                 |
// | payment_intent.payment_failed                             | TryFailed                                |
// | payment_intent.canceled                                   | CameToNothing                            |
// | charge.captured, charge.refunded                          | AskAgain                                 |
// | refund.created, refund.updated, charge.refund.updated     | AskAgain; Happened where it succeeded,   |
// |                                                           |   TakenBack where it failed              |
// | refund.failed                                             | TakenBack; Attention where it does not   |
// |                                                           |   say of how much                        |
// | charge.expired                                            | HoldExpired                              |
// | charge.dispute.funds_withdrawn                            | ChargedBack                              |
// | charge.dispute.created, .closed, .funds_reinstated        | Attention                                |
// | any other                                                 | Ignored                                  |
//
// The operation is found by the metadata that went with it. Where the object has none of its own, there is
// the key of the request that led to the event; that may be one of the dashboard's, which is none of ours.
// What is read has had one form in all versions of the API, so that an endpoint of another version than ours
// is no harm.
#pragma once

#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include "psp/webhook.hpp"

namespace switchyard::psp::stripe {

// The body must be known to be Stripe's (signature.hpp). `is_live`: whether real money is meant; an event of
// the other kind is Ignored. Empty if that is not known.
std::expected<std::vector<Notice>, EventRefusal> read_event(std::string_view body,
                                                            std::optional<bool> is_live);

}  // namespace switchyard::psp::stripe
