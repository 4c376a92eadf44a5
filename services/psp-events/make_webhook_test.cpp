#include "psp-events/make_webhook.hpp"

#include <gmock/gmock.h>

#include "routing/parse.hpp"

namespace switchyard::events {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view stripe = R"([psp.it]
adapter = "stripe"
secret_key_env = "STRIPE_KEY"
webhook_secret_env = "STRIPE_SECRET"
webhook_secret_previous_env = "STRIPE_SECRET_BEFORE"
)";
constexpr std::string_view adyen = R"([psp.it]
adapter = "adyen"
api_key_env = "ADYEN_KEY"
merchant_account = "AcmeECOM"
hmac_key_env = "ADYEN_HMAC"
)";

// With these variables: "events", "none", or why not.
std::string made(std::string_view account,
                 const std::vector<std::pair<std::string, std::string>>& variables = {}) {
  const auto routes = routing::parse(std::string(account) + "\n[[rule]]\npsp = \"it\"\n").value();
  Environment environment;
  for (const auto& [name, value] : variables) environment.set(name, value);
  try {
    return make_webhook(routes.accounts.front(), environment) ? "events" : "none";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(MakeWebhook, NeedsTheSecretsOfEventsAndNoOther) {
  EXPECT_EQ(made(stripe, {{"STRIPE_SECRET", "whsec_1"}, {"STRIPE_SECRET_BEFORE", "whsec_0"}}), "events");
  EXPECT_EQ(made(adyen, {{"ADYEN_HMAC", std::string(64, 'a')}}), "events");
}

TEST(MakeWebhook, AnAccountThatNamesNoSecretTakesNoEvents) {
  EXPECT_EQ(made("[psp.it]\nadapter = \"simulator\"\n"), "none");
  EXPECT_EQ(made("[psp.it]\nadapter = \"stripe\"\nsecret_key_env = \"K\"\n"), "none");
}

TEST(MakeWebhook, ASecretThatIsNotThereIsAskedForByItsName) {
  EXPECT_THAT(made(stripe), AllOf(StartsWith("STRIPE_SECRET is not set"), HasSubstr("account it"),
                                  HasSubstr("webhook_secret_env")));
  EXPECT_THAT(made(stripe, {{"STRIPE_SECRET", "whsec_1"}}), StartsWith("STRIPE_SECRET_BEFORE is not set"));
  EXPECT_THAT(made(adyen), StartsWith("ADYEN_HMAC is not set"));
}

TEST(MakeWebhook, ASecretThatIsNoneIsRefusedAndNotRepeated) {
  EXPECT_THAT(made(stripe, {{"STRIPE_SECRET", "hunter2"}, {"STRIPE_SECRET_BEFORE", "whsec_0"}}),
              AllOf(StartsWith("STRIPE_SECRET is no secret of a webhook"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(made(stripe, {{"STRIPE_SECRET", "whsec_1"}, {"STRIPE_SECRET_BEFORE", "hunter2"}}),
              AllOf(StartsWith("STRIPE_SECRET_BEFORE is no secret of a webhook"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(
      made(adyen, {{"ADYEN_HMAC", "hunter2"}}),
      AllOf(HasSubstr("account it, whose hmac_key is not 64 hexadecimal digits"), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace switchyard::events
