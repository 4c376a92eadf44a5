#include "psp/adyen/settings.hpp"

#include <functional>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "psp/adyen/testing.hpp"

namespace switchyard::psp::adyen {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(AdyenSettings, GoodOnesHaveNoProblem) {
  EXPECT_EQ(problem_of(test_settings()), "");
  auto live = test_settings();
  live.is_live = true;
  live.url = live_url("1797a841fbb37ca7-AdyenDemo");
  EXPECT_EQ(problem_of(live), "");
  EXPECT_EQ(live.url, "https://1797a841fbb37ca7-AdyenDemo-checkout-live.adyenpayments.com/checkout/v71");
}

struct Broken {
  const char* name;
  std::function<void(Settings&)> change;
};

TEST(AdyenSettings, WhatIsWrongIsNamedAndNotRepeated) {
  const std::vector<Broken> all{
      {"account", [](Settings& settings) { settings.account.clear(); }},
      {"api_key", [](Settings& settings) { settings.api_key.clear(); }},
      {"api_key", [](Settings& settings) { settings.api_key = "secret\r\nX-Other: 1"; }},
      {"api_key", [](Settings& settings) { settings.api_key = "secret key"; }},
      {"merchant_account", [](Settings& settings) { settings.merchant_account = ""; }},
      {"url", [](Settings& settings) { settings.url = "secret"; }},
      {"url", [](Settings& settings) { settings.url = "https://psp/?secret"; }},
      {"https",
       [](Settings& settings) {
         settings.is_live = true;
         settings.url = "http://secret";
       }},
      {"return_url", [](Settings& settings) { settings.return_url = "secret"; }},
      {"return_url", [](Settings& settings) { settings.return_url = ""; }},
  };
  for (const auto& [name, change] : all) {
    auto settings = test_settings();
    change(settings);
    EXPECT_THAT(problem_of(settings), HasSubstr(name));
    EXPECT_THAT(problem_of(settings), Not(HasSubstr("secret")));
  }
}

TEST(AdyenSettings, AWebhookNeedsItsKeyAndItsAccount) {
  auto good = test_webhook_settings();
  EXPECT_EQ(problem_of(good), "");
  good.hmac_key_previous = std::string(64, 'f');
  EXPECT_EQ(problem_of(good), "");
  const std::pair<const char*, std::function<void(WebhookSettings&)>> all[] = {
      {"merchant_account", [](auto& settings) { settings.merchant_account = ""; }},
      {"hmac_key ", [](auto& settings) { settings.hmac_key = ""; }},
      {"hmac_key ", [](auto& settings) { settings.hmac_key = "secret"; }},
      {"hmac_key ", [](auto& settings) { settings.hmac_key.back() = 'g'; }},
      {"hmac_key_previous ", [](auto& settings) { settings.hmac_key_previous = "00"; }},
  };
  for (const auto& [name, change] : all) {
    auto settings = test_webhook_settings();
    change(settings);
    EXPECT_THAT(problem_of(settings), HasSubstr(name));
    EXPECT_THAT(problem_of(settings), Not(HasSubstr("secret")));
  }
}

TEST(AdyenSettings, AKeyIsItsBytesWhateverItsCase) {
  const std::string bytes = hmac_key_bytes(test_hmac_key);
  ASSERT_EQ(bytes.size(), 32U);
  EXPECT_EQ(bytes.substr(0, 2), std::string("\x00\x11", 2));
  EXPECT_EQ(static_cast<unsigned char>(bytes.back()), 0xFF);
  EXPECT_EQ(hmac_key_bytes(std::string(62, 'a') + "Ff"), std::string(31, '\xaa') + "\xff");
  for (const auto* no_key : {"", "00", "0x", "zz"}) EXPECT_EQ(hmac_key_bytes(no_key), "");
}

}  // namespace
}  // namespace switchyard::psp::adyen
