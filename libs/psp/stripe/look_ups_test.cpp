#include "psp/stripe/look_ups.hpp"

#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>

#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::ActionRequired;
using payment::CaptureMethod;
using payment::Contradicted;
using payment::Declined;
using payment::Found;
using payment::Kind;
using payment::NoSuchOperation;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::Succeeded;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::string_view base = "https://api.stripe.com";

payment::Step unknown_step(Kind kind, std::int32_t look_ups = 0) {
  auto step = in_phase(sent_step(kind), Phase::unknown);
  step.state.operations[step.index].look_ups = look_ups;
  return step;
}

Question question(const payment::Step& step, std::chrono::milliseconds after) {
  return choose_question(step, sent_at + after).value();
}

Found looked_up(const payment::Step& step, Question asked, const std::string& body, long status = 200) {
  return read_look_up_answer(step, asked, answer_with(status, body));
}
Found looked_up(Kind kind, Question asked, const boost::json::object& object) {
  return looked_up(unknown_step(kind), asked, text(object));
}

std::string list_of(const std::vector<boost::json::object>& objects, bool has_more = false) {
  std::string items;
  for (const auto& object : objects) items += (items.empty() ? "" : ",") + text(object);
  return fmt::format(R"({{"object":"list","url":"/v1/x","data":[{}],"has_more":{}}})", items, has_more);
}

// --- What is asked -------------------------------------------------------------------------------

TEST(StripeLookUp, WhileTheKeyIsHeldTheSameRequestGoesOutAgain) {
  for (const auto kind : kinds) {
    for (const auto after : {hours(0), hours(1), hours(22)}) {
      EXPECT_EQ(question(unknown_step(kind), after), Question::again);
    }
  }
}

// Nor by a clock that is wrong, by which it is yet to be sent: Stripe may have forgotten the key long ago.
TEST(StripeLookUp, AfterThatNothingIsSentAgain) {
  for (const auto after : {hours(23), hours(24), hours(24 * 365), hours(-1)}) {
    EXPECT_EQ(question(unknown_step(Kind::authorize), after), Question::list);
    EXPECT_EQ(question(unknown_step(Kind::capture), after), Question::payment);
    EXPECT_EQ(question(unknown_step(Kind::void_), after), Question::payment);
    EXPECT_EQ(question(unknown_step(Kind::refund), after), Question::refunds);
  }
}

// Stripe keeps a 500 under the key, too: asking in no other way would give it for ever.
TEST(StripeLookUp, WhatSendingAgainDoesNotTellIsAskedForInTurn) {
  const auto asked = [](Kind kind, hours after) {
    std::vector<Question> questions;
    for (std::int32_t i = 0; i < 10; ++i) questions.push_back(question(unknown_step(kind, i), after));
    return questions;
  };
  using enum Question;
  EXPECT_THAT(asked(Kind::authorize, hours(1)),
              ::testing::ElementsAre(again, again, again, again, list, again, search, again, list, again));
  EXPECT_THAT(asked(Kind::refund, hours(1)), ::testing::ElementsAre(again, again, again, again, refunds,
                                                                    again, refunds, again, refunds, again));
  EXPECT_THAT(asked(Kind::authorize, hours(30)),
              ::testing::ElementsAre(list, list, search, search, list, list, search, search, list, list));
}

// Under the key Stripe would answer for ever that it is pending.
TEST(StripeLookUp, WhatStripeHasTakenIsReadByItsName) {
  for (const auto phase : {Phase::pending, Phase::action_required, Phase::unknown}) {
    EXPECT_EQ(question(in_phase(sent_step(Kind::authorize), phase, "pi_1"), hours(0)), Question::payment);
    EXPECT_EQ(question(in_phase(sent_step(Kind::capture), phase, "pi_1"), hours(0)), Question::payment);
    EXPECT_EQ(question(in_phase(sent_step(Kind::refund), phase, "re_1"), hours(0)), Question::refund);
  }
  EXPECT_EQ(question(in_phase(sent_step(Kind::refund), Phase::pending), hours(0)), Question::refunds);
}

TEST(StripeLookUp, ARequestThatNobodyWroteDownIsNotSentAgain) {
  auto step = unknown_step(Kind::authorize);
  step.state.operations[0].request.clear();
  EXPECT_EQ(question(step, hours(0)), Question::list);
  step = unknown_step(Kind::authorize);
  step.state.operations[0].sent_at.reset();
  EXPECT_EQ(question(step, hours(0)), Question::list);
}

TEST(StripeLookUp, OfAPaymentWithoutANameNothingCanBeAsked) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    auto step = unknown_step(kind);
    step.state.operations[0].psp_reference = "";
    EXPECT_EQ(choose_question(step, sent_at + hours(48)), std::nullopt);
  }
}

TEST(StripeLookUp, QuestionsAreKnownAgainByTheirAddress) {
  const auto authorize = in_phase(sent_step(Kind::authorize), Phase::unknown, "pi_9");
  const auto named_refund = in_phase(sent_step(Kind::refund), Phase::pending, "re_9");
  const std::tuple<Question, payment::Step, const char*> questions[] = {
      {Question::payment, authorize, "/v1/payment_intents/pi_9"},
      {Question::payment, unknown_step(Kind::capture), "/v1/payment_intents/pi_1"},
      {Question::payment, unknown_step(Kind::void_), "/v1/payment_intents/pi_1"},
      {Question::refund, named_refund, "/v1/refunds/re_9"},
      {Question::refunds, unknown_step(Kind::refund), "/v1/refunds?payment_intent=pi_1&limit=100"},
      {Question::list, unknown_step(Kind::authorize),
       "/v1/payment_intents?created%5Bgte%5D=1759999700&created%5Blte%5D=1760001800&limit=50"},
      {Question::search, unknown_step(Kind::authorize),
       "/v1/payment_intents/search?query=metadata%5B%27switchyard_key%27%5D%3A%27key-2%27&limit=50"}};
  for (const auto& [asked, step, target] : questions) {
    EXPECT_EQ(target_of(asked, step), target);
    const http::ClientRequest request{.url = std::string(base) + target, .body = {}, .headers = {}};
    EXPECT_EQ(question_in(request, base), asked) << target;
  }
  EXPECT_EQ(
      question_in({.method = "POST", .url = "https://api.stripe.com/v1/refunds", .body = {}, .headers = {}},
                  base),
      Question::again);
  EXPECT_EQ(question_in({.url = "", .body = {}, .headers = {}}, base), Question::payment);
}

// --- To the same request -------------------------------------------------------------------------

TEST(StripeLookUp, TheAnswerToTheSameRequestIsTheTruth) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<Succeeded>(looked_up(kind, Question::again, good(kind))));
  }
  const auto decline = error_with(R"("type":"card_error","code":"card_declined")", declined_intent());
  EXPECT_TRUE(is<Declined>(looked_up(unknown_step(Kind::authorize), Question::again, decline, 402)));
}

// A question that was answered so would have it sent again: the answer to a sending does not.
TEST(StripeLookUp, AnAnswerThatTheMoneyIsStillHeldIsNoAnswer) {
  const auto still_held = canceled_intent(R"({"status":"requires_capture","amount_capturable":2000})");
  for (const auto kind : {Kind::capture, Kind::void_}) {
    EXPECT_TRUE(is<OutcomeUnknown>(looked_up(kind, Question::again, still_held)));
  }
}

TEST(StripeLookUp, ThatTheSameRequestIsRefusedNowProvesNothingOfTheFirst) {
  for (const auto kind : kinds) {
    for (const long status : {400, 401, 403, 404, 409, 500}) {
      const auto body = error_body(R"("type":"invalid_request_error","code":"parameter_unknown")");
      EXPECT_TRUE(is<OutcomeUnknown>(looked_up(unknown_step(kind), Question::again, body, status))) << status;
    }
    EXPECT_TRUE(is<NotSent>(looked_up(unknown_step(kind), Question::again, "{}", 429)));
    EXPECT_TRUE(is<NotSent>(read_look_up_answer(unknown_step(kind), Question::again, no_answer(false))));
    EXPECT_TRUE(
        is<OutcomeUnknown>(read_look_up_answer(unknown_step(kind), Question::again, no_answer(true))));
  }
}

// --- To a payment or refund by its name ----------------------------------------------------------

payment::Step waiting_step(Phase phase) {
  auto step = in_phase(sent_step(Kind::authorize), phase, "pi_1");
  step.state.transaction.return_url = "https://shop/back";
  return step;
}

TEST(StripeLookUp, APaymentThatWasWaitedForTellsWhatCameOfIt) {
  const auto read = [](const boost::json::object& payment) {
    return looked_up(waiting_step(Phase::action_required), Question::payment, text(payment));
  };
  EXPECT_TRUE(is<Succeeded>(read(intent())));
  EXPECT_TRUE(is<Pending>(read(intent(R"({"status":"processing"})"))));
  EXPECT_TRUE(is<ActionRequired>(read(intent(R"({"status":"requires_action"})"))));
  const auto abandoned = read(intent(R"({"status":"canceled","cancellation_reason":"abandoned"})"));
  ASSERT_TRUE(is<Declined>(abandoned));
  EXPECT_EQ(std::get<Declined>(abandoned).reason.kind, payment::ReasonKind::customer_action);
  EXPECT_EQ(std::get<Declined>(abandoned).reason.code, "authentication_required");
}

// Stripe says of a failed 3-D Secure invalid_request_error, and shows no charge.
TEST(StripeLookUp, ACustomerWhoDidNotProveWhoTheyAreIsADecline) {
  const auto failed = declined_intent(R"({"latest_charge":null,"last_payment_error":
{"type":"invalid_request_error","code":"payment_intent_authentication_failure","message":"no"}})");
  for (const auto phase : {Phase::action_required, Phase::pending, Phase::unknown}) {
    const auto found = looked_up(waiting_step(phase), Question::payment, text(failed));
    ASSERT_TRUE(is<Declined>(found));
    EXPECT_EQ(std::get<Declined>(found).reason,
              (payment::Reason{"payment_intent_authentication_failure", "no",
                               payment::ReasonKind::customer_action}));
  }
  const auto bare = declined_intent(R"({"latest_charge":null,"last_payment_error":null})");
  EXPECT_TRUE(is<Declined>(looked_up(waiting_step(Phase::action_required), Question::payment, text(bare))));
  EXPECT_TRUE(is<OutcomeUnknown>(looked_up(waiting_step(Phase::unknown), Question::payment, text(bare))));
}

TEST(StripeLookUp, ThePaymentsStatusTellsWhatBecameOfACaptureOrVoid) {
  const auto still_held = canceled_intent(R"({"status":"requires_capture","amount_capturable":2000})");
  EXPECT_TRUE(is<Succeeded>(looked_up(Kind::capture, Question::payment, captured_intent())));
  EXPECT_TRUE(is<NoSuchOperation>(looked_up(Kind::capture, Question::payment, still_held)));
  EXPECT_TRUE(is<Declined>(looked_up(Kind::capture, Question::payment, canceled_intent())));
  const auto not_under_our_key = canceled_intent(R"({"status":"succeeded","amount_received":2000})");
  EXPECT_TRUE(is<Contradicted>(looked_up(Kind::capture, Question::payment, not_under_our_key)));
  EXPECT_TRUE(is<Succeeded>(looked_up(Kind::void_, Question::payment, canceled_intent())));
  EXPECT_TRUE(is<NoSuchOperation>(looked_up(Kind::void_, Question::payment, still_held)));
  EXPECT_TRUE(is<Contradicted>(looked_up(Kind::void_, Question::payment, not_under_our_key)));
}

TEST(StripeLookUp, ARefundIsReadByItsName) {
  const auto step = in_phase(sent_step(Kind::refund), Phase::pending, "re_1");
  const auto read = [&](std::string_view changes) {
    return looked_up(step, Question::refund, text(refund(changes)));
  };
  EXPECT_TRUE(is<Succeeded>(read("{}")));
  EXPECT_TRUE(is<Pending>(read(R"({"status":"pending"})")));
  EXPECT_TRUE(is<Declined>(read(R"({"status":"failed","failure_reason":"declined"})")));
  EXPECT_TRUE(is<Contradicted>(read(R"({"id":"re_2"})")));
}

TEST(StripeLookUp, AnotherPaymentThanTheOneThatWasAskedForIsAContradiction) {
  const auto other = intent(R"({"id":"pi_2"})");
  EXPECT_TRUE(is<Contradicted>(looked_up(waiting_step(Phase::pending), Question::payment, text(other))));
}

// --- To a list -----------------------------------------------------------------------------------

boost::json::object of_another(std::string_view id, std::string_view changes = "{}") {
  return with(
      intent(fmt::format(R"({{"id":"{}","metadata":{{"order":"7"}},"currency":"xyz","amount":null}})", id)),
      changes);
}

TEST(StripeLookUp, AListShowsThePaymentUnderOurKey) {
  for (const auto asked : {Question::list, Question::search}) {
    for (const bool has_more : {false, true}) {
      const auto step = unknown_step(Kind::authorize);
      const auto found =
          looked_up(step, asked, list_of({of_another("pi_7"), intent(), of_another("pi_8")}, has_more));
      ASSERT_TRUE(is<Succeeded>(found));
      EXPECT_EQ(std::get<Succeeded>(found).psp_reference, "pi_1");
      EXPECT_TRUE(is<Declined>(looked_up(step, asked, list_of({declined_intent()}, has_more))));
    }
  }
}

TEST(StripeLookUp, WhatAListDoesNotShowProvesNothing) {
  const auto step = unknown_step(Kind::authorize);
  for (const auto asked : {Question::list, Question::search}) {
    EXPECT_TRUE(is<OutcomeUnknown>(looked_up(step, asked, list_of({}))));
    const auto rest = looked_up(step, asked, list_of({of_another("pi_7")}, true));
    ASSERT_TRUE(is<OutcomeUnknown>(rest));
    EXPECT_THAT(std::get<OutcomeUnknown>(rest).reason, HasSubstr("only a part"));
  }
  EXPECT_TRUE(is<OutcomeUnknown>(looked_up(unknown_step(Kind::refund), Question::refunds, list_of({}))));
}

// An event has told the name. Only the answer to the request says why it was refused.
TEST(StripeLookUp, APaymentOfWhichOnlyTheNameIsKnownIsReadAndSentAgainInTurn) {
  using enum Question;
  std::vector<Question> questions;
  for (std::int32_t look_ups = 0; look_ups < 4; ++look_ups) {
    auto step = in_phase(sent_step(Kind::authorize), Phase::unknown, "pi_1");
    step.state.operations[step.index].look_ups = look_ups;
    questions.push_back(question(step, hours(1)));
  }
  EXPECT_THAT(questions, ::testing::ElementsAre(payment, again, payment, again));
  EXPECT_EQ(question(in_phase(sent_step(Kind::refund), Phase::unknown, "re_1"), hours(1)), refund);
}

// Stripe was at it, and holds the money as before: it has not lost it.
TEST(StripeLookUp, ACaptureThatWasTakenAndNotMadeIsDeclined) {
  const auto waits = in_phase(sent_step(Kind::capture), Phase::pending);
  const auto held = canceled_intent(R"({"status":"requires_capture","amount_capturable":2000})");
  const auto failed = looked_up(waits, Question::payment, text(held));
  ASSERT_TRUE(is<Declined>(failed));
  EXPECT_EQ(std::get<Declined>(failed).reason.code, "capture_failed");
  EXPECT_FALSE(std::get<Declined>(failed).is_hold_over);
  const auto lost = in_phase(sent_step(Kind::capture), Phase::unknown);
  EXPECT_TRUE(is<payment::NoSuchOperation>(looked_up(lost, Question::payment, text(held))));
}

TEST(StripeLookUp, TwoOfOneKeyAreAContradiction) {
  const auto two = list_of({intent(), intent(R"({"id":"pi_2"})")});
  EXPECT_TRUE(is<Contradicted>(looked_up(unknown_step(Kind::authorize), Question::list, two)));
  const auto two_refunds = list_of({refund(), refund(R"({"id":"re_2"})")});
  EXPECT_TRUE(is<Contradicted>(looked_up(unknown_step(Kind::refund), Question::refunds, two_refunds)));
}

TEST(StripeLookUp, MoneyUnderAnotherKeyOfTheSameReferenceIsAContradiction) {
  const auto under_another_key = [](std::string_view status) {
    return intent(fmt::format(R"({{"id":"pi_2","status":"{}",
"metadata":{{"switchyard_reference":"reference-1","switchyard_key":"key-9"}}}})",
                              status));
  };
  const auto step = unknown_step(Kind::authorize);
  for (const auto* status : {"succeeded", "requires_capture", "processing", "new"}) {
    EXPECT_TRUE(
        is<Contradicted>(looked_up(step, Question::list, list_of({under_another_key(status), intent()}))));
    EXPECT_TRUE(is<Contradicted>(looked_up(step, Question::list, list_of({under_another_key(status)}))));
  }
  for (const auto* status : {"canceled", "requires_payment_method"}) {
    EXPECT_TRUE(
        is<Succeeded>(looked_up(step, Question::list, list_of({under_another_key(status), intent()}))));
  }
}

TEST(StripeLookUp, WhatTheListShowsIsHeldAgainstWhatWasAsked) {
  const auto step = unknown_step(Kind::authorize);
  EXPECT_TRUE(is<Contradicted>(looked_up(step, Question::list, list_of({intent(R"({"amount":1})")}))));
  EXPECT_TRUE(is<Contradicted>(looked_up(unknown_step(Kind::refund), Question::refunds,
                                         list_of({refund(R"({"payment_intent":"pi_2"})")}))));
}

TEST(StripeLookUp, RefundsAreMatchedByTheirKeyAndNotByTheirAmount) {
  // Stripe API reference, Refund object: the status may be null.
  const auto other = refund(
      R"({"id":"re_0","status":null,"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-9"}})");
  const auto step = unknown_step(Kind::refund);
  EXPECT_TRUE(is<OutcomeUnknown>(looked_up(step, Question::refunds, list_of({other}))));
  const auto found = looked_up(step, Question::refunds, list_of({other, refund()}));
  ASSERT_TRUE(is<Succeeded>(found));
  EXPECT_EQ(std::get<Succeeded>(found).psp_reference, "re_1");
}

// --- What cannot be read -------------------------------------------------------------------------

TEST(StripeLookUp, AQuestionThatFailsTellsNothing) {
  using enum Question;
  for (const auto asked : {payment, refund, refunds, list, search}) {
    const auto kind = asked == refund || asked == refunds ? Kind::refund : Kind::authorize;
    const auto step = unknown_step(kind);
    for (const long status : {201, 302, 400, 401, 403, 404, 429, 500, 503}) {
      EXPECT_TRUE(is<OutcomeUnknown>(looked_up(step, asked, text(good(kind)), status))) << status;
    }
    for (const auto* body : {"", "<html>", "[]", "null", "{}", R"({"data":[],"has_more":0})",
                             R"({"data":[]})", R"({"data":{},"has_more":false})", R"({"has_more":false})",
                             R"({"data":[7],"has_more":false})", R"({"data":[{}],"has_more":false})"}) {
      EXPECT_TRUE(is<OutcomeUnknown>(looked_up(step, asked, body))) << body;
    }
    EXPECT_TRUE(is<NotSent>(read_look_up_answer(step, asked, no_answer(false))));
    EXPECT_TRUE(is<OutcomeUnknown>(read_look_up_answer(step, asked, no_answer(true))));
  }
  // A refund where a payment was asked for, and the other way round.
  EXPECT_TRUE(is<OutcomeUnknown>(looked_up(Kind::authorize, payment, stripe::refund())));
  EXPECT_TRUE(is<OutcomeUnknown>(looked_up(Kind::refund, refund, intent())));
  EXPECT_TRUE(
      is<OutcomeUnknown>(looked_up(unknown_step(Kind::authorize), list, list_of({stripe::refund()}))));
}

TEST(StripeLookUp, OfASecretKeyNothingIsRepeated) {
  const auto body =
      error_body(R"("type":"invalid_request_error","message":"Invalid API Key: sk_live_4eC39")");
  const auto found = looked_up(unknown_step(Kind::capture), Question::payment, body, 401);
  EXPECT_EQ(std::get<OutcomeUnknown>(found).reason, "Stripe answered 401");
}

// --- All the way through the machine -------------------------------------------------------------

TEST(StripeLookUp, ACaptureThatWasNotDoneIsSentAgain) {
  const auto still_held = canceled_intent(R"({"status":"requires_capture"})");
  const auto step = unknown_step(Kind::capture, 5);
  const auto next =
      payment::found(step, looked_up(step, Question::payment, text(still_held)), only_stripe, sent_at, {});
  EXPECT_EQ(next.action, payment::Action::send);
}

TEST(StripeLookUp, AnAuthorizationThatIsNotFoundIsForAPersonInTheEnd) {
  const payment::RetryPolicy policy;
  const auto step = unknown_step(Kind::authorize, policy.look_ups_max);
  const auto next =
      payment::found(step, looked_up(step, Question::list, list_of({})), only_stripe, sent_at, policy);
  EXPECT_EQ(next.operation().phase, Phase::manual_review);
}

}  // namespace
}  // namespace switchyard::psp::stripe
