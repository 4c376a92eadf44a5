#include "psp/adyen/cancel_by_reference.hpp"

#include <gmock/gmock.h>

#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view received_cancel =
    R"({"merchantAccount":"SwitchyardECOM","paymentReference":"7_0123456789abcdef0123456789abcdef_1",)"
    R"("pspReference":"SYPSP00000000002","reference":"7_0123456789abcdef0123456789abcdef_1_cancel",)"
    R"("status":"received"})";

payment::Answer read_cancel(long status, std::string body, const AnswerHeaders& headers = {}) {
  return read_cancel_by_reference(test_settings(), step_of({}),
                                  http::ClientResponse{.status = status, .body = std::move(body)}, headers);
}

std::string changed(std::string_view what, std::string_view with) {
  return replaced(std::string(received_cancel), what, with);
}

TEST(AdyenCancelByReference, IsAlwaysTheSameRequest) {
  const auto request = cancel_by_reference(test_settings(), step_of({}));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://psp.invalid/v71/cancels");
  EXPECT_EQ(
      request.body,
      R"({"merchantAccount":"SwitchyardECOM","paymentReference":"7_0123456789abcdef0123456789abcdef_1",)"
      R"("reference":"7_0123456789abcdef0123456789abcdef_1_cancel"})");
  EXPECT_THAT(request.headers, ElementsAre("Content-Type: application/json", "X-API-Key: secret-api-key",
                                           "Idempotency-Key: 7-0123456789abcdef0123456789abcdef-1-cancel"));
  EXPECT_EQ(http::problem_of(request), "");
  EXPECT_EQ(cancel_by_reference(test_settings(), step_of({})).body, request.body);
}

TEST(AdyenCancelByReference, IsPendingWhenItWasReceived) {
  const auto outcome = read_cancel(201, std::string(received_cancel));
  ASSERT_TRUE(std::holds_alternative<payment::Pending>(outcome));
  EXPECT_EQ(std::get<payment::Pending>(outcome).psp_reference, "SYPSP00000000002");
}

TEST(AdyenCancelByReference, AnotherOnesContradicts) {
  for (const auto& body : {changed("abcdef_1\"", "abcdef_2\""), changed("_cancel", "_other"),
                           changed("SwitchyardECOM", "OtherECOM")}) {
    EXPECT_TRUE(std::holds_alternative<payment::Contradicted>(read_cancel(201, body))) << body;
  }
  EXPECT_TRUE(std::holds_alternative<payment::Contradicted>(read_cancel(
      201, std::string(received_cancel), {.idempotency_key = "7-0123456789abcdef0123456789abcdef-1"})));
}

TEST(AdyenCancelByReference, ItsErrorsAreThoseOfAModification) {
  using payment::NotSent;
  using payment::OutcomeUnknown;
  using payment::Rejected;
  EXPECT_TRUE(std::holds_alternative<Rejected>(read_cancel(422, R"({"errorCode":"101"})")));
  EXPECT_TRUE(std::holds_alternative<Rejected>(read_cancel(401, "{}")));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(read_cancel(422, R"({"errorCode":"704"})")));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(read_cancel(500, "<html>")));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(read_cancel(201, "<html>")));
  EXPECT_TRUE(std::holds_alternative<OutcomeUnknown>(read_cancel(201, changed("received", "refused"))));
  EXPECT_TRUE(std::holds_alternative<NotSent>(read_cancel(429, "{}")));
  EXPECT_TRUE(std::holds_alternative<NotSent>(read_cancel_by_reference(
      test_settings(), step_of({}),
      std::unexpected(http::CallFailure{.perhaps_sent = false, .reason = "why"}), {})));
}

}  // namespace
}  // namespace switchyard::psp::adyen
