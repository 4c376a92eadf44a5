#include "psp/stripe/requests.hpp"

#include <algorithm>

#include <gmock/gmock.h>

#include "http/query.hpp"
#include "psp/stripe/payment_method.hpp"
#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using payment::CaptureMethod;
using payment::Kind;
using ::testing::HasSubstr;
using ::testing::Not;

std::expected<std::string, payment::Rejected> try_encode(const Wanted& wanted) {
  const auto step = step_of(wanted);
  return encode(step.state, step.operation());
}
std::string encoded(const Wanted& wanted) {
  const auto body = try_encode(wanted);
  EXPECT_TRUE(body) << body.error().reason;
  return body.value_or("");
}
std::string refusal(const Wanted& wanted) {
  const auto body = try_encode(wanted);
  EXPECT_FALSE(body) << *body;
  return body ? "" : body.error().reason;
}

// What was stored is sent again after an update: these bytes stay.
TEST(StripeRequests, AnAuthorizationIsAFormThatConfirmsAtOnce) {
  EXPECT_EQ(encoded({}),
            "amount=2000&currency=eur&confirm=true&capture_method=automatic&payment_method=pm_card_visa"
            "&payment_method_types[]=card&error_on_requires_action=true"
            "&metadata[switchyard_reference]=reference-1&metadata[switchyard_key]=key-2");
  EXPECT_EQ(encoded({.amount_minor = 1, .capture_method = CaptureMethod::manual, .currency = "JPY"}),
            "amount=1&currency=jpy&confirm=true&capture_method=manual&payment_method=pm_card_visa"
            "&payment_method_types[]=card&error_on_requires_action=true"
            "&metadata[switchyard_reference]=reference-1&metadata[switchyard_key]=key-2");
}

TEST(StripeRequests, TheCustomerIsAskedOnlyWhereThereIsAWayBack) {
  const auto asked = encoded({.return_url = "https://shop/back?order=1&ok=a b"});
  EXPECT_THAT(asked, HasSubstr("&return_url=https%3A%2F%2Fshop%2Fback%3Forder%3D1%26ok%3Da%20b&"));
  EXPECT_THAT(asked, Not(HasSubstr("error_on_requires_action")));
  EXPECT_THAT(encoded({}), Not(HasSubstr("return_url")));
}

TEST(StripeRequests, ACardThatIsKeptIsChargedWithItsCustomer) {
  const Wanted kept{.payment_method = R"({"stripe":{"payment_method":"pm_1","customer":"cus_1"}})"};
  EXPECT_THAT(encoded(kept),
              HasSubstr("payment_method=pm_1&payment_method_types[]=card&customer=cus_1&error"));
  EXPECT_THAT(encoded(kept), Not(HasSubstr("off_session")));
  Wanted away{.payment_method =
                  R"({"stripe":{"payment_method":"pm_1","customer":"cus_1","off_session":true}})"};
  EXPECT_THAT(encoded(away), HasSubstr("&customer=cus_1&off_session=true&error_on_requires_action=true&"));
  away.return_url = "https://shop/back";
  EXPECT_THAT(refusal(away), HasSubstr("off_session"));
  EXPECT_THAT(encoded({.return_url = "https://shop/back",
                       .payment_method = R"({"stripe":{"payment_method":"pm_1","off_session":false}})"}),
              HasSubstr("return_url"));
}

TEST(StripeRequests, WithoutAPaymentMethodForStripeNothingIsSent) {
  for (const auto* method : {"",
                             "{",
                             "[]",
                             "7",
                             R"("pm_1")",
                             "{}",
                             R"({"adyen":"x"})",
                             R"({"stripe":null})",
                             R"({"stripe":7})",
                             R"({"stripe":""})",
                             R"({"stripe":"pm 1"})",
                             R"({"stripe":"pm_1&amount=1"})",
                             R"({"stripe":["pm_1"]})",
                             R"({"stripe":"pm_1","stripe":"pm_2"})",
                             R"({"stripe":{}})",
                             R"({"stripe":{"payment_method":7}})",
                             R"({"stripe":{"payment_method":"pm_1","customer":7}})",
                             R"({"stripe":{"payment_method":"pm_1","customer":""}})",
                             R"({"stripe":{"payment_method":"pm_1","off_session":"true"}})",
                             R"({"stripe":{"payment_method":"pm_1","confirm":true}})"}) {
    EXPECT_THAT(refusal({.payment_method = method}), HasSubstr("payment_method.stripe")) << method;
  }
  const auto long_name = R"({"stripe":")" + std::string(256, 'p') + R"("})";
  EXPECT_THAT(refusal({.payment_method = long_name}), HasSubstr("payment_method.stripe"));
}

TEST(StripeRequests, TheOthersAreEncodedWithWhatTheyMove) {
  const Wanted held{.kind = Kind::capture,
                    .amount_minor = 1500,
                    .capture_method = CaptureMethod::manual,
                    .authorized_minor = 2000};
  EXPECT_EQ(encoded(held),
            "amount_to_capture=1500&metadata[switchyard_reference]=reference-1"
            "&metadata[switchyard_capture_key]=key-2");
  EXPECT_EQ(encoded({.kind = Kind::void_, .capture_method = CaptureMethod::manual}),
            "cancellation_reason=requested_by_customer");
  EXPECT_EQ(encoded({.kind = Kind::refund, .amount_minor = 500, .authorized_minor = 2000}),
            "payment_intent=pi_1&amount=500&metadata[switchyard_reference]=reference-1"
            "&metadata[switchyard_key]=key-2");
}

// Stripe releases the rest with the first capture, which is not what was asked for.
TEST(StripeRequests, AHoldIsCapturedOnce) {
  Wanted not_final{.kind = Kind::capture,
                   .amount_minor = 1500,
                   .capture_method = CaptureMethod::manual,
                   .authorized_minor = 2000,
                   .is_final = false};
  EXPECT_THAT(refusal(not_final), HasSubstr("releases the rest"));
  not_final.amount_minor = 2000;
  EXPECT_THAT(encoded(not_final), HasSubstr("amount_to_capture=2000"));
  auto second =
      step_of({.kind = Kind::capture, .amount_minor = 500, .capture_method = CaptureMethod::manual});
  second.state.transaction.captured_minor = 100;
  EXPECT_FALSE(encode(second.state, second.operation()));
}

TEST(StripeRequests, WhatStripeCannotCountIsRefusedForEachKind) {
  for (const auto kind : kinds) {
    EXPECT_THAT(refusal({.kind = kind, .amount_minor = 5123, .currency = "KWD"}), HasSubstr("5.123 KWD"));
  }
}

TEST(StripeRequests, APaymentWithoutAUsableNameCannotBeWorkedOn) {
  for (const auto kind : {Kind::capture, Kind::void_, Kind::refund}) {
    for (const auto* name : {"", "..", "pi_1/cancel", "pi 1", "pi_1?x", "looked into by a person"}) {
      auto step = sent_step(kind);
      step.state.operations[0].psp_reference = name;
      const auto body = encode(step.state, step.operation());
      ASSERT_FALSE(body) << name;
      EXPECT_EQ(body.error().reason, "it is not known what Stripe calls the payment");
    }
  }
}

// Each form is read as a server reads it.
TEST(StripeRequests, FormsAreReadAsTheyAreMeant) {
  const auto parameters = http::parse_query(encoded({.return_url = "https://shop/?a=1&b=ü"}));
  ASSERT_TRUE(parameters);
  const auto value_of = [&](std::string_view name) {
    const auto found = std::ranges::find(*parameters, name, &http::QueryParameter::name);
    return found == parameters->end() ? "none" : found->value;
  };
  EXPECT_EQ(value_of("return_url"), "https://shop/?a=1&b=ü");
  EXPECT_EQ(value_of("metadata[switchyard_key]"), "key-2");
  EXPECT_EQ(value_of("payment_method_types[]"), "card");
  EXPECT_EQ(parameters->size(), 9U);
}

TEST(StripeRequests, GoToThePathOfTheirKind) {
  EXPECT_EQ(path_of(sent_step(Kind::authorize)), "/v1/payment_intents");
  EXPECT_EQ(path_of(sent_step(Kind::capture)), "/v1/payment_intents/pi_1/capture");
  EXPECT_EQ(path_of(sent_step(Kind::void_)), "/v1/payment_intents/pi_1/cancel");
  EXPECT_EQ(path_of(sent_step(Kind::refund)), "/v1/refunds");
}

}  // namespace
}  // namespace switchyard::psp::stripe
