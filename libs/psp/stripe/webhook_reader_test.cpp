#include "psp/stripe/webhook_reader.hpp"

#include <gmock/gmock.h>

#include "psp/stripe/testing.hpp"

namespace switchyard::psp::stripe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Made with Stripe's own library.
constexpr const char* vector_secret = "whsec_switchyardTest0123456789abcdef";
constexpr std::string_view vector_body =
    R"({"id":"evt_sy_0001","object":"event","type":"payment_intent.succeeded",)"
    R"("data":{"object":{"id":"pi_sy_0001","amount":1234}}})";
constexpr std::string_view vector_header =
    "t=1760000000,v1=71ff4837ead4d2e765094b6885e9a708d431ed4ee9c95a8c5b78a1e95d8560cd";

auto read(const WebhookSettings& settings, std::string_view signature, std::string_view body) {
  const WebhookRequest request{.header =
                                   [signature](std::string_view name) {
                                     return name == "Stripe-Signature" ? signature : std::string_view();
                                   },
                               .body = body};
  return WebhookReader(settings).read(request, sent_at);
}

TEST(StripeWebhook, BelievesAnEventUnderEitherSecret) {
  for (const auto& settings : {WebhookSettings{.secret = vector_secret, .secret_previous = "whsec_old"},
                               WebhookSettings{.secret = "whsec_new", .secret_previous = vector_secret},
                               WebhookSettings{.secret = vector_secret}}) {
    const auto notices = read(settings, vector_header, vector_body);
    ASSERT_TRUE(notices) << notices.error().reason;
    ASSERT_EQ(notices->size(), 1U);
    EXPECT_EQ(notices->front().event, "evt_sy_0001");
    EXPECT_EQ(notices->front().payment, "pi_sy_0001");
  }
}

TEST(StripeWebhook, AnEventThatIsNotSignedIsNotRead) {
  const WebhookSettings good{.secret = vector_secret};
  const auto refusal = [](const WebhookSettings& settings, std::string_view header, std::string_view body) {
    const auto notices = read(settings, header, body);
    EXPECT_FALSE(notices);
    return notices ? EventRefusal{} : notices.error();
  };
  EXPECT_TRUE(refusal(good, "", vector_body).is_signature);
  EXPECT_TRUE(refusal(good, vector_header, "not even JSON").is_signature);
  EXPECT_TRUE(refusal({}, vector_header, vector_body).is_signature);
  EXPECT_TRUE(refusal({.secret = "whsec_new"}, vector_header, vector_body).is_signature);
  EXPECT_THAT(refusal(good, vector_header, "x").reason, Not(HasSubstr("whsec")));
  const auto large = refusal(good, vector_header, std::string(webhook_bytes_max + 1, ' '));
  EXPECT_FALSE(large.is_signature);
}

TEST(StripeWebhook, TheKeySaysWhetherRealMoneyIsMeant) {
  EXPECT_EQ(is_live("sk_live_1"), true);
  EXPECT_EQ(is_live("rk_live_1"), true);
  EXPECT_EQ(is_live("sk_test_1"), false);
  EXPECT_EQ(is_live("rk_test_1"), false);
  EXPECT_EQ(is_live(""), std::nullopt);
}

}  // namespace
}  // namespace switchyard::psp::stripe
