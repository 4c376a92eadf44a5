#include "psp-simulator/dialect/settings.hpp"

#include <gmock/gmock.h>

namespace switchyard::psp_simulator {
namespace {

using ::testing::HasSubstr;

std::string problem_of(std::initializer_list<std::pair<const char*, std::string>> variables) {
  Environment environment;
  for (const auto& [name, value] : variables) environment.set(name, value);
  try {
    read_dialect_settings(environment);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(DialectSettings, WithoutAnAddressNothingIsSent) {
  const auto settings = read_dialect_settings(Environment());
  EXPECT_TRUE(settings.stripe.webhook_url.empty());
  EXPECT_TRUE(settings.adyen.webhook_url.empty());
}

TEST(DialectSettings, AnAddressNeedsWhatEventsAreSignedBy) {
  const std::string url = "http://127.0.0.1:8080/events";
  const std::string key(64, 'a');
  EXPECT_EQ(problem_of({{"PSP_SIMULATOR_STRIPE_WEBHOOK_URL", url},
                        {"PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET", "whsec_1"},
                        {"PSP_SIMULATOR_ADYEN_WEBHOOK_URL", url},
                        {"PSP_SIMULATOR_ADYEN_HMAC_KEY", key}}),
            "nothing");
  EXPECT_THAT(problem_of({{"PSP_SIMULATOR_STRIPE_WEBHOOK_URL", url}}),
              HasSubstr("PSP_SIMULATOR_STRIPE_WEBHOOK_SECRET"));
  for (const auto& wrong : {std::string(), std::string("secret"), key + "a"}) {
    const auto problem =
        problem_of({{"PSP_SIMULATOR_ADYEN_WEBHOOK_URL", url}, {"PSP_SIMULATOR_ADYEN_HMAC_KEY", wrong}});
    EXPECT_THAT(problem, HasSubstr("PSP_SIMULATOR_ADYEN_HMAC_KEY"));
    EXPECT_EQ(problem.find("secret"), std::string::npos) << "it is not repeated";
  }
  EXPECT_THAT(problem_of({{"PSP_SIMULATOR_ADYEN_WEBHOOK_URL", "ftp://x"}}),
              HasSubstr("PSP_SIMULATOR_ADYEN_WEBHOOK_URL"));
}

}  // namespace
}  // namespace switchyard::psp_simulator
