#include "psp/stripe/answers.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "psp/stripe/declines.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::ActionRequired;
using payment::Answer;
using payment::CaptureMethod;
using payment::Contradicted;
using payment::Declined;
using payment::Kind;
using payment::NotSent;
using payment::OutcomeUnknown;
using payment::Pending;
using payment::Phase;
using payment::Reason;
using payment::ReasonKind;
using payment::Rejected;
using payment::Succeeded;
using ::testing::HasSubstr;
using ::testing::Not;

Answer answered(const payment::Step& step, long status, std::string body) {
  return read_answer(step, answer_with(status, std::move(body)));
}
Answer answered(Kind kind, long status, std::string body) {
  return answered(sent_step(kind), status, std::move(body));
}
Answer answered(Kind kind, const boost::json::object& object) {
  return answered(kind, 200, text(object));
}
payment::Step held_step() {
  return step_of({.capture_method = CaptureMethod::manual});
}

// --- What Stripe has done ------------------------------------------------------------------------

TEST(StripeAnswer, WhatWasAskedHasSucceeded) {
  for (const auto kind : kinds) {
    const auto outcome = answered(kind, good(kind));
    ASSERT_TRUE(is<Succeeded>(outcome)) << to_string(kind);
    EXPECT_EQ(std::get<Succeeded>(outcome).psp_reference, kind == Kind::refund ? "re_1" : "pi_1");
    EXPECT_EQ(std::get<Succeeded>(outcome).amount, euros(2000));
  }
  const auto held = answered(held_step(), 200, text(held_intent()));
  ASSERT_TRUE(is<Succeeded>(held));
  EXPECT_EQ(std::get<Succeeded>(held).amount, euros(2000));
}

// Stripe API reference: latest_charge and payment_intent are ids, or whole objects where they were expanded.
TEST(StripeAnswer, ExpandedObjectsAreReadAsTheirIds) {
  EXPECT_TRUE(is<Succeeded>(answered(Kind::authorize, intent(R"({"latest_charge":{"id":"ch_1"}})"))));
  EXPECT_TRUE(is<Succeeded>(answered(Kind::refund, refund(R"({"payment_intent":{"id":"pi_1"}})"))));
  EXPECT_TRUE(is<Contradicted>(answered(Kind::refund, refund(R"({"payment_intent":{"id":"pi_2"}})"))));
}

TEST(StripeAnswer, MembersOfAFutureVersionDoNoHarm) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(
        is<Succeeded>(answered(kind, with(good(kind), R"({"new":{"a":[1,2.5,null]},"object_2":7})"))));
  }
  EXPECT_TRUE(is<Succeeded>(answered(Kind::authorize, intent(R"({"capture_method":"automatic_async"})"))));
}

TEST(StripeAnswer, APartOfAHoldIsCaptured) {
  const auto step = step_of({.kind = Kind::capture,
                             .amount_minor = 1500,
                             .capture_method = CaptureMethod::manual,
                             .authorized_minor = 2000});
  const auto outcome = answered(step, 200, text(captured_intent(R"({"amount_received":1500})")));
  ASSERT_TRUE(is<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount, euros(1500));
  const auto part = step_of({.kind = Kind::refund, .amount_minor = 500, .authorized_minor = 2000});
  EXPECT_TRUE(is<Succeeded>(answered(part, 200, text(refund(R"({"amount":500})")))));
}

TEST(StripeAnswer, AmountsComeBackInOurUnits) {
  auto step = step_of({.amount_minor = 500, .currency = "ISK"});
  const auto outcome =
      answered(step, 200, text(intent(R"({"amount":50000,"amount_received":50000,"currency":"isk"})")));
  ASSERT_TRUE(is<Succeeded>(outcome));
  EXPECT_EQ(std::get<Succeeded>(outcome).amount, Money(500, *Currency::parse("ISK")));
}

// --- Statuses of a payment -----------------------------------------------------------------------

struct StatusCase {
  const char* status;
  // The index of the Answer that it is, for each kind.
  Answer authorize;
  Answer capture;
  Answer void_;
};

const std::vector<StatusCase>& status_cases() {
  static const std::vector<StatusCase> cases{
      {"succeeded", Succeeded{{}, euros(0)}, Succeeded{{}, euros(0)}, Contradicted{}},
      {"processing", Pending{}, Pending{}, OutcomeUnknown{}},
      {"requires_capture", OutcomeUnknown{}, OutcomeUnknown{}, OutcomeUnknown{}},
      {"requires_action", ActionRequired{}, OutcomeUnknown{}, OutcomeUnknown{}},
      {"requires_confirmation", OutcomeUnknown{}, OutcomeUnknown{}, OutcomeUnknown{}},
      {"canceled", Declined{}, Declined{}, Succeeded{{}, euros(0)}},
      {"a_status_of_next_year", OutcomeUnknown{}, OutcomeUnknown{}, OutcomeUnknown{}},
  };
  return cases;
}

TEST(StripeAnswer, AStatusMeansWhatItMeansForWhatWasAsked) {
  for (const auto& one : status_cases()) {
    const auto said = fmt::format(R"({{"status":"{}"}})", one.status);
    const auto changed = [&said](Kind kind) { return payment_with(good(kind), said); };
    const auto expected = {
        std::pair{Kind::authorize, &one.authorize}, {Kind::capture, &one.capture}, {Kind::void_, &one.void_}};
    for (const auto& [kind, answer] : expected) {
      EXPECT_EQ(answered(kind, changed(kind)).index(), answer->index()) << to_string(kind) << one.status;
    }
  }
}

TEST(StripeAnswer, WhatIsProcessingIsWaitedForByItsName) {
  const auto outcome = answered(Kind::authorize, intent(R"({"status":"processing","amount_received":0})"));
  ASSERT_TRUE(is<Pending>(outcome));
  EXPECT_EQ(std::get<Pending>(outcome).psp_reference, "pi_1");
  EXPECT_EQ(std::get<Pending>(outcome).amount, euros(2000));
}

TEST(StripeAnswer, MoneyThatIsTakenIsNotOnlyHeld) {
  const auto taken = answered(held_step(), 200, text(held_intent(R"({"status":"succeeded"})")));
  ASSERT_TRUE(is<Contradicted>(taken));
  EXPECT_EQ(std::get<Contradicted>(taken).psp_reference, "pi_1");
}

TEST(StripeAnswer, AHoldThatIsGoneIsDeclined) {
  const auto outcome =
      answered(Kind::capture, captured_intent(R"({"status":"canceled","cancellation_reason":"automatic"})"));
  ASSERT_TRUE(is<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).reason,
            (Reason{"payment_intent_canceled", "canceled: automatic", ReasonKind::hard_decline}));
}

// --- The customer must act -----------------------------------------------------------------------

constexpr const char* redirect = R"({"status":"requires_action","amount_received":0,"next_action":
{"type":"redirect_to_url","redirect_to_url":{"url":"https://hooks.stripe.com/3d","return_url":"https://shop"}}})";

payment::Step step_with_way_back() {
  return step_of({.return_url = "https://shop/back"});
}

TEST(StripeAnswer, TheCustomerIsSentWhereStripeSays) {
  const auto outcome = answered(step_with_way_back(), 200, text(intent(redirect)));
  ASSERT_TRUE(is<ActionRequired>(outcome));
  EXPECT_EQ(std::get<ActionRequired>(outcome).url, "https://hooks.stripe.com/3d");
  EXPECT_EQ(std::get<ActionRequired>(outcome).psp_reference, "pi_1");
  EXPECT_EQ(std::get<ActionRequired>(outcome).amount, euros(2000));
}

TEST(StripeAnswer, OnlyAnAddressOfTheWebIsGivenToACustomer) {
  const std::string very_long = "https://" + std::string(5000, 'x');
  for (const std::string& url : {std::string("javascript:alert(1)"), std::string("https://a b"),
                                 std::string("//hooks"), std::string("https://a\\n"), very_long}) {
    const auto action = fmt::format(
        R"({{"status":"requires_action","next_action":{{"redirect_to_url":{{"url":"{}"}}}}}})", url);
    const auto outcome = answered(step_with_way_back(), 200, text(intent(action)));
    ASSERT_TRUE(is<ActionRequired>(outcome)) << url;
    EXPECT_EQ(std::get<ActionRequired>(outcome).url, "");
  }
  for (const auto* action : {"null", "[]", "7", "{}", R"({"type":"use_stripe_sdk","use_stripe_sdk":{}})",
                             R"({"redirect_to_url":null})", R"({"redirect_to_url":{"url":7}})"}) {
    const auto said = fmt::format(R"({{"status":"requires_action","next_action":{}}})", action);
    const auto outcome = answered(step_with_way_back(), 200, text(intent(said)));
    ASSERT_TRUE(is<ActionRequired>(outcome)) << action;
    EXPECT_EQ(std::get<ActionRequired>(outcome).url, "");
  }
}

TEST(StripeAnswer, WhereNobodyMayBeAskedAPaymentThatWaitsIsEndedAtStripe) {
  const auto step = step_of({.kind = Kind::authorize});
  const auto outcome = answered(step, 200, text(intent(redirect)));
  ASSERT_TRUE(is<ActionRequired>(outcome));
  EXPECT_EQ(std::get<ActionRequired>(outcome).url, "") << "nobody is sent anywhere";
  const payment::RetryPolicy policy{.can_end = true};
  EXPECT_EQ(payment::answered(step, outcome, only_stripe, sent_at, policy).action, payment::Action::end);
}

// --- Declines ------------------------------------------------------------------------------------

TEST(StripeAnswer, ADeclineHasItsReasonAndThePaymentsName) {
  const auto outcome =
      answered(Kind::authorize, 402,
               error_with(R"("type":"card_error","code":"card_declined","decline_code":"generic_decline",
"advice_code":"do_not_try_again","network_decline_code":"01","message":"Your card was declined.","charge":"ch_1")",
                          declined_intent()));
  ASSERT_TRUE(is<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).reason,
            (Reason{"generic_decline", "Your card was declined.", ReasonKind::hard_decline}));
  EXPECT_EQ(std::get<Declined>(outcome).psp_reference, "pi_1");
}

TEST(StripeAnswer, EachDeclineCodeIsADecline) {
  for (const auto& [code, kind] : decline_table) {
    for (const auto* form : {R"("type":"card_error","code":"card_declined","decline_code":"{}")",
                             R"("type":"card_error","code":"{}")"}) {
      const auto members = fmt::format(fmt::runtime(form), code);
      for (const auto& body : {error_body(members), error_with(members, declined_intent())}) {
        const auto outcome = answered(Kind::authorize, 402, body);
        ASSERT_TRUE(is<Declined>(outcome)) << body;
        EXPECT_EQ(std::get<Declined>(outcome).reason, (Reason{std::string(code), "", kind}));
      }
    }
  }
}

// An older version recorded no code at all.
TEST(StripeAnswer, ACardErrorWithoutACodeIsADecline) {
  const auto outcome =
      answered(Kind::authorize, 402, error_body(R"("type":"card_error","message":"needs authentication")"));
  ASSERT_TRUE(is<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).reason.code, "card_error");
  EXPECT_TRUE(is<Declined>(answered(Kind::capture, 402, error_body(R"("type":"card_error")"))));
}

TEST(StripeAnswer, ADeclineWithTheMoneyAtStripeIsUnknown) {
  for (const auto* status : {"succeeded", "processing", "requires_capture", "a_status_of_next_year"}) {
    const auto payment = intent(fmt::format(R"({{"status":"{}"}})", status));
    for (const long http_status : {400, 402, 404}) {
      for (const auto* members : {R"("type":"card_error","code":"card_declined")",
                                  R"("type":"invalid_request_error","code":"parameter_missing")",
                                  R"("type":"invalid_request_error","code":"charge_disputed")"}) {
        EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, http_status, error_with(members, payment))))
            << status;
      }
    }
  }
}

TEST(StripeAnswer, ARefusalOfWhatIsDoneIsUnknown) {
  const auto* const too_late = R"("type":"invalid_request_error","code":"charge_expired_for_capture")";
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::capture, 400, error_with(too_late, captured_intent()))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::void_, 400, error_with(too_late, canceled_intent()))));
  EXPECT_TRUE(is<Declined>(answered(Kind::capture, 400, error_with(too_late, canceled_intent()))));
}

// It may say that the money is taken.
TEST(StripeAnswer, ADeclineWithAPaymentThatCannotBeReadIsUnknown) {
  for (const auto* changes : {R"({"id":"pi 1"})", R"({"id":null})", R"({"object":"charge"})"}) {
    const auto body = error_with(R"("type":"card_error","code":"card_declined")", declined_intent(changes));
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 402, body))) << changes;
  }
}

// --- What failed and was confirmed before --------------------------------------------------------

TEST(StripeAnswer, APaymentThatWasTriedAndWaitsForAnotherCardIsDeclined) {
  const auto outcome = answered(Kind::authorize, declined_intent());
  ASSERT_TRUE(is<Declined>(outcome));
  EXPECT_EQ(std::get<Declined>(outcome).reason, (Reason{"insufficient_funds", "", ReasonKind::soft_decline}));
  const auto by_charge = answered(Kind::authorize, declined_intent(R"({"last_payment_error":null})"));
  ASSERT_TRUE(is<Declined>(by_charge));
  EXPECT_EQ(std::get<Declined>(by_charge).reason.code, "card_declined");
}

TEST(StripeAnswer, APaymentThatWasNeverTriedIsNotDeclined) {
  for (const auto* error :
       {"null", R"({"type":"invalid_request_error","code":"parameter_missing"})", "[]", "7", "{}"}) {
    const auto changes = fmt::format(R"({{"latest_charge":null,"last_payment_error":{}}})", error);
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, declined_intent(changes)))) << error;
  }
}

// A payment can have failed once and then succeeded.
TEST(StripeAnswer, AnOldErrorOfAPaymentThatSucceededIsOfNoConsequence) {
  EXPECT_TRUE(is<Succeeded>(answered(
      Kind::authorize, intent(R"({"last_payment_error":{"type":"card_error","code":"card_declined"}})"))));
}

// --- Errors --------------------------------------------------------------------------------------

struct ErrorCase {
  long status;
  const char* members;
  Answer expected;
};

// Whatever was asked.
const std::vector<ErrorCase>& error_cases() {
  static const std::vector<ErrorCase> cases{
      {400, R"("type":"invalid_request_error","code":"parameter_missing","param":"currency")", Rejected{}},
      {400, R"("type":"invalid_request_error","code":"parameter_unknown","param":"x")", Rejected{}},
      {400, R"("type":"invalid_request_error","code":"parameter_invalid_integer","param":"limit")",
       Rejected{}},
      {400, R"("type":"invalid_request_error","code":"parameter_invalid_empty")", Rejected{}},
      {400, R"("type":"invalid_request_error","code":"amount_too_small","param":"amount")", Rejected{}},
      {400, R"("type":"invalid_request_error","message":"Invalid Stripe API version")", Rejected{}},
      {404, R"("type":"invalid_request_error","code":"resource_missing","param":"intent")", Rejected{}},
      {422, R"("type":"invalid_request_error")", Rejected{}},
      {400, R"("type":"idempotency_error")", OutcomeUnknown{}},
      {400, R"("type":"invalid_request_error","code":"payment_intent_unexpected_state")", OutcomeUnknown{}},
      {402, R"("type":"invalid_request_error")", OutcomeUnknown{}},
      {402, R"("type":"api_error")", OutcomeUnknown{}},
      {409, R"("type":"invalid_request_error","code":"idempotency_key_in_use")", OutcomeUnknown{}},
      {409, R"("type":"idempotency_error","code":"idempotency_key_in_use")", OutcomeUnknown{}},
      {424, R"("type":"api_error")", OutcomeUnknown{}},
      {429, R"("type":"invalid_request_error","code":"rate_limit")", NotSent{}},
      {429, R"("type":"invalid_request_error","code":"lock_timeout")", NotSent{}},
      {500, R"("type":"api_error")", OutcomeUnknown{}},
      {502, R"("type":"api_error")", OutcomeUnknown{}},
      {503, R"("type":"card_error","code":"card_declined")", OutcomeUnknown{}},
      {504, R"("type":"api_error")", OutcomeUnknown{}},
      {401, R"("type":"invalid_request_error")", Rejected{}},
      {403, R"("type":"invalid_request_error")", Rejected{}},
  };
  return cases;
}

TEST(StripeAnswer, AnErrorMeansWhatItSaysAboutTheRequest) {
  for (const auto kind : kinds) {
    for (const auto& [status, members, expected] : error_cases()) {
      EXPECT_EQ(answered(kind, status, error_body(members)).index(), expected.index())
          << to_string(kind) << status << members;
    }
  }
}

TEST(StripeAnswer, ARefusalSaysWhatStripeSays) {
  const auto outcome = answered(
      Kind::authorize, 400,
      error_body(
          R"("type":"invalid_request_error","code":"parameter_missing","param":"currency","message":"Missing.")"));
  EXPECT_EQ(std::get<Rejected>(outcome).reason,
            "Stripe answered 400: parameter_missing of currency: Missing.");
  const auto turned_away =
      answered(Kind::refund, 429, error_body(R"("type":"invalid_request_error","code":"lock_timeout")"));
  EXPECT_EQ(std::get<NotSent>(turned_away).reason, "Stripe answered 429: lock_timeout");
}

// "Invalid API Key provided: sk_test_...1234", says Stripe.
TEST(StripeAnswer, OfASecretKeyNothingIsRepeated) {
  const auto body = error_body(
      R"("type":"invalid_request_error","code":"secret_key","message":"Invalid API Key provided: sk_live_4eC39")");
  for (const long status : {401, 403}) {
    const auto outcome = answered(Kind::authorize, status, body);
    ASSERT_TRUE(is<Rejected>(outcome));
    EXPECT_TRUE(std::get<Rejected>(outcome).is_of_account);
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, status, "<html>no</html>"))) << "a proxy's page";
    EXPECT_EQ(std::get<Rejected>(outcome).reason,
              fmt::format("Stripe answered {}: it does not take our secret key", status));
    EXPECT_THAT(reason_of_status(status, body), Not(HasSubstr("sk_live")));
  }
}

// Of 4xx a proxy in between can be the one who speaks.
TEST(StripeAnswer, ARefusalThatIsNotStripesProvesNothing) {
  for (const auto kind : kinds) {
    for (const long status : {400, 402, 404, 422}) {
      for (const auto* body :
           {"", "<html>no</html>", "[]", "null", "{}", R"({"error":"no"})", R"({"error":null})",
            R"({"error":{}})", R"({"error":{"type":7}})", R"({"type":"card_error"})"}) {
        EXPECT_TRUE(is<OutcomeUnknown>(answered(kind, status, body))) << status << body;
      }
    }
  }
}

TEST(StripeAnswer, AnyOtherStatusIsUnknownWhateverTheBodySays) {
  for (const auto kind : kinds) {
    for (const long status : {0,   100, 201, 202, 204, 206, 301, 302, 304, 307, 308, 405, 406,
                              408, 410, 413, 418, 423, 425, 499, 500, 501, 502, 503, 504, 599}) {
      EXPECT_TRUE(is<OutcomeUnknown>(answered(kind, status, text(good(kind))))) << status;
    }
  }
}

TEST(StripeAnswer, ThePrecisePlaceWhereARequestWasLostDecides) {
  for (const auto kind : kinds) {
    EXPECT_TRUE(is<NotSent>(read_answer(sent_step(kind), no_answer(false))));
    const auto unknown = read_answer(sent_step(kind), no_answer(true));
    ASSERT_TRUE(is<OutcomeUnknown>(unknown));
    EXPECT_EQ(std::get<OutcomeUnknown>(unknown).reason, "why");
  }
}

// --- A payment in another state than the request needs ---------------------------------------------

constexpr const char* unexpected_state =
    R"("type":"invalid_request_error","code":"payment_intent_unexpected_state","message":"no")";

Answer unexpected(Kind kind, const boost::json::object& payment) {
  return answered(kind, 400, error_with(unexpected_state, payment));
}

TEST(StripeAnswer, TheStateOfThePaymentTellsWhatBecameOfACapture) {
  EXPECT_TRUE(is<Succeeded>(unexpected(Kind::capture, captured_intent())));
  EXPECT_TRUE(is<Declined>(unexpected(Kind::capture, captured_intent(R"({"status":"canceled"})"))));
  for (const auto* status :
       {"requires_capture", "requires_payment_method", "requires_action", "requires_confirmation", "new"}) {
    const auto payment = captured_intent(fmt::format(R"({{"status":"{}"}})", status));
    EXPECT_TRUE(is<OutcomeUnknown>(unexpected(Kind::capture, payment))) << status;
  }
}

// Somebody has captured it, at the dashboard perhaps: how much of it is ours to book is for a person.
TEST(StripeAnswer, ACaptureUnderAnotherKeyIsNotOurs) {
  const auto metadata = [](std::string_view rest) {
    return fmt::format(
        R"({{"metadata":{{"switchyard_reference":"reference-1","switchyard_key":"key-1"{}}}}})", rest);
  };
  const auto other = metadata(R"(,"switchyard_capture_key":"key-3")");
  EXPECT_TRUE(is<Contradicted>(unexpected(Kind::capture, captured_intent(metadata("")))));
  EXPECT_TRUE(is<Contradicted>(unexpected(Kind::capture, captured_intent(other))));
  EXPECT_TRUE(is<Contradicted>(answered(Kind::capture, captured_intent(other))));
  // In the answer to the capture itself the key need not be repeated.
  EXPECT_TRUE(is<Succeeded>(answered(Kind::capture, captured_intent(metadata("")))));
}

TEST(StripeAnswer, TheStateOfThePaymentTellsWhatBecameOfAVoid) {
  EXPECT_TRUE(is<Succeeded>(unexpected(Kind::void_, canceled_intent())));
  EXPECT_TRUE(
      is<Succeeded>(unexpected(Kind::void_, canceled_intent(R"({"cancellation_reason":"automatic"})"))));
  const auto taken = unexpected(Kind::void_, canceled_intent(R"({"status":"succeeded"})"));
  ASSERT_TRUE(is<Contradicted>(taken)) << "somebody took it at Stripe";
  for (const auto* status : {"requires_capture", "processing", "requires_action", "new"}) {
    const auto payment = canceled_intent(fmt::format(R"({{"status":"{}"}})", status));
    EXPECT_TRUE(is<OutcomeUnknown>(unexpected(Kind::void_, payment))) << status;
  }
}

TEST(StripeAnswer, TheStateOfAPaymentTellsNothingOfARefund) {
  EXPECT_TRUE(is<OutcomeUnknown>(unexpected(Kind::refund, intent())));
}

TEST(StripeAnswer, TheStateOfThePaymentTellsWhatBecameOfAnAuthorization) {
  EXPECT_TRUE(is<Succeeded>(unexpected(Kind::authorize, intent())));
  EXPECT_TRUE(is<Declined>(unexpected(Kind::authorize, declined_intent())));
}

// What its status denies its amounts may say.
TEST(StripeAnswer, APaymentWithoutMoneyByItsStatusAndWithSomeByItsAmountsContradicts) {
  for (const auto* status : {"requires_payment_method", "requires_action", "canceled"}) {
    for (const auto* amount : {R"("amount_received":2000)", R"("amount_capturable":2000)"}) {
      const auto payment = intent(fmt::format(R"({{"status":"{}","amount_received":0,{}}})", status, amount));
      EXPECT_TRUE(is<Contradicted>(answered(Kind::authorize, payment))) << status << amount;
      const auto soft = R"("type":"card_error","code":"card_declined","decline_code":"insufficient_funds")";
      EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 402, error_with(soft, payment)))) << status;
    }
  }
}

// Another account would be asked for it.
TEST(StripeAnswer, AnErrorThatSpeaksOfAPaymentWithMoneyIsNoRefusal) {
  const auto words = R"("type":"card_error","code":"card_declined","decline_code":"insufficient_funds")";
  for (const long status : {400, 401, 402, 403, 404, 422, 429}) {
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, status, error_with(words, intent())))) << status;
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, status, text(intent())))) << status;
    const auto by_name = error_body(std::string(words) + R"(,"payment_intent":"pi_1")");
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, status, by_name))) << status;
  }
  EXPECT_TRUE(is<NotSent>(answered(Kind::authorize, 429, error_with(words, declined_intent()))));
  EXPECT_TRUE(is<NotSent>(answered(Kind::authorize, 429, error_body(words))));
  EXPECT_TRUE(is<Rejected>(answered(Kind::authorize, 401, error_body(words))));
}

// --- Errors of captures and refunds ----------------------------------------------------------------

TEST(StripeAnswer, AHoldThatRanOutIsDeclined) {
  for (const auto* code : {"charge_expired_for_capture", "capture_charge_authorization_expired"}) {
    const auto outcome = answered(
        Kind::capture, 400,
        error_body(fmt::format(R"("type":"invalid_request_error","code":"{}","message":"late")", code)));
    ASSERT_TRUE(is<Declined>(outcome)) << code;
    EXPECT_EQ(std::get<Declined>(outcome).reason, (Reason{code, "late", ReasonKind::hard_decline}));
    EXPECT_TRUE(std::get<Declined>(outcome).is_hold_over);
  }
}

TEST(StripeAnswer, NothingIsHeldWhereThePaymentIsCanceledAndIsWhereItSaysSo) {
  const auto* const too_late = R"("type":"invalid_request_error","code":"charge_expired_for_capture")";
  const auto is_over = [](const payment::Answer& answer) { return std::get<Declined>(answer).is_hold_over; };
  EXPECT_TRUE(is_over(answered(Kind::capture, 400, error_with(too_late, canceled_intent()))));
  EXPECT_TRUE(is_over(unexpected(Kind::capture, canceled_intent())));
  const auto held = canceled_intent(R"({"status":"requires_capture"})");
  EXPECT_FALSE(is_over(answered(Kind::capture, 400, error_with(too_late, held))));
}

TEST(StripeAnswer, MoreThanIsHeldIsNotCaptured) {
  EXPECT_TRUE(is<Rejected>(answered(
      Kind::capture, 400,
      error_with(R"("type":"invalid_request_error","code":"amount_too_large","param":"amount_to_capture")",
                 canceled_intent(R"({"status":"requires_capture"})")))));
}

TEST(StripeAnswer, WhatCannotBeGivenBackIsDeclined) {
  for (const auto* code : {"charge_disputed", "refund_disputed_payment", "charge_not_refundable",
                           "charge_already_refunded", "amount_too_large"}) {
    const auto body = error_body(fmt::format(R"("type":"invalid_request_error","code":"{}")", code));
    const auto outcome = answered(Kind::refund, 400, body);
    ASSERT_TRUE(is<Declined>(outcome)) << code;
    EXPECT_EQ(std::get<Declined>(outcome).reason, (Reason{code, "", ReasonKind::hard_decline}));
  }
  // Seen without a code.
  const auto above =
      answered(Kind::refund, 400, error_body(R"("type":"invalid_request_error","param":"amount")"));
  ASSERT_TRUE(is<Declined>(above));
  EXPECT_EQ(std::get<Declined>(above).reason.code, "amount_too_large");
  // A refund of what was never captured has no code of its own.
  EXPECT_TRUE(is<Rejected>(answered(Kind::refund, 400, error_body(R"("type":"invalid_request_error")"))));
}

// It may be our own refund, whose answer was lost, that has left nothing.
TEST(StripeAnswer, ThatNothingIsLeftIsLookedUpIfTheRefundMayHaveBeenDone) {
  const auto again = in_phase(sent_step(Kind::refund), Phase::unknown);
  for (const auto* members : {R"("type":"invalid_request_error","code":"charge_already_refunded")",
                              R"("type":"invalid_request_error","code":"amount_too_large")",
                              R"("type":"invalid_request_error","param":"amount")"}) {
    EXPECT_TRUE(is<OutcomeUnknown>(answered(again, 400, error_body(members)))) << members;
  }
  EXPECT_TRUE(is<Declined>(
      answered(again, 400, error_body(R"("type":"invalid_request_error","code":"charge_disputed")"))));
}

// --- Refunds ---------------------------------------------------------------------------------------

TEST(StripeAnswer, ARefundsStatusSaysWhatBecameOfIt) {
  for (const auto* status : {"pending", "requires_action"}) {
    const auto outcome = answered(Kind::refund, refund(fmt::format(R"({{"status":"{}"}})", status)));
    ASSERT_TRUE(is<Pending>(outcome)) << status;
    EXPECT_EQ(std::get<Pending>(outcome).psp_reference, "re_1");
    EXPECT_EQ(std::get<Pending>(outcome).amount, euros(2000));
  }
  const auto failed =
      answered(Kind::refund, refund(R"({"status":"failed","failure_reason":"expired_or_canceled_card"})"));
  ASSERT_TRUE(is<Declined>(failed));
  EXPECT_EQ(std::get<Declined>(failed).reason.code, "expired_or_canceled_card");
  EXPECT_EQ(std::get<Declined>(failed).psp_reference, "re_1");
  EXPECT_TRUE(is<Declined>(answered(Kind::refund, refund(R"({"status":"canceled"})"))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::refund, refund(R"({"status":"new"})"))));
}

// --- What is not ours ------------------------------------------------------------------------------

// Each differs from what was asked in one member.
std::vector<std::string> contradictions(Kind kind) {
  if (kind == Kind::refund) {
    return {R"({"payment_intent":"pi_2"})", R"({"currency":"EUR"})", R"({"currency":"xyz"})",
            R"({"metadata":{"switchyard_reference":"reference-2","switchyard_key":"key-2"}})",
            R"({"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-3"}})"};
  }
  const auto* own = kind == Kind::authorize ? "key-2" : "key-1";
  std::vector<std::string> all{
      R"({"amount":2001})",
      R"({"amount":0})",
      R"({"amount":-2000})",
      R"({"currency":"usd"})",
      R"({"currency":"EUR"})",
      R"({"currency":"xyz"})",
      fmt::format(R"({{"metadata":{{"switchyard_reference":"reference-2","switchyard_key":"{}"}}}})", own),
      R"({"metadata":{"switchyard_reference":"reference-1","switchyard_key":"key-3"}})"};
  all.emplace_back(kind == Kind::authorize ? R"({"capture_method":"manual"})" : R"({"id":"pi_2"})");
  return all;
}

TEST(StripeAnswer, WhatIsNotWhatWasAskedForIsAContradiction) {
  for (const auto kind : kinds) {
    for (const auto& changes : contradictions(kind)) {
      const auto object = with(good(kind), changes);
      const auto outcome = answered(kind, object);
      ASSERT_TRUE(is<Contradicted>(outcome)) << to_string(kind) << changes;
      EXPECT_EQ(std::get<Contradicted>(outcome).psp_reference, object.at("id").as_string());
    }
  }
}

TEST(StripeAnswer, AnErrorAboutAnothersPaymentIsAContradiction) {
  for (const auto kind : {Kind::authorize, Kind::capture, Kind::void_}) {
    for (const auto& changes : contradictions(kind)) {
      const auto payment = with(kind == Kind::authorize ? declined_intent() : good(kind), changes);
      for (const auto* members : {R"("type":"card_error","code":"card_declined")", unexpected_state}) {
        EXPECT_TRUE(is<Contradicted>(answered(kind, 400, error_with(members, payment)))) << changes;
      }
    }
  }
}

TEST(StripeAnswer, AContradictionSaysWhatStripeSaysAndWhatWasAsked) {
  const auto reason = [](Kind kind, std::string_view changes) {
    return std::get<Contradicted>(answered(kind, with(good(kind), changes))).reason;
  };
  EXPECT_EQ(reason(Kind::authorize, R"({"capture_method":"manual"})"),
            "Stripe's payment says capture method manual, where automatic was asked for");
  EXPECT_EQ(reason(Kind::authorize, R"({"amount":2001})"),
            "Stripe's payment is of 20.01 EUR, where 20.00 EUR was asked for");
  EXPECT_EQ(reason(Kind::refund, R"({"payment_intent":"pi_2"})"),
            "Stripe's refund says payment pi_2, where pi_1 was asked for");
  EXPECT_EQ(reason(Kind::refund, R"({"currency":"xyz"})"),
            "Stripe speaks of 2000 xyz, which is no amount of ours, where 20.00 EUR was asked for");
}

// Held, taken or given back: passed on, and found by the machine.
TEST(StripeAnswer, AnotherAmountIsFoundByTheMachine) {
  const auto review = [](payment::Step step, const boost::json::object& object) {
    const auto answer = answered(step, 200, text(object));
    const auto next = payment::answered(std::move(step), answer, only_stripe, sent_at, {});
    EXPECT_THAT(next.operation().reason.message, HasSubstr("where 20.00 EUR was asked for"));
    return next.operation().phase;
  };
  EXPECT_EQ(review(sent_step(Kind::authorize), intent(R"({"amount_received":1})")), Phase::manual_review);
  EXPECT_EQ(review(held_step(), held_intent(R"({"amount_capturable":1999})")), Phase::manual_review);
  EXPECT_EQ(review(sent_step(Kind::capture), captured_intent(R"({"amount_received":1999})")),
            Phase::manual_review);
  EXPECT_EQ(review(sent_step(Kind::refund), refund(R"({"amount":500})")), Phase::manual_review);
  EXPECT_EQ(review(sent_step(Kind::refund), refund(R"({"currency":"usd"})")), Phase::manual_review);
}

// --- What cannot be read ---------------------------------------------------------------------------

TEST(StripeAnswer, AnAnswerThatCannotBeReadIsUnknown) {
  for (const auto kind : kinds) {
    const auto whole = text(good(kind));
    std::vector<std::string> bodies{"",
                                    "<html>OK</html>",
                                    "[]",
                                    "null",
                                    "7",
                                    "{}",
                                    whole.substr(0, 60),
                                    whole + "}",
                                    R"({"error":null})",
                                    "[" + whole + "]"};
    for (const auto* changes :
         {R"({"id":null})", R"({"id":""})", R"({"id":7})", R"({"id":"pi 1"})", R"({"id":"../x"})",
          R"({"object":"charge"})", R"({"object":null})", R"({"status":null})", R"({"status":7})",
          R"({"status":""})", R"({"amount":null})", R"({"amount":"2000"})", R"({"amount":2000.0})",
          R"({"amount":2e3})", R"({"amount":18446744073709551615})", R"({"amount":true})",
          R"({"currency":null})", R"({"currency":978})"}) {
      bodies.push_back(text(with(good(kind), changes)));
    }
    bodies.push_back(text(with(good(kind), fmt::format(R"({{"id":"{}"}})", std::string(256, 'x')))));
    for (const auto& body : bodies) {
      EXPECT_TRUE(is<OutcomeUnknown>(answered(kind, 200, body))) << to_string(kind) << body;
    }
  }
}

TEST(StripeAnswer, WhatMustBeSaidAndIsNotIsUnknown) {
  for (const auto* metadata :
       {"null", "{}", "[]", "7", R"({"switchyard_reference":"reference-1"})", R"({"switchyard_key":"key-2"})",
        R"({"switchyard_reference":7,"switchyard_key":"key-2"})"}) {
    const auto changes = fmt::format(R"({{"metadata":{}}})", metadata);
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, intent(changes)))) << metadata;
    EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::refund, refund(changes)))) << metadata;
  }
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, intent(R"({"capture_method":null})"))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, intent(R"({"amount_received":null})"))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, intent(R"({"amount_received":2000.5})"))));
  EXPECT_TRUE(
      is<OutcomeUnknown>(answered(held_step(), 200, text(held_intent(R"({"amount_capturable":null})")))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::refund, refund(R"({"payment_intent":null})"))));
  // A capture and a void are of a payment that is known by its name.
  EXPECT_TRUE(is<Succeeded>(answered(Kind::void_, canceled_intent(R"({"metadata":{}})"))));
}

TEST(StripeAnswer, HostileJsonIsNoAnswer) {
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 200, std::string(100'000, '['))));
  const auto twice = R"({"id":"pi_1","id":"pi_2","object":"payment_intent","status":"succeeded"})";
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 200, twice)));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 402, std::string(100'000, '{'))));
  EXPECT_TRUE(is<OutcomeUnknown>(answered(Kind::authorize, 200, "\xff\xfe{}")));
}

}  // namespace
}  // namespace switchyard::psp::stripe
