// Stripe as it is played, over a ledger and without HTTP.
#include "psp-simulator/stripe/stripe_dialect.hpp"

#include <gmock/gmock.h>

#include "http/testing.hpp"
#include "psp-simulator/dialect/testing.hpp"
#include "psp-simulator/stripe/cards.hpp"
#include "psp/stripe/signature.hpp"

namespace switchyard::psp_simulator::stripe {
namespace {

namespace json = boost::json;
using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view payments = "/v1/payment_intents";
constexpr std::string_view usual =
    "amount=2000&currency=eur&confirm=true&payment_method_types[]=card&metadata[switchyard_reference]=ref-1";

std::string form(std::string_view method = "pm_card_visa", std::string_view more = {}) {
  return std::string(usual).append("&payment_method=").append(method).append(more);
}

class StripeTest : public ::testing::Test {
 protected:
  json::object pay(std::string_view more = {}, std::string_view method = "pm_card_visa",
                   const std::string& key = {}) {
    return body_of(stripe_.post(payments, form(method, more), key));
  }
  json::object hold() { return pay("&capture_method=manual"); }
  Reply to(const json::object& intent, std::string_view what, std::string body = {},
           const std::string& key = {}) {
    return stripe_.post(std::string(payments) + "/" + text_in(intent, "id") + "/" + std::string(what),
                        std::move(body), key);
  }
  json::object now(const json::object& intent) {
    return body_of(stripe_.get(std::string(payments) + "/" + text_in(intent, "id")));
  }
  Reply refund(const json::object& intent, std::string_view more = {}, const std::string& key = {}) {
    return stripe_.post("/v1/refunds", "payment_intent=" + text_in(intent, "id") + std::string(more), key);
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> types;
    for (const auto& event : stripe_.take_events()) types.push_back(text_in(event, "type"));
    return types;
  }
  void pass(milliseconds time) {
    stripe_.clock().advance(time);
    stripe_.settle();
  }

  const StripeDialect dialect_{{.webhook_url = "http://127.0.0.1:1/", .webhook_secret = "whsec_1"}};
  Played stripe_{dialect_};
};

json::object error_in(const Reply& reply) {
  return body_of(reply).at("error").as_object();
}

TEST_F(StripeTest, TakesMoneyAndShowsIt) {
  const auto intent = pay();
  EXPECT_EQ(text_in(intent, "status"), "succeeded");
  EXPECT_EQ(number_in(intent, "amount_received"), 2000);
  EXPECT_EQ(stripe_.charge("ref-1").captured_minor, 2000);
  EXPECT_EQ(stripe_.charge("ref-1").psp, "stripe");
  EXPECT_EQ(json::serialize(now(intent)), json::serialize(intent));
  EXPECT_THAT(event_types(),
              ElementsAre("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"));
}

TEST_F(StripeTest, HoldsCapturesAPartAndReleasesTheRest) {
  const auto intent = hold();
  EXPECT_EQ(text_in(intent, "status"), "requires_capture");
  EXPECT_EQ(number_in(intent, "amount_capturable"), 2000);
  EXPECT_EQ(text_in(error_in(to(intent, "capture", "amount_to_capture=2001")), "code"), "amount_too_large");
  const auto captured = body_of(to(intent, "capture", "amount_to_capture=1500&metadata[a]=b"));
  EXPECT_EQ(text_in(captured, "status"), "succeeded");
  EXPECT_EQ(number_in(captured, "amount_received"), 1500);
  EXPECT_EQ(number_in(captured, "amount_capturable"), 0);
  EXPECT_EQ(text_in(captured.at("metadata").as_object(), "a"), "b");
  EXPECT_EQ(text_in(captured.at("metadata").as_object(), "switchyard_reference"), "ref-1");
  EXPECT_EQ(stripe_.charge("ref-1").released_minor, 500);
  const auto again = error_in(to(intent, "capture"));
  EXPECT_EQ(text_in(again, "code"), "payment_intent_unexpected_state");
  EXPECT_EQ(text_in(again.at("payment_intent").as_object(), "status"), "succeeded");
}

TEST_F(StripeTest, CancelsAHold) {
  const auto intent = hold();
  event_types();
  const auto canceled = body_of(to(intent, "cancel", "cancellation_reason=requested_by_customer"));
  EXPECT_EQ(text_in(canceled, "status"), "canceled");
  EXPECT_EQ(text_in(canceled, "cancellation_reason"), "requested_by_customer");
  EXPECT_EQ(stripe_.charge("ref-1").voided_minor, 2000);
  EXPECT_THAT(event_types(), ElementsAre("payment_intent.canceled"));
  EXPECT_EQ(text_in(error_in(to(intent, "cancel")), "code"), "payment_intent_unexpected_state");
}

TEST_F(StripeTest, RefundsInPartsUntilNothingIsLeft) {
  const auto intent = pay();
  EXPECT_EQ(number_in(body_of(refund(intent, "&amount=500&metadata[a]=b")), "amount"), 500);
  const auto above = error_in(refund(intent, "&amount=1501"));
  EXPECT_EQ(text_in(above, "param"), "amount");
  EXPECT_EQ(text_in(above, "code"), "") << "Stripe gives it none";
  EXPECT_EQ(number_in(body_of(refund(intent)), "amount"), 1500) << "all that is left";
  EXPECT_EQ(text_in(error_in(refund(intent)), "code"), "charge_already_refunded");
  EXPECT_EQ(stripe_.charge("ref-1").refunded_minor, 2000);
  const auto list = body_of(stripe_.get("/v1/refunds", "payment_intent=" + text_in(intent, "id")));
  ASSERT_EQ(list.at("data").as_array().size(), 2U);
  EXPECT_EQ(number_in(list.at("data").at(1).as_object(), "amount"), 500) << "the newest first";
}

TEST_F(StripeTest, AHoldIsNotRefunded) {
  EXPECT_EQ(refund(hold()).status, 400U);
}

TEST_F(StripeTest, DeclinesByTheNamesOfTestCardsInBothSpellings) {
  for (const auto& [method, code, decline_code] :
       {std::tuple{"pm_card_visa_chargeDeclined", "card_declined", "generic_decline"},
        {"pm_card_chargeDeclined", "card_declined", "generic_decline"},
        {"pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"},
        {"pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"},
        {"pm_card_chargeDeclinedExpiredCard", "expired_card", ""},
        {"pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", ""}}) {
    const auto reply = stripe_.post(payments, form(method));
    EXPECT_EQ(reply.status, 402U) << method;
    const auto error = error_in(reply);
    EXPECT_EQ(text_in(error, "type"), "card_error");
    EXPECT_EQ(text_in(error, "code"), code);
    EXPECT_EQ(text_in(error, "decline_code"), decline_code);
    const auto& intent = error.at("payment_intent").as_object();
    EXPECT_EQ(text_in(intent, "status"), "requires_payment_method");
    EXPECT_EQ(text_in(intent, "latest_charge"), text_in(error, "charge"));
  }
  EXPECT_EQ(stripe_.charges("ref-1"), 6U);
}

TEST_F(StripeTest, AnotherCardIsTriedAfterADecline) {
  const auto declined = error_in(stripe_.post(payments, form("pm_card_chargeDeclined")));
  const auto intent = declined.at("payment_intent").as_object();
  const auto paid = body_of(to(intent, "confirm", "payment_method=pm_card_mastercard"));
  EXPECT_EQ(text_in(paid, "status"), "succeeded");
  EXPECT_TRUE(paid.at("last_payment_error").is_null());
  EXPECT_EQ(stripe_.charges("ref-1"), 2U) << "each attempt is a charge";
}

TEST_F(StripeTest, AsksTheCustomerOrDeclinesWhereNobodyMayBeAsked) {
  const auto declined =
      stripe_.post(payments, form("pm_card_authenticationRequired", "&error_on_requires_action=true"));
  EXPECT_EQ(declined.status, 402U);
  EXPECT_EQ(text_in(error_in(declined), "code"), "authentication_required");
  const auto intent = pay("&return_url=https://shop.invalid/", "pm_card_authenticationRequired");
  EXPECT_EQ(text_in(intent, "status"), "requires_action");
  const auto redirect = intent.at("next_action").at("redirect_to_url").as_object();
  EXPECT_THAT(text_in(redirect, "url"), HasSubstr(text_in(intent, "id")));
  EXPECT_EQ(stripe_.charges("ref-1"), 0U);
  const auto back = stripe_.get("/v1/test_customers/" + text_in(intent, "id"));
  EXPECT_EQ(back.status, 303U);
  EXPECT_EQ(text_in(now(intent), "status"), "succeeded");
}

TEST_F(StripeTest, ACustomerWhoIsNotAuthenticatedHasNotPaid) {
  const auto intent = pay("&return_url=https://shop.invalid/", "pm_card_threeDSecure2Required");
  stripe_.get("/v1/test_customers/" + text_in(intent, "id"), "result=failed");
  const auto failed = now(intent);
  EXPECT_EQ(text_in(failed, "status"), "requires_payment_method");
  EXPECT_EQ(text_in(failed.at("last_payment_error").as_object(), "code"),
            "payment_intent_authentication_failure");
  EXPECT_EQ(stripe_.charges("ref-1"), 0U);
}

// --- Keys --------------------------------------------------------------------------------------

std::string header_in(const Reply& reply, std::string_view name) {
  for (const auto& [known, value] : reply.headers) {
    if (known == name) return value;
  }
  return {};
}

TEST_F(StripeTest, OneKeyIsOneChargeAndOneAnswer) {
  const auto first = stripe_.post(payments, form(), "key-1");
  const auto again = stripe_.post(payments, form(), "key-1");
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(header_in(first, "Idempotent-Replayed"), "");
  EXPECT_EQ(header_in(again, "Idempotent-Replayed"), "true");
  EXPECT_EQ(stripe_.charges("ref-1"), 1U);
  const auto other = stripe_.post(payments, form("pm_card_visa", "&description=x"), "key-1");
  EXPECT_EQ(other.status, 400U);
  EXPECT_EQ(text_in(error_in(other), "type"), "idempotency_error");
  const auto elsewhere = stripe_.post("/v1/refunds", "payment_intent=pi_1", "key-1");
  EXPECT_EQ(text_in(error_in(elsewhere), "type"), "idempotency_error") << "a key is of the whole account";
}

TEST_F(StripeTest, ADeclineIsKeptUnderItsKeyAndAMistakeIsNot) {
  const auto first = stripe_.post(payments, form("pm_card_chargeDeclined"), "key-1");
  EXPECT_EQ(stripe_.post(payments, form("pm_card_chargeDeclined"), "key-1").body, first.body);
  EXPECT_EQ(stripe_.charges("ref-1"), 1U);
  EXPECT_EQ(stripe_.post(payments, "amount=0&currency=eur", "key-2").status, 400U);
  EXPECT_EQ(stripe_.post(payments, form(), "key-2").status, 200U);
}

TEST_F(StripeTest, AKeyIsForgottenAfterADay) {
  stripe_.post(payments, form(), "key-1");
  stripe_.clock().advance(hours(24) - milliseconds(1));
  stripe_.post(payments, form(), "key-1");
  EXPECT_EQ(stripe_.charges("ref-1"), 1U);
  stripe_.clock().advance(milliseconds(1));
  stripe_.post(payments, form(), "key-1");
  EXPECT_EQ(stripe_.charges("ref-1"), 2U);
}

TEST_F(StripeTest, AKeyIsInUseWhileItsFirstAnswerIsLate) {
  stripe_.play(R"({"behaviour":"slow","delay_ms":300,"requests":1})");
  const auto slow = stripe_.post(payments, form(), "key-1");
  EXPECT_EQ(slow.behaviour->answer, psp::simulator::Answer::late);
  const auto during = stripe_.post(payments, form(), "key-1");
  EXPECT_EQ(during.status, 409U);
  EXPECT_EQ(text_in(error_in(during), "code"), "idempotency_key_in_use");
  stripe_.clock().advance(milliseconds(300));
  EXPECT_EQ(stripe_.post(payments, form(), "key-1").body, slow.body);
}

TEST_F(StripeTest, AnErrorIsKeptForEverAndTheMoneyIsThere) {
  stripe_.play(R"({"behaviour":"error_kept_after_charge","requests":1})");
  stripe_.post(payments, form(), "key-1");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(stripe_.post(payments, form(), "key-1").status, 500U);
  EXPECT_EQ(stripe_.charge("ref-1").captured_minor, 2000);
  const auto list = body_of(stripe_.get(payments));
  EXPECT_EQ(text_in(list.at("data").at(0).as_object(), "status"), "succeeded");
}

TEST_F(StripeTest, WhatIsBrokenBeforeTheChargeLeavesNothing) {
  for (const auto* name :
       {"error_before_charge", "too_many_requests", "in_use", "transient_error", "time_out_before_charge"}) {
    stripe_.play(R"({"behaviour":")" + std::string(name) + R"(","requests":1})");
    stripe_.post(payments, form(), std::string("key-") + name);
    EXPECT_EQ(stripe_.charges("ref-1"), 0U) << name;
    EXPECT_TRUE(body_of(stripe_.get(payments)).at("data").as_array().empty()) << name;
  }
  EXPECT_EQ(stripe_.post(payments, form(), "key-in_use").status, 200U) << "it is a new request";
}

// --- Later -------------------------------------------------------------------------------------

TEST_F(StripeTest, ARefundThatPendsSucceedsByItselfAndIsToldOf) {
  const auto intent = pay({}, "pm_card_pendingRefund");
  const auto pending = body_of(refund(intent));
  EXPECT_EQ(text_in(pending, "status"), "pending");
  event_types();
  pass(milliseconds(1000));
  EXPECT_EQ(text_in(body_of(stripe_.get("/v1/refunds/" + text_in(pending, "id"))), "status"), "succeeded");
  EXPECT_THAT(event_types(), ElementsAre("refund.updated", "charge.refund.updated", "charge.refunded"));
  EXPECT_EQ(stripe_.charge("ref-1").refunded_minor, 2000);
}

TEST_F(StripeTest, ARefundThatSucceededFailsLater) {
  const auto intent = pay({}, "pm_card_refundFail");
  const auto done = body_of(refund(intent, "&amount=700"));
  EXPECT_EQ(text_in(done, "status"), "succeeded");
  EXPECT_EQ(stripe_.charge("ref-1").refunded_minor, 700);
  event_types();
  pass(milliseconds(1000));
  const auto failed = body_of(stripe_.get("/v1/refunds/" + text_in(done, "id")));
  EXPECT_EQ(text_in(failed, "status"), "failed");
  EXPECT_THAT(event_types(), ElementsAre("refund.updated", "charge.refund.updated", "refund.failed"));
  EXPECT_EQ(stripe_.charge("ref-1").refunded_minor, 0);
}

TEST_F(StripeTest, APaymentThatIsProcessingEndsEitherWay) {
  for (const bool succeeds : {true, false}) {
    stripe_.play(std::string(R"({"behaviour":")") + (succeeds ? "pending" : "pending_then_declined") + "\"}");
    const auto intent = pay();
    EXPECT_EQ(text_in(intent, "status"), "processing");
    event_types();
    pass(milliseconds(1000));
    EXPECT_EQ(text_in(now(intent), "status"), succeeds ? "succeeded" : "requires_payment_method");
    EXPECT_THAT(event_types(),
                ElementsAre(succeeds ? "charge.succeeded" : "charge.failed",
                            succeeds ? "payment_intent.succeeded" : "payment_intent.payment_failed"));
  }
}

TEST_F(StripeTest, AHoldThatIsTakenBackHasRunOut) {
  stripe_.play(R"({"behaviour":"taken_back","kind":"authorize"})");
  const auto intent = hold();
  event_types();
  pass(milliseconds(1000));
  EXPECT_EQ(text_in(now(intent), "status"), "canceled");
  EXPECT_EQ(text_in(now(intent), "cancellation_reason"), "automatic");
  EXPECT_THAT(event_types(), ElementsAre("charge.expired", "payment_intent.canceled"));
}

// --- Reading -----------------------------------------------------------------------------------

TEST_F(StripeTest, TheSearchIsBehindAndTheListIsNot) {
  const auto intent = pay("&metadata[switchyard_key]=k-1");
  const auto search = [&] {
    return body_of(stripe_.get(std::string(payments) + "/search",
                               "query=metadata%5B%27switchyard_key%27%5D%3A%27k-1%27&limit=50"))
        .at("data")
        .as_array()
        .size();
  };
  EXPECT_EQ(body_of(stripe_.get(payments)).at("data").as_array().size(), 1U);
  EXPECT_EQ(search(), 0U);
  stripe_.clock().advance(milliseconds(1000));
  EXPECT_EQ(search(), 1U);
}

TEST_F(StripeTest, ListsAreInPages) {
  for (int i = 0; i < 5; ++i) pay();
  const auto first = body_of(stripe_.get(payments, "limit=3"));
  EXPECT_TRUE(first.at("has_more").as_bool());
  const auto last = text_in(first.at("data").at(2).as_object(), "id");
  const auto second = body_of(stripe_.get(payments, "limit=3&starting_after=" + last));
  EXPECT_FALSE(second.at("has_more").as_bool());
  EXPECT_EQ(second.at("data").as_array().size(), 2U);
  EXPECT_EQ(stripe_.get(payments, "limit=101").status, 400U);
  EXPECT_TRUE(body_of(stripe_.get(payments, "created%5Bgt%5D=1800000000")).at("data").as_array().empty());
}

TEST_F(StripeTest, RefusesWhatStripeRefuses) {
  for (const auto& [body, code] : {std::pair{"currency=eur", "parameter_missing"},
                                   {"amount=1", "parameter_missing"},
                                   {"amount=x&currency=eur", "parameter_invalid_integer"},
                                   {"amount=1000000000000&currency=eur", "amount_too_large"},
                                   {"amount=1&currency=eur&colour=red", "parameter_unknown"},
                                   {"amount=1&currency=xyz", ""},
                                   {"amount=1&currency=eur&return_url=https://a.invalid", ""},
                                   {"amount=1&currency=eur&confirm=true&payment_method=pm_card_visa", ""},
                                   {"amount=1&currency=eur&payment_method=pm_none", "resource_missing"},
                                   {"amount=%zz", ""}}) {
    const auto reply = stripe_.post(payments, body);
    EXPECT_EQ(reply.status, 400U) << body;
    EXPECT_EQ(text_in(error_in(reply), "code"), code) << body;
    EXPECT_EQ(text_in(error_in(reply), "type"), "invalid_request_error") << body;
  }
  EXPECT_EQ(stripe_.get("/v1/payment_intents/pi_none").status, 404U);
}

// --- Events and who asks -----------------------------------------------------------------------

TEST_F(StripeTest, EventsAreDoubledLostLateAndReordered) {
  stripe_.play(R"({"behaviour":"event_doubled","requests":1},{"behaviour":"event_lost","requests":1},)"
               R"({"behaviour":"event_late","delay_ms":500,"requests":1})");
  pay();
  EXPECT_THAT(event_types(), ElementsAre("payment_intent.created", "payment_intent.created"));
  pass(milliseconds(500));
  EXPECT_THAT(event_types(), ElementsAre("payment_intent.succeeded"));
  stripe_.play(R"({"behaviour":"event_reordered","requests":1})");
  pay();
  EXPECT_THAT(event_types(),
              ElementsAre("charge.succeeded", "payment_intent.created", "payment_intent.succeeded"));
  EXPECT_EQ(body_of(stripe_.get("/v1/events", "limit=100")).at("data").as_array().size(), 6U)
      << "each is kept once";
}

TEST_F(StripeTest, OurOwnReaderTakesItsSignature) {
  const auto now = Timestamp(milliseconds(1'760'000'000'123));
  const auto request = dialect_.delivery(R"({"id":"evt_1"})", now);
  const auto header = request.headers.back();
  constexpr std::string_view name = "Stripe-Signature: ";
  ASSERT_TRUE(header.starts_with(name));
  std::vector<token::HmacSha256> keys;
  keys.emplace_back("whsec_1");
  EXPECT_EQ(psp::stripe::why_not_signed(keys, header.substr(name.size()), request.body, now), "");
}

bool is_taken(const Dialect& dialect, std::string_view authorization, std::string_view version = {}) {
  boost::beast::http::fields headers;
  headers.set("Authorization", boost::string_view(authorization.data(), authorization.size()));
  headers.set("Stripe-Version", boost::string_view(version.data(), version.size()));
  return !dialect.refuse(http::request_of(http::Method::get, payments, headers, ""));
}

TEST_F(StripeTest, TakesKeysOfTestAccountsOnly) {
  EXPECT_TRUE(is_taken(dialect_, "Bearer sk_test_1"));
  EXPECT_TRUE(is_taken(dialect_, "Bearer rk_test_1", "2026-08-26.dahlia"));
  EXPECT_TRUE(is_taken(dialect_, "Basic c2tfdGVzdF8xOg==")) << "sk_test_1 as a user";
  EXPECT_FALSE(is_taken(dialect_, "Bearer sk_live_1"));
  EXPECT_FALSE(is_taken(dialect_, ""));
  EXPECT_FALSE(is_taken(dialect_, "Bearer sk_test_1", "dahlia"));
}

}  // namespace
}  // namespace switchyard::psp_simulator::stripe
