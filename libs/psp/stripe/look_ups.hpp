// How Stripe is asked what became of an operation, and what its answer means. Pure.
//
// Under an Idempotency-Key Stripe does a request once and answers the same request as the first time, for at
// least 24 hours (Stripe API reference, Idempotent requests); later it would be a new one. So:
//  - What Stripe has named, and has not ended yet, is read by its name: under the key it would say for ever
//    what it said at first.
//  - Otherwise the same request goes out again under its key, while that is held for certain. If that does
//    not help a few times (Stripe keeps a 500, too), every second question is one of those below.
//  - After that a refund is looked for among the payment's refunds, an authorization among the payments
//    around the time at which it was sent, or by a search for its key. Neither is sent again: it would be one
//    more.
//  - A capture or void is read from the payment's status. Where the money is still held it was not done, and
//    it is sent again whatever has become of its key: a hold is captured or given back once at most.
// What a list or a search shows is a fact. What it does not show proves nothing: it shows one page, and a
// search is behind (Stripe documentation, Search). So it is never "no such operation": a person decides.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "http/async_client.hpp"
#include "payment/answer.hpp"
#include "payment/state_machine.hpp"

namespace switchyard::psp::stripe {

// An hour less than Stripe promises, for clocks that differ and for what is long under way.
inline constexpr std::chrono::hours key_held_for{23};

enum class Question {
  again,    // the same request under the same key
  payment,  // GET /v1/payment_intents/{id}
  refund,   // GET /v1/refunds/{id}
  refunds,  // GET /v1/refunds?payment_intent={id}
  list,     // GET /v1/payment_intents?created[gte]=...
  search,   // GET /v1/payment_intents/search?query=...
};

// Nothing: it is not known what to ask for.
std::optional<Question> choose_question(const payment::Step& step, Timestamp now);

// Of a question that is not `again`: what follows the base of Stripe's addresses.
std::string target_of(Question question, const payment::Step& step);

// The one that was asked.
Question question_in(const http::ClientRequest& asked, std::string_view base_url);

// What an answer to a request says of an operation that was sent before. That Stripe refuses the request now
// does not say that it did so at first.
payment::Found found_of(payment::Answer answer);

payment::Found read_look_up_answer(const payment::Step& step, Question asked, const http::CallResult& result);

}  // namespace switchyard::psp::stripe
