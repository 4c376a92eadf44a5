// Adyen as it is played, over a ledger and without HTTP.
#include "psp-simulator/adyen/adyen_dialect.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "http/testing.hpp"
#include "psp-simulator/adyen/notifications.hpp"
#include "psp-simulator/dialect/testing.hpp"
#include "psp/adyen/events.hpp"
#include "psp/adyen/testing.hpp"

namespace switchyard::psp_simulator::adyen {
namespace {

namespace json = boost::json;
using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view payments = "/v71/payments";
constexpr std::string_view visa =
    R"("encryptedCardNumber":"test_4111111111111111","encryptedExpiryMonth":"test_03",)"
    R"("encryptedExpiryYear":"test_2030","encryptedSecurityCode":"test_737")";

struct Payment {
  std::string card = std::string(visa);
  std::string more = R"("captureDelayHours":0)";
  std::string reference = "order_1";
};

std::string body_of_payment(const Payment& payment) {
  return fmt::format(R"({{"merchantAccount":"SwitchyardECOM","reference":"{}","amount":)"
                     R"({{"value":2000,"currency":"EUR"}},"paymentMethod":{{"type":"scheme",{}}},)"
                     R"("returnUrl":"https://shop.invalid/",{}}})",
                     payment.reference, payment.card, payment.more);
}

std::string amount_body(std::int64_t value, std::string_view reference = "mod_1") {
  return fmt::format(R"({{"merchantAccount":"SwitchyardECOM","amount":{{"value":{},"currency":"EUR"}},)"
                     R"("reference":"{}"}})",
                     value, reference);
}
constexpr const char* plain_body = R"({"merchantAccount":"SwitchyardECOM","reference":"mod_1"})";
constexpr const char* manual = R"("additionalData":{"manualCapture":"true"})";

class AdyenTest : public ::testing::Test {
 protected:
  json::object pay(const Payment& payment = {}, const std::string& key = {}) {
    return body_of(adyen_.post(payments, body_of_payment(payment), key));
  }
  std::string hold() { return text_in(pay({.more = manual}), "pspReference"); }
  Reply modify(const std::string& payment, std::string_view what, std::string body,
               const std::string& key = {}) {
    return adyen_.post(fmt::format("{}/{}/{}", payments, payment, what), std::move(body), key);
  }
  // "CAPTURE:true", say.
  std::vector<std::string> notifications() {
    std::vector<std::string> told;
    for (const auto& event : adyen_.take_events()) {
      last_ = event.at("notificationItems").at(0).at("NotificationRequestItem").as_object();
      told.push_back(text_in(last_, "eventCode") + ":" + text_in(last_, "success"));
    }
    return told;
  }
  void pass(milliseconds time) {
    adyen_.clock().advance(time);
    adyen_.settle();
  }

  const AdyenDialect dialect_{
      {.webhook_url = "http://127.0.0.1:1/", .hmac_key = std::string(psp::adyen::test_hmac_key)}};
  Played adyen_{dialect_};
  json::object last_;
};

std::string error_code(const Reply& reply) {
  return fmt::format("{}:{}", reply.status, text_in(body_of(reply), "errorCode"));
}

TEST_F(AdyenTest, TakesMoneyAndTellsOfIt) {
  const auto paid = pay();
  EXPECT_EQ(text_in(paid, "resultCode"), "Authorised");
  EXPECT_EQ(text_in(paid, "merchantReference"), "order_1");
  EXPECT_EQ(adyen_.charge("order_1").captured_minor, 2000);
  EXPECT_EQ(adyen_.charge("order_1").psp, "adyen");
  EXPECT_THAT(notifications(), ElementsAre("AUTHORISATION:true"));
  EXPECT_EQ(text_in(last_, "pspReference"), text_in(paid, "pspReference"));
  EXPECT_FALSE(last_.contains("originalReference"));
}

TEST_F(AdyenTest, ACaptureIsReceivedAndItsResultIsToldOf) {
  const auto payment = hold();
  notifications();
  const auto captured = modify(payment, "captures", amount_body(1500));
  EXPECT_EQ(captured.status, 201U);
  EXPECT_EQ(text_in(body_of(captured), "status"), "received");
  EXPECT_EQ(text_in(body_of(captured), "paymentPspReference"), payment);
  EXPECT_EQ(adyen_.charge("order_1").captured_minor, 1500);
  EXPECT_EQ(adyen_.charge("order_1").released_minor, 500);
  EXPECT_THAT(notifications(), ElementsAre("CAPTURE:true"));
  EXPECT_EQ(text_in(last_, "originalReference"), payment);
  EXPECT_EQ(text_in(last_, "pspReference"), text_in(body_of(captured), "pspReference"));
  EXPECT_EQ(text_in(last_, "merchantReference"), "mod_1");
  EXPECT_EQ(number_in(last_.at("amount").as_object(), "value"), 1500);
}

TEST_F(AdyenTest, WhatThePaymentDoesNotAllowIsReceivedAndToldOfAsNoSuccess) {
  const auto payment = hold();
  notifications();
  EXPECT_EQ(modify(payment, "captures", amount_body(2001)).status, 201U);
  EXPECT_EQ(modify(payment, "refunds", amount_body(1)).status, 201U);
  EXPECT_THAT(notifications(), ElementsAre("CAPTURE:false", "REFUND:false"));
  EXPECT_EQ(modify(payment, "cancels", plain_body).status, 201U);
  EXPECT_EQ(modify(payment, "cancels", plain_body).status, 201U);
  EXPECT_THAT(notifications(), ElementsAre("CANCELLATION:true", "CANCELLATION:false"));
  EXPECT_EQ(adyen_.charge("order_1").voided_minor, 2000);
}

TEST_F(AdyenTest, RefundsInParts) {
  const auto payment = text_in(pay(), "pspReference");
  notifications();
  for (const auto value : {500, 1500, 1}) modify(payment, "refunds", amount_body(value));
  EXPECT_THAT(notifications(), ElementsAre("REFUND:true", "REFUND:true", "REFUND:false"));
  EXPECT_THAT(text_in(last_, "reason"), HasSubstr("Insufficient balance"));
  EXPECT_EQ(adyen_.charge("order_1").refunded_minor, 2000);
}

TEST_F(AdyenTest, AReversalCancelsOrRefunds) {
  modify(hold(), "reversals", plain_body);
  EXPECT_THAT(notifications(), ElementsAre("AUTHORISATION:true", "CANCEL_OR_REFUND:true"));
  EXPECT_EQ(text_in(last_.at("additionalData").as_object(), "modification.action"), "cancel");
  modify(text_in(pay({.reference = "order_2"}), "pspReference"), "reversals", plain_body);
  notifications();
  EXPECT_EQ(text_in(last_.at("additionalData").as_object(), "modification.action"), "refund");
  EXPECT_EQ(adyen_.charge("order_2").refunded_minor, 2000);
}

TEST_F(AdyenTest, ACancelByReferenceEndsWhatIsHeldUnderIt) {
  const auto cancel = [&](std::string_view reference) {
    return adyen_.post("/v71/cancels",
                       fmt::format(R"({{"merchantAccount":"SwitchyardECOM","paymentReference":"{}",)"
                                   R"("reference":"tc_1"}})",
                                   reference));
  };
  const auto payment = hold();
  notifications();
  EXPECT_EQ(text_in(body_of(cancel("order_1")), "paymentReference"), "order_1");
  EXPECT_THAT(notifications(), ElementsAre("TECHNICAL_CANCEL:true"));
  EXPECT_EQ(text_in(last_, "originalReference"), payment);
  EXPECT_EQ(adyen_.charge("order_1").voided_minor, 2000);
  EXPECT_EQ(cancel("never_heard_of").status, 201U);
  EXPECT_THAT(notifications(), ElementsAre("TECHNICAL_CANCEL:false"));
  pay({.reference = "order_3"});
  notifications();
  cancel("order_3");
  EXPECT_THAT(notifications(), ElementsAre("TECHNICAL_CANCEL:false")) << "it is taken already";
}

// --- Test values -------------------------------------------------------------------------------

TEST_F(AdyenTest, RefusesByNumberAndByTheHoldersName) {
  const auto by_number = pay({.more = R"("additionalData":{"RequestedTestAcquirerResponseCode":"12"})"});
  EXPECT_EQ(text_in(by_number, "resultCode"), "Refused");
  EXPECT_EQ(text_in(by_number, "refusalReasonCode"), "12");
  EXPECT_EQ(text_in(by_number, "refusalReason"), "Not enough balance");
  EXPECT_THAT(notifications(), ElementsAre("AUTHORISATION:false"));
  EXPECT_EQ(text_in(last_, "reason"), "Not enough balance");
  const auto by_name = pay({.card = std::string(visa) + R"(,"holderName":"BLOCK_CARD")"});
  EXPECT_EQ(text_in(by_name, "refusalReasonCode"), "5");
  const auto error = pay({.more = R"("additionalData":{"RequestedTestAcquirerResponseCode":"4"})"});
  EXPECT_EQ(text_in(error, "resultCode"), "Error");
  const auto wrong_cvc = pay({.card = psp::adyen::replaced(std::string(visa), "test_737", "test_111")});
  EXPECT_EQ(text_in(wrong_cvc, "resultCode"), "Refused");
  EXPECT_EQ(adyen_.charges("order_1"), 4U);
}

TEST_F(AdyenTest, WhatIsReceivedIsAuthorisedLater) {
  const auto received = pay({.more = R"("additionalData":{"RequestedTestAcquirerResponseCode":"13"})"});
  EXPECT_EQ(text_in(received, "resultCode"), "Received");
  EXPECT_THAT(notifications(), ElementsAre());
  pass(milliseconds(1000));
  EXPECT_THAT(notifications(), ElementsAre("AUTHORISATION:true"));
  EXPECT_EQ(adyen_.charge("order_1").captured_minor, 2000);
}

TEST_F(AdyenTest, CapturesAndRefundsFailAfterAllByTheHoldersName) {
  const auto held = pay({.card = std::string(visa) + R"(,"holderName":"capture failed")", .more = manual});
  modify(text_in(held, "pspReference"), "captures", amount_body(2000));
  EXPECT_THAT(notifications(), ElementsAre("AUTHORISATION:true", "CAPTURE:true"));
  const auto capture = text_in(last_, "pspReference");
  pass(milliseconds(1000));
  EXPECT_THAT(notifications(), ElementsAre("CAPTURE_FAILED:true"));
  EXPECT_EQ(text_in(last_, "pspReference"), capture);
  EXPECT_EQ(adyen_.charge("order_1").captured_minor, 0);
  const auto taken =
      pay({.card = std::string(visa) + R"(,"holderName":"refund failed")", .reference = "order_2"});
  modify(text_in(taken, "pspReference"), "refunds", amount_body(700));
  notifications();
  pass(milliseconds(1000));
  EXPECT_THAT(notifications(), ElementsAre("REFUND_FAILED:true"));
  EXPECT_EQ(adyen_.charge("order_2").refunded_minor, 0);
}

TEST_F(AdyenTest, ACustomerIsSentToTheBankAndGoesOnWithDetails) {
  const Payment redirected{
      .card = psp::adyen::replaced(std::string(visa), "4111111111111111", "4212345678901237")};
  for (const auto* how : {"", "result=failed"}) {
    const auto asked = pay(redirected);
    EXPECT_EQ(text_in(asked, "resultCode"), "RedirectShopper");
    const auto reference = text_in(asked, "pspReference");
    EXPECT_THAT(text_in(asked.at("action").as_object(), "url"), HasSubstr(reference));
    const auto back = adyen_.get("/v71/test_customers/" + reference, how);
    ASSERT_EQ(back.status, 303U);
    const auto result = back.headers.at(0).second.substr(back.headers.at(0).second.find('=') + 1);
    const auto details = R"({"details":{"redirectResult":")" + result + R"("}})";
    const auto done = body_of(adyen_.post("/v71/payments/details", details));
    const bool succeeds = std::string_view(how).empty();
    EXPECT_EQ(text_in(done, "resultCode"), succeeds ? "Authorised" : "Refused");
    EXPECT_EQ(text_in(done, "refusalReasonCode"), succeeds ? "" : "11");
    EXPECT_EQ(error_code(adyen_.post("/v71/payments/details", details)), "422:704");
  }
}

// --- Keys --------------------------------------------------------------------------------------

TEST_F(AdyenTest, OneKeyIsOnePaymentAndOneAnswer) {
  const auto first = adyen_.post(payments, body_of_payment({}), "key-1");
  const auto again = adyen_.post(payments, body_of_payment({}), "key-1");
  EXPECT_EQ(again.body, first.body);
  for (const auto* reply : {&first, &again}) {
    ASSERT_EQ(reply->headers.size(), 1U);
    EXPECT_EQ(reply->headers[0].first, "idempotency-key");
    EXPECT_EQ(reply->headers[0].second, "key-1");
  }
  EXPECT_EQ(adyen_.charges("order_1"), 1U);
  adyen_.post(payments, body_of_payment({}), "key-2");
  EXPECT_EQ(adyen_.charges("order_1"), 2U) << "a reference is no key";
  EXPECT_EQ(error_code(adyen_.post(payments, body_of_payment({.reference = "order_2"}), "key-1")), "422:704");
  adyen_.clock().advance(hours(7 * 24));
  adyen_.post(payments, body_of_payment({}), "key-1");
  EXPECT_EQ(adyen_.charges("order_1"), 3U) << "after a week it is a new one";
}

TEST_F(AdyenTest, ATransientErrorLeavesNothingAndAKeptOneIsForGood) {
  const Payment kept{.more = R"("additionalData":{"RequestedTestErrorResponseCode":"IOEXCEPTION_RECEIVED"})"};
  adyen_.post(payments, body_of_payment(kept), "key-1");
  EXPECT_EQ(error_code(adyen_.post(payments, body_of_payment(kept), "key-1")), "500:905");
  adyen_.play(R"({"behaviour":"transient_error","requests":1})");
  const auto transient = adyen_.post(payments, body_of_payment({}), "key-2");
  EXPECT_EQ(transient.behaviour->answer, psp::simulator::Answer::transient);
  EXPECT_EQ(adyen_.post(payments, body_of_payment({}), "key-2").status, 200U);
  EXPECT_EQ(adyen_.charges("order_1"), 1U);
  const auto error = dialect_.broken(psp::simulator::Answer::transient);
  EXPECT_EQ(error.headers.at(0).first, "transient-error");
  EXPECT_EQ(error_code(dialect_.broken(psp::simulator::Answer::in_use)), "422:704");
}

TEST_F(AdyenTest, RefusesWhatAdyenRefuses) {
  const auto without = [](std::string_view what, std::string_view with) {
    return psp::adyen::replaced(body_of_payment({}), what, with);
  };
  const auto error_of = [&](std::string body) { return error_code(adyen_.post(payments, std::move(body))); };
  EXPECT_EQ(error_of("{"), "400:702");
  EXPECT_EQ(error_of(without("SwitchyardECOM", "")), "403:901");
  EXPECT_EQ(error_of(without("\"amount\"", "\"price\"")), "422:100");
  EXPECT_EQ(error_of(without("2000", "0")), "422:137");
  EXPECT_EQ(error_of(without("EUR", "XXX")), "422:138");
  EXPECT_EQ(error_of(without("order_1", "")), "422:130");
  EXPECT_EQ(error_of(without("https://shop.invalid/", "")), "422:14_030");
  EXPECT_EQ(error_of(without("test_4111111111111111", "test_4111111111111112")), "422:101");
  EXPECT_EQ(error_of(without("test_737", "test_7373")), "422:103");
  EXPECT_EQ(error_code(modify("SYPSP00000000001", "captures", amount_body(1))), "422:167");
  EXPECT_EQ(error_code(modify(hold(), "captures", plain_body)), "422:100");
}

TEST_F(AdyenTest, ListsWhatAMerchantAccountTakesAndMovesNothing) {
  const auto listed = adyen_.post("/v71/paymentMethods", R"({"merchantAccount":"SwitchyardECOM"})");
  EXPECT_EQ(listed.status, 200U);
  EXPECT_EQ(text_in(body_of(listed).at("paymentMethods").at(0).as_object(), "type"), "scheme");
  EXPECT_EQ(error_code(adyen_.post("/v71/paymentMethods", "{}")), "403:901");
  EXPECT_EQ(error_code(adyen_.post("/v71/paymentMethods", "[]")), "400:702");
  EXPECT_THAT(notifications(), ElementsAre());
}

// --- Events and who asks -----------------------------------------------------------------------

TEST_F(AdyenTest, OurOwnReaderTakesItsSignatures) {
  modify(hold(), "captures", amount_body(1500, "7_ref1_2"));
  const psp::adyen::EventReader reader(psp::adyen::test_webhook_settings());
  for (const auto& event : adyen_.take_events()) {
    const auto sent = dialect_.delivery(json::serialize(event), adyen_.clock().now());
    const auto read = reader.read(sent.body);
    ASSERT_TRUE(read) << read.error().reason;
    ASSERT_EQ(read->size(), 1U);
    EXPECT_TRUE(std::holds_alternative<payment::Succeeded>(read->at(0).what));
  }
}

TEST_F(AdyenTest, TakesAKeyInTheHeaderAndJsonOnly) {
  boost::beast::http::fields headers;
  headers.set("Content-Type", "application/json");
  const auto refused = [&] {
    const auto reply = dialect_.refuse(http::request_of(http::Method::post, payments, headers, "{}"));
    return reply ? error_code(*reply) : "";
  };
  EXPECT_EQ(refused(), "401:000");
  headers.set("X-API-Key", "key");
  EXPECT_EQ(refused(), "");
  headers.set("Content-Type", "text/plain");
  EXPECT_EQ(refused(), "400:702");
}

}  // namespace
}  // namespace switchyard::psp_simulator::adyen
