#include "psp/stripe/stripe_protocol.hpp"

#include <gmock/gmock.h>

#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::Kind;
using payment::Phase;
using std::chrono::hours;
using ::testing::ElementsAre;
using ::testing::Not;

StripeProtocol protocol(std::string base_url = "http://127.0.0.1:12111//") {
  return StripeProtocol({.account = "acme", .secret_key = "sk_test_FAKE", .base_url = std::move(base_url)});
}

TEST(StripeProtocol, SendsTheStoredBytesUnderTheKey) {
  const std::pair<Kind, const char*> paths[] = {{Kind::authorize, "/v1/payment_intents"},
                                                {Kind::capture, "/v1/payment_intents/pi_1/capture"},
                                                {Kind::void_, "/v1/payment_intents/pi_1/cancel"},
                                                {Kind::refund, "/v1/refunds"}};
  for (const auto& [kind, path] : paths) {
    const auto request = protocol().send(sent_step(kind));
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.url, std::string("http://127.0.0.1:12111") + path);
    EXPECT_EQ(request.body, "what=was&stored");
    EXPECT_THAT(request.headers,
                ElementsAre("Authorization: Bearer sk_test_FAKE", "Stripe-Version: 2026-08-26.dahlia",
                            "Idempotency-Key: key-2", "Content-Type: application/x-www-form-urlencoded"));
    EXPECT_EQ(http::problem_of(request), "");
  }
}

TEST(StripeProtocol, EndsAPaymentThatWaitsForItsCustomer) {
  auto step = in_phase(sent_step(Kind::authorize), Phase::action_required);
  step.state.operations.back().psp_reference = "pi_9";
  const auto request = protocol().end(step);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://127.0.0.1:12111/v1/payment_intents/pi_9/cancel");
  EXPECT_EQ(request.body, "cancellation_reason=abandoned");
  EXPECT_THAT(request.headers, ::testing::Contains("Idempotency-Key: key-2-end"));
  const auto read = [&step](long status, std::string body) {
    return protocol().read_end(step, http::ClientResponse{.status = status, .body = std::move(body)});
  };
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(read(500, "{}")));
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(read(200, "<html>")));
  // That the request is refused says nothing of the payment.
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(
      read(404, R"({"error":{"type":"invalid_request_error","code":"resource_missing"}})")));
}

TEST(StripeProtocol, IsStripeUnlessSaidOtherwise) {
  EXPECT_EQ(StripeProtocol({.account = "acme"}).send(sent_step(Kind::authorize)).url,
            "https://api.stripe.com/v1/payment_intents");
  EXPECT_EQ(protocol().name(), "acme");
}

TEST(StripeProtocol, WhatIsStoredHoldsNoSecret) {
  for (const auto kind : kinds) {
    const auto step = sent_step(kind);
    const auto body = protocol().encode(step.state, step.operation());
    ASSERT_TRUE(body);
    EXPECT_THAT(*body, Not(HasSubstr("sk_test")));
    EXPECT_THAT(*body, Not(::testing::IsEmpty()));
  }
}

TEST(StripeProtocol, ALookUpIsTheSameRequestOrAQuestion) {
  auto step = in_phase(sent_step(Kind::refund), Phase::unknown);
  const auto again = protocol().look_up(step, sent_at + hours(1));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->body, protocol().send(step).body);
  EXPECT_EQ(again->url, protocol().send(step).url);
  EXPECT_EQ(again->headers, protocol().send(step).headers);
  const auto question = protocol().look_up(step, sent_at + hours(23));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->method, "GET");
  EXPECT_EQ(question->url, "http://127.0.0.1:12111/v1/refunds?payment_intent=pi_1&limit=100");
  EXPECT_EQ(question->body, "");
  EXPECT_THAT(question->headers,
              ElementsAre("Authorization: Bearer sk_test_FAKE", "Stripe-Version: 2026-08-26.dahlia"));
  EXPECT_EQ(http::problem_of(*question), "");
  step.state.operations[0].psp_reference = "";
  EXPECT_FALSE(protocol().look_up(step, sent_at + hours(48)));
}

// It would be a second one, if Stripe has forgotten the key.
TEST(StripeProtocol, ByAClockThatIsWrongNothingIsSentAgain) {
  for (const auto kind : kinds) {
    const auto step = in_phase(sent_step(kind), Phase::unknown);
    for (const auto now : {sent_at - std::chrono::milliseconds(1), Timestamp(),
                           sent_at + hours(23) - std::chrono::minutes(4)}) {
      const auto question = protocol().look_up(step, now);
      EXPECT_TRUE(!question || question->method == "GET") << to_string(kind);
    }
  }
}

TEST(StripeProtocol, TheAnswerIsReadByWhatWasAsked) {
  const auto step = in_phase(sent_step(Kind::refund), Phase::unknown);
  const auto again = *protocol().look_up(step, sent_at);
  EXPECT_TRUE(is<payment::Succeeded>(protocol().read_look_up(step, again, answer_with(200, text(refund())))));
  const auto list = *protocol().look_up(step, sent_at + hours(48));
  const auto body = R"({"object":"list","has_more":false,"data":[)" + text(refund()) + "]}";
  EXPECT_TRUE(is<payment::Succeeded>(protocol().read_look_up(step, list, answer_with(200, body))));
  EXPECT_TRUE(is<payment::OutcomeUnknown>(protocol().read_look_up(step, again, answer_with(200, body))));
  EXPECT_TRUE(is<payment::Succeeded>(protocol().read(step, answer_with(200, text(refund())))));
}

TEST(StripeProtocol, SaysWhatItCanDo) {
  const auto can = protocol().capabilities();
  EXPECT_EQ(can.look_up, LookUp::by_key);
  EXPECT_EQ(can.key_held_for, hours(23));
  EXPECT_TRUE(can.partial_capture && can.late_results);
  EXPECT_FALSE(can.several_captures);
}

}  // namespace
}  // namespace switchyard::psp::stripe
