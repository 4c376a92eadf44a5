#include "psp/adyen/requests.hpp"

#include <gmock/gmock.h>

#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using payment::CaptureMethod;
using payment::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string encoded(const Wanted& wanted) {
  const auto step = step_to_encode(wanted);
  return encode(test_settings(), step.state, step.operation()).value();
}

std::string why_rejected(const Wanted& wanted, const Settings& settings = test_settings()) {
  const auto step = step_to_encode(wanted);
  const auto body = encode(settings, step.state, step.operation());
  EXPECT_FALSE(body.has_value());
  return body ? std::string() : body.error().reason;
}

std::string why_rejected_to_pay_with(std::string payment_method, bool is_live = false) {
  auto settings = test_settings();
  settings.is_live = is_live;
  return why_rejected({.payment_method = std::move(payment_method)}, settings);
}

// What is sent again after an update.
TEST(AdyenRequests, AnAuthorizationIsEncodedAsEver) {
  EXPECT_EQ(encoded({}),
            R"({"merchantAccount":"SwitchyardECOM","reference":"7_0123456789abcdef0123456789abcdef_1",)"
            R"("amount":{"value":2000,"currency":"EUR"},)"
            R"("paymentMethod":{"type":"scheme","storedPaymentMethodId":"M5N7TQ4TG5PFWR50"},)"
            R"("shopperReference":"shopper-1","shopperInteraction":"ContAuth",)"
            R"("recurringProcessingModel":"UnscheduledCardOnFile","returnUrl":"https://return.invalid/",)"
            R"("additionalData":{"manualCapture":"true"}})");
  EXPECT_EQ(encoded({.amount_minor = 5,
                     .currency = "ISK",
                     .capture_method = CaptureMethod::automatic,
                     .return_url = "https://shop.example/back?order=\"1\""}),
            R"({"merchantAccount":"SwitchyardECOM","reference":"7_0123456789abcdef0123456789abcdef_1",)"
            R"("amount":{"value":500,"currency":"ISK"},)"
            R"("paymentMethod":{"type":"scheme","storedPaymentMethodId":"M5N7TQ4TG5PFWR50"},)"
            R"("shopperReference":"shopper-1","shopperInteraction":"ContAuth",)"
            R"("recurringProcessingModel":"CardOnFile","returnUrl":"https://shop.example/back?order=\"1\"",)"
            R"("captureDelayHours":0})");
}

TEST(AdyenRequests, EncryptedDataGoesAsItIs) {
  EXPECT_THAT(
      encoded({.payment_method =
                   R"({"stripe":"pm_1","adyen":{"holderName":"A \"B\"","type":"scheme",)"
                   R"("encryptedCardNumber":"test_4111111111111111","encryptedExpiryMonth":"test_03",)"
                   R"("encryptedExpiryYear":"test_2030","encryptedSecurityCode":"test_737"}})"}),
      HasSubstr(R"("paymentMethod":{"type":"scheme","encryptedCardNumber":"test_4111111111111111",)"
                R"("encryptedExpiryMonth":"test_03","encryptedExpiryYear":"test_2030",)"
                R"("encryptedSecurityCode":"test_737","holderName":"A \"B\""},)"
                R"("shopperInteraction":"Ecommerce","channel":"Web","returnUrl")"));
}

TEST(AdyenRequests, TheMerchantMayChooseTheModel) {
  for (const auto* model : {"CardOnFile", "Subscription", "UnscheduledCardOnFile"}) {
    EXPECT_THAT(
        encoded({.payment_method = R"({"adyen":{"storedPaymentMethodId":"S","shopperReference":"abc",)"
                                   R"("recurringProcessingModel":")" +
                                   std::string(model) + R"("}})"}),
        HasSubstr(R"("recurringProcessingModel":")" + std::string(model) + '"'));
  }
}

TEST(AdyenRequests, WhatCannotBePaidWithIsRejected) {
  for (const auto* nothing : {"", "{}", "null", "[]", "nonsense", R"({"stripe":"pm_1"})", R"({"adyen":"S"})",
                              R"({"adyen":null})", R"({"adyen":[]})", R"({"adyen":{},"adyen":{}})"}) {
    EXPECT_EQ(why_rejected_to_pay_with(nothing), "payment_method has no object for adyen") << nothing;
  }
  const std::string encrypted =
      R"("encryptedCardNumber":"eyJ","encryptedExpiryMonth":"eyJ","encryptedExpiryYear":"eyJ")";
  const std::pair<std::string, const char*> wrong[] = {
      {R"({})", "encryptedCardNumber"},
      {R"({"storedPaymentMethodId":"S"})", "shopperReference"},
      {R"({"storedPaymentMethodId":"S","shopperReference":"ab"})", "shopperReference"},
      {R"({"storedPaymentMethodId":"S","shopperReference":123})", "shopperReference"},
      {R"({"storedPaymentMethodId":"","shopperReference":"abc"})", "storedPaymentMethodId"},
      {R"({"storedPaymentMethodId":null,"shopperReference":"abc"})", "storedPaymentMethodId"},
      {R"({"storedPaymentMethodId":")" + std::string(65, 's') + R"(","shopperReference":"abc"})",
       "storedPaymentMethodId"},
      {R"({"storedPaymentMethodId":"S","shopperReference":"abc","recurringProcessingModel":"Always"})",
       "recurringProcessingModel"},
      {R"({"storedPaymentMethodId":"S","shopperReference":"abc","type":"ideal"})", "type"},
      {R"({"storedPaymentMethodId":"S","shopperReference":"abc","cvc":"737"})", "not taken here"},
      {R"({"storedPaymentMethodId":"S","shopperReference":"4111 1111 1111 1111"})", "card number"},
      {"{" + encrypted + R"(,"number":"4111111111111111"})", "not taken here"},
      {"{" + encrypted + R"(,"holderName":"4111111111111111"})", "holderName holds a card number"},
      {"{" + encrypted + R"(,"encryptedSecurityCode":""})", "encryptedSecurityCode"},
      {R"({"number":"4111111111111111","expiryMonth":"03","expiryYear":"2030","cvc":"737"})",
       "not taken here"},
      {R"({"encryptedCardNumber":"4111111111111111","encryptedExpiryMonth":"a","encryptedExpiryYear":"b"})",
       "encryptedCardNumber holds a card number"},
      {R"({"encryptedCardNumber":")" + std::string(8'193, 'e') + R"("})", "encryptedCardNumber"},
  };
  for (const auto& [method, what] : wrong) {
    const auto why = why_rejected_to_pay_with(R"({"adyen":)" + method + "}");
    EXPECT_THAT(why, HasSubstr(what)) << method;
    EXPECT_THAT(why, Not(HasSubstr("4111")));
  }
}

TEST(AdyenRequests, ATestCardIsNotSentWhereMoneyMoves) {
  const auto* const test_card = R"({"adyen":{"encryptedCardNumber":"test_4111111111111111",)"
                                R"("encryptedExpiryMonth":"test_03","encryptedExpiryYear":"test_2030"}})";
  EXPECT_THAT(why_rejected_to_pay_with(test_card, true), HasSubstr("test card"));
  // A shopper may be called that.
  auto live = test_settings();
  live.is_live = true;
  const auto step = step_to_encode(
      {.payment_method = R"({"adyen":{"storedPaymentMethodId":"S","shopperReference":"test_shopper"}})"});
  EXPECT_TRUE(encode(live, step.state, step.operation()).has_value());
}

TEST(AdyenRequests, TheOthersAreEncodedWithWhatTheyMove) {
  const std::string common =
      R"("merchantAccount":"SwitchyardECOM","reference":"7_0123456789abcdef0123456789abcdef_2")";
  EXPECT_EQ(encoded({.kind = Kind::capture, .amount_minor = 1500}),
            "{" + common + R"(,"amount":{"value":1500,"currency":"EUR"}})");
  EXPECT_EQ(encoded({.kind = Kind::refund, .amount_minor = 500, .currency = "IDR"}),
            "{" + common + R"(,"amount":{"value":5,"currency":"IDR"}})");
  EXPECT_EQ(encoded({.kind = Kind::void_}), "{" + common + "}");
}

TEST(AdyenRequests, AnAmountThatAdyenCannotBeAskedForIsRejected) {
  for (const auto kind : {Kind::authorize, Kind::capture, Kind::refund}) {
    EXPECT_THAT(why_rejected({.kind = kind, .amount_minor = 1050, .currency = "IDR"}),
                HasSubstr("10.50 IDR"));
    EXPECT_THAT(why_rejected({.kind = kind, .currency = "BIF"}), HasSubstr("BIF"));
    EXPECT_THAT(why_rejected({.kind = kind, .amount_minor = 0}), HasSubstr("no amount"));
    EXPECT_THAT(why_rejected({.kind = kind, .amount_minor = -1}), HasSubstr("no amount"));
  }
}

TEST(AdyenRequests, ACaptureThatIsNotTheLastNeedsAnAccountWithSeveral) {
  EXPECT_THAT(why_rejected({.kind = Kind::capture, .is_final = false}), HasSubstr("release what is left"));
  auto settings = test_settings();
  settings.several_captures = true;
  const auto step = step_to_encode({.kind = Kind::capture, .is_final = false});
  EXPECT_TRUE(encode(settings, step.state, step.operation()).has_value());
}

TEST(AdyenRequests, APaymentWithoutANameAtAdyenCannotBeModified) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    auto step = step_to_encode({.kind = kind});
    step.state.operations[0].psp_reference.clear();
    const auto body = encode(test_settings(), step.state, step.operation());
    ASSERT_FALSE(body.has_value());
    EXPECT_THAT(body.error().reason, HasSubstr("not known"));
  }
}

TEST(AdyenRequests, AReturnAddressOfAnySizeIsNotSentOn) {
  EXPECT_THAT(why_rejected({.return_url = "https://shop.example/" + std::string(2'048, 'a')}),
              HasSubstr("return_url"));
}

TEST(AdyenRequests, TheStoredBytesGoUnderTheKey) {
  auto settings = test_settings();
  settings.url += "//";
  const std::pair<Kind, const char*> paths[] = {{Kind::authorize, "/payments"},
                                                {Kind::capture, "/payments/SYPSP00000000001/captures"},
                                                {Kind::void_, "/payments/SYPSP00000000001/cancels"},
                                                {Kind::refund, "/payments/SYPSP00000000001/refunds"}};
  for (const auto& [kind, path] : paths) {
    auto step = step_of({.kind = kind});
    step.state.operations.back().request = "what was stored";
    step.state.operations.back().idempotency_key = "key-2";
    const auto request = request_of(settings, step);
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.url, std::string("https://psp.invalid/v71") + path);
    EXPECT_EQ(request.body, "what was stored");
    EXPECT_THAT(request.headers, ElementsAre("Content-Type: application/json", "X-API-Key: secret-api-key",
                                             "Idempotency-Key: key-2"));
    EXPECT_EQ(http::problem_of(request), "");
  }
}

TEST(AdyenRequests, WhatAdyenCalledThePaymentNeedsAnEscape) {
  auto step = step_of({.kind = Kind::refund});
  step.state.operations[0].psp_reference = "a 1/../x?y";
  EXPECT_EQ(request_of(test_settings(), step).url,
            "https://psp.invalid/v71/payments/a%201%2F..%2Fx%3Fy/refunds");
}

TEST(AdyenRequests, ALongKeyGoesAsItsHash) {
  auto step = step_of({});
  step.state.operations.back().idempotency_key = std::string(65, 'a');
  EXPECT_THAT(request_of(test_settings(), step).headers.back(),
              "Idempotency-Key: 635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
}

}  // namespace
}  // namespace switchyard::psp::adyen
