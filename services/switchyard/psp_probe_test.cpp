#include "switchyard/psp_probe.hpp"

#include <set>

#include <gmock/gmock.h>

namespace switchyard::cli {
namespace {

using http::CallTrouble;
using routing::Account;
using routing::Adapter;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Account stripe() {
  return {.name = "eu", .adapter = Adapter::stripe, .texts = {{"secret_key_env", "STRIPE_KEY"}}};
}
Account adyen() {
  return {.name = "ad",
          .adapter = Adapter::adyen,
          .texts = {{"api_key_env", "ADYEN_KEY"}, {"merchant_account", "Acme\"ECOM"}}};
}
Environment keys() {
  Environment environment;
  environment.set("STRIPE_KEY", "sk_test_hunter2");
  environment.set("ADYEN_KEY", "hunter3");
  return environment;
}

TEST(PspProbe, StripeIsAskedForAPayment) {
  const auto probe = probe_of(stripe(), keys());
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->method, "GET");
  EXPECT_EQ(probe->url, "https://api.stripe.com/v1/payment_intents?limit=1");
  EXPECT_THAT(probe->headers, Contains("Authorization: Bearer sk_test_hunter2"));
  EXPECT_EQ(probe->body, "");
}

TEST(PspProbe, AdyenIsAskedForWhatTheMerchantAccountTakes) {
  auto account = adyen();
  const auto probe = probe_of(account, keys());
  ASSERT_TRUE(probe);
  EXPECT_EQ(probe->method, "POST");
  EXPECT_EQ(probe->url, "https://checkout-test.adyen.com/v71/paymentMethods");
  EXPECT_EQ(probe->body, R"({"merchantAccount":"Acme\"ECOM"})");
  EXPECT_THAT(probe->headers, Contains("X-API-Key: hunter3"));
  account.texts.emplace_back("live_prefix", "1797a841fbb37ca7-AcmeECOM");
  EXPECT_EQ(probe_of(account, keys())->url,
            "https://1797a841fbb37ca7-AcmeECOM-checkout-live.adyenpayments.com/checkout/v71/paymentMethods");
}

TEST(PspProbe, NobodyIsAskedWithoutAKeyOrWithAnotherSecret) {
  EXPECT_FALSE(probe_of(stripe(), {}));
  EXPECT_FALSE(probe_of(adyen(), {}));
  Environment other;
  other.set("STRIPE_KEY", "whsec_hunter2");
  EXPECT_FALSE(probe_of(stripe(), other));
  EXPECT_FALSE(probe_of({.name = "sim"}, {})) << "in this process";
  const Account remote{.name = "sim", .texts = {{"base_url", "http://127.0.0.1:5003/"}}};
  EXPECT_EQ(probe_of(remote, {})->url, "http://127.0.0.1:5003/health");
}

ProbeTold told(const Account& account, long status, std::string body = {}) {
  return told_by(account, http::ClientResponse{.status = status, .body = std::move(body)});
}

TEST(PspProbe, WhatThePspAnswersIsSaidOfTheKey) {
  EXPECT_TRUE(told(stripe(), 200, R"({"object":"list","data":[]})").is_good);
  EXPECT_TRUE(told(adyen(), 200, R"({"paymentMethods":[]})").is_good);
  EXPECT_THAT(told(stripe(), 401).text, AllOf(HasSubstr("STRIPE_KEY"), HasSubstr("401")));
  EXPECT_THAT(told(stripe(), 403).text, HasSubstr("knows the key"));
  EXPECT_THAT(told(adyen(), 401).text, HasSubstr("ADYEN_KEY"));
  EXPECT_THAT(told(adyen(), 403, R"({"errorCode":"901"})").text, HasSubstr("no such merchant account"));
  EXPECT_THAT(told(adyen(), 403, R"({"errorCode":"010"})").text, HasSubstr("may not be used"));
  for (const auto& account : {stripe(), adyen()}) {
    for (const long status : {201L, 302L, 401L, 403L, 404L, 429L, 500L, 503L}) {
      const auto one = told(account, status, R"({"object":"list"})");
      EXPECT_FALSE(one.is_good) << status;
      EXPECT_THAT(one.text, HasSubstr("answers")) << status;
      EXPECT_NE(one.remedy, "") << status;
    }
  }
}

TEST(PspProbe, WhatIsNotThePspIsNotTakenForIt) {
  const std::string page = "<html>hunter2</html>";
  for (const auto& account : {stripe(), adyen(), Account{.name = "sim"}}) {
    for (const auto& body : {page, std::string(), std::string("[]"), std::string(100'000, '[')}) {
      const auto one = told(account, 200, body);
      EXPECT_FALSE(one.is_good);
      EXPECT_THAT(one.text, AllOf(HasSubstr("but not as"), Not(HasSubstr("hunter2"))));
    }
  }
  EXPECT_FALSE(told(stripe(), 200, R"({"object":"balance"})").is_good);
}

TEST(PspProbe, EachTroubleHasWordsOfItsOwn) {
  std::set<std::string> texts;
  for (const auto trouble : {CallTrouble::other, CallTrouble::name_not_found, CallTrouble::not_connected,
                             CallTrouble::tls, CallTrouble::out_of_time, CallTrouble::too_large}) {
    const auto one =
        told_by(stripe(), std::unexpected(http::CallFailure{.reason = "why", .trouble = trouble}));
    EXPECT_FALSE(one.is_good);
    EXPECT_NE(one.remedy, "");
    EXPECT_THAT(one.text, HasSubstr("https://api.stripe.com "));
    texts.insert(one.text);
  }
  EXPECT_EQ(texts.size(), 6U);
}

TEST(PspProbe, TestAccountsAreKnown) {
  EXPECT_TRUE(is_test_account(stripe(), keys()));
  EXPECT_TRUE(is_test_account(adyen(), keys()));
  auto live = adyen();
  live.flags.emplace_back("live");
  EXPECT_FALSE(is_test_account(live, keys()));
  Environment environment;
  environment.set("STRIPE_KEY", "rk_live_1");
  EXPECT_FALSE(is_test_account(stripe(), environment));
  EXPECT_FALSE(is_test_account({.name = "sim"}, {})) << "there is no other";
}

}  // namespace
}  // namespace switchyard::cli
