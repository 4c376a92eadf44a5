#include "psp/adyen/details.hpp"

#include <gmock/gmock.h>

#include "psp/adyen/adyen_protocol.hpp"
#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view authorised =
    R"({"resultCode":"Authorised","pspReference":"SYPSP00000000009",)"
    R"("merchantReference":"7_0123456789abcdef0123456789abcdef_1","amount":{"value":1500,"currency":"EUR"}})";

payment::Step returned(std::string brought_back = R"({"redirectResult":"X6XtfGC3!Y..."})") {
  auto step = step_of({});
  step.action = payment::Action::look_up;
  auto& operation = step.state.operations.at(step.index);
  operation.phase = payment::Phase::action_required;
  operation.brought_back = std::move(brought_back);
  return step;
}

payment::Found read(long status, std::string_view body, const AnswerHeaders& headers = {}) {
  return read_details(returned(), http::ClientResponse{.status = status, .body = std::string(body)}, headers);
}

TEST(AdyenDetails, AreSentAsTheCustomerBroughtThem) {
  const auto request = details_of(test_settings(), returned());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://psp.invalid/v71/payments/details");
  EXPECT_EQ(request.body, R"({"details":{"redirectResult":"X6XtfGC3!Y..."}})");
  EXPECT_THAT(request.headers, Contains(StartsWith("Idempotency-Key: ")));
  EXPECT_EQ(http::problem_of(request), "");
  // Whenever they are sent again; others are another request.
  EXPECT_EQ(details_of(test_settings(), returned()).headers, request.headers);
  EXPECT_NE(details_of(test_settings(), returned(R"({"redirectResult":"Y"})")).headers, request.headers);
}

TEST(AdyenDetails, AreAskedWithWhereThereAreSome) {
  const AdyenProtocol protocol(test_settings());
  const auto now = *returned().operation().sent_at + std::chrono::minutes(1);
  const auto request = protocol.look_up(returned(), now);
  ASSERT_TRUE(request);
  EXPECT_THAT(request->url, HasSubstr("/payments/details"));
  EXPECT_FALSE(protocol.look_up(returned(""), now)) << "it would be answered as before";
  auto pending = returned();
  pending.state.operations.at(pending.index).phase = payment::Phase::pending;
  EXPECT_FALSE(protocol.look_up(pending, now));
}

TEST(AdyenDetails, TheAnswerIsThePayments) {
  const auto paid = read(200, authorised);
  ASSERT_TRUE(std::holds_alternative<payment::Succeeded>(paid));
  EXPECT_EQ(std::get<payment::Succeeded>(paid).psp_reference, "SYPSP00000000009");
  EXPECT_EQ(std::get<payment::Succeeded>(paid).amount, eur(1500));
  const auto refused = read(200, replaced(std::string(authorised), "Authorised", "Refused"));
  EXPECT_TRUE(std::holds_alternative<payment::Declined>(refused));
  const auto other = read(200, replaced(std::string(authorised), "abcdef_1", "abcdef_2"));
  EXPECT_TRUE(std::holds_alternative<payment::Contradicted>(other));
}

TEST(AdyenDetails, WhatAdyenDoesNotTakeEndsNothing) {
  for (const long status : {400, 401, 403, 409, 422, 500, 503}) {
    EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(read(status, R"({"errorCode":"101"})")))
        << status;
  }
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(read(200, "<html>")));
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(read(200, authorised, {.is_transient = true})));
  EXPECT_TRUE(
      std::holds_alternative<payment::Contradicted>(read(200, authorised, {.idempotency_key = "another"})));
}

TEST(AdyenEnd, IsACancelByReferenceWhoseResultComesLater) {
  const AdyenProtocol protocol(test_settings());
  EXPECT_TRUE(protocol.capabilities().can_end);
  const auto step = returned("");
  EXPECT_THAT(protocol.end(step).url, HasSubstr("/v71/cancels"));
  const auto received = protocol.read_end(
      step, http::ClientResponse{
                .status = 201,
                .body = R"({"merchantAccount":"SwitchyardECOM","paymentReference":)"
                        R"("7_0123456789abcdef0123456789abcdef_1","pspReference":"SYPSP00000000002",)"
                        R"("reference":"7_0123456789abcdef0123456789abcdef_1_cancel","status":"received"})"});
  EXPECT_TRUE(std::holds_alternative<payment::ActionRequired>(received)) << "its event says what came of it";
  auto unknown = returned("");
  unknown.state.operations.at(unknown.index).phase = payment::Phase::unknown;
  const auto later = protocol.read_end(
      unknown,
      http::ClientResponse{
          .status = 201,
          .body = R"({"merchantAccount":"SwitchyardECOM","paymentReference":)"
                  R"("7_0123456789abcdef0123456789abcdef_1","pspReference":"SYPSP00000000002",)"
                  R"("reference":"7_0123456789abcdef0123456789abcdef_1_cancel","status":"received"})"});
  EXPECT_TRUE(std::holds_alternative<payment::Pending>(later));
  const auto refused = protocol.read_end(step, http::ClientResponse{.status = 422, .body = "{}"});
  EXPECT_TRUE(std::holds_alternative<payment::OutcomeUnknown>(refused));
}

}  // namespace
}  // namespace switchyard::psp::adyen
